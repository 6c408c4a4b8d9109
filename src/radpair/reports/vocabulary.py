"""A WordPiece vocabulary from word counts, the same in every process.

The trainer of the ``tokenizers`` library breaks ties in the order of a hash table, so two runs on
one corpus get two vocabularies, and a run could not be repeated. Here ties go to the pair that
sorts first.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping

PREFIX = "##"
Pair = tuple[str, str]


def wordpieces(words: Mapping[str, int], size: int, least: int = 2) -> list[str]:
    """At most ``size`` pieces: every character, then the most frequent merges of two pieces.

    ``words`` maps words to their counts; a merge must occur ``least`` times. Pieces inside a word
    begin with ``##``. The merges are those of byte-pair encoding (Sennrich et al. 2016).
    """
    split = [_characters(word) for word in sorted(words)]
    weights = [words[word] for word in sorted(words)]
    found = sorted({piece for pieces in split for piece in pieces})[:size]
    known = set(found)
    counts, places = _pairs(split, weights)
    queue = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(queue)
    while queue and len(found) < size:
        count, pair = heapq.heappop(queue)
        if -count != counts[pair]:
            continue
        if -count < least:
            break
        merged = pair[0] + pair[1].removeprefix(PREFIX)
        if merged not in known:
            known.add(merged)
            found.append(merged)
        for other in _merge(pair, merged, split, weights, counts, places):
            if counts[other] > 0:
                heapq.heappush(queue, (-counts[other], other))
    return found


def _characters(word: str) -> list[str]:
    return [word[0], *(PREFIX + letter for letter in word[1:])]


def _pairs(
    split: list[list[str]], weights: list[int]
) -> tuple[Counter[Pair], defaultdict[Pair, set[int]]]:
    """How often each two neighbours occur, and in which words."""
    counts: Counter[Pair] = Counter()
    places: defaultdict[Pair, set[int]] = defaultdict(set)
    for number, pieces in enumerate(split):
        for pair in itertools.pairwise(pieces):
            counts[pair] += weights[number]
            places[pair].add(number)
    return counts, places


def _merge(
    pair: Pair,
    merged: str,
    split: list[list[str]],
    weights: list[int],
    counts: Counter[Pair],
    places: defaultdict[Pair, set[int]],
) -> set[Pair]:
    """Joins the pair in every word that has it; returns the pairs whose counts changed."""
    changed: set[Pair] = set()
    for number in places.pop(pair):
        before = split[number]
        after = _joined(before, pair, merged)
        split[number] = after
        for pieces, sign in ((before, -1), (after, 1)):
            for neighbours in itertools.pairwise(pieces):
                counts[neighbours] += sign * weights[number]
                changed.add(neighbours)
                if sign > 0:
                    places[neighbours].add(number)
    counts[pair] = 0
    return changed - {pair}


def _joined(pieces: list[str], pair: Pair, merged: str) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(pieces):
        if tuple(pieces[at : at + 2]) == pair:
            found.append(merged)
            at += 2
        else:
            found.append(pieces[at])
            at += 1
    return found
