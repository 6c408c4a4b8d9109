"""Tokens of one sentence to items: the phrases of the lexicon found in it, in reading order."""

from __future__ import annotations

import re
from dataclasses import dataclass

from radpair.graphs.terms import ANATOMY_ROLES, MODIFIER, OBSERVATION_ROLES, STATE, Lexicon

MEASURE = "measure"
ENTITY_ROLES = OBSERVATION_ROLES | ANATOMY_ROLES | {MEASURE}
OBSERVATIONS = OBSERVATION_ROLES | {MEASURE}

RESOLVED = frozenset({"resolved", "cleared"})
"""Last words of triggers that are observations themselves."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[x-]\d+(?:\.\d+)?)*\Z")
_UNITS = frozenset({"cm", "mm", "centimeter", "centimeters", "millimeter", "millimeters", "cms"})
_GLUED = re.compile(r"\d+(?:\.\d+)?-?(?:cm|mm)\Z")


@dataclass(slots=True)
class Item:
    """A phrase of the sentence and what is known of it so far."""

    role: str
    concept: str
    start: int
    end: int
    """Index of the last token, inclusive."""
    word: str = ""
    """The last word, in lower case."""
    clause: int = 0
    status: str = ""
    """An entity label, or empty where the phrase is no entity of this study."""
    entity: int = -1

    @property
    def is_adjective(self) -> bool:
        """``Cardiac`` or ``hilar`` rather than ``heart`` or ``hila``; for anatomy."""
        return self.word.endswith(("al", "ar", "ac", "ic", "ous", "ary", "bony"))

    @property
    def is_anatomy(self) -> bool:
        return self.role in ANATOMY_ROLES


def match(words: list[str], lexicon: Lexicon) -> list[Item]:
    """The items of one sentence; ``words`` are its tokens in lower case."""
    items: list[Item] = []
    branches = lexicon.branches
    at, count = 0, len(words)
    while at < count:
        word = words[at]
        if word in branches:
            found = lexicon.find(words, at)
            if found is not None:
                (role, concept), length = found
                items.extend(_items(role, concept, at, length, words[at + length - 1]))
                at += length
                continue
        if word[0].isdigit():
            length = _measure_length(words, at)
            if length:
                items.append(Item(MEASURE, MEASURE, at, at + length - 1))
                at += length
                continue
        at += 1
    return items


def _items(role: str, concept: str, at: int, length: int, word: str) -> list[Item]:
    if role == "negation_emitting_first":
        return [Item(STATE, "clear", at, at), Item("negation", "negation", at + 1, at + length - 1)]
    if role == "negation_after" and word in RESOLVED:
        last = at + length - 1
        return [Item(role, concept, at, last), Item(MODIFIER, "resolved", last, last)]
    return [Item(role, concept, at, at + length - 1, word)]


def _measure_length(words: list[str], at: int) -> int:
    """Tokens of a size such as ``4.5 cm`` or ``2 x 3 cm`` at ``at``, or 0."""
    if _GLUED.match(words[at]):
        return 1
    stop = at
    while stop < len(words) and stop < at + 6:
        if words[stop] in _UNITS:
            return stop - at + 1 if stop > at else 0
        if not (_NUMBER.match(words[stop]) or words[stop] in {"x", "-", "by", "to"}):
            return 0
        stop += 1
    return 0
