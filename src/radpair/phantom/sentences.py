"""Clauses about single findings: a phrase chosen, its slots filled, a frame put around it."""

from __future__ import annotations

import random
import re

from radpair.phantom.doubt import GONE, HEDGES, NEGATIVES, PLURALS
from radpair.phantom.markup import Clause
from radpair.phantom.naming import severity_word, slots
from radpair.phantom.phrases import (
    CHANGE_WORDS,
    CHANGED,
    DDX,
    DENIALS_ONE,
    DENIALS_THREE,
    DENIALS_TWO,
    OPEN,
    OPEN_MANY,
    PLACED,
    PLAIN,
    TERSE,
    TOGETHER,
)
from radpair.phantom.reading import DEVICES, STEADY, Seen
from radpair.phantom.truth import KINDS
from radpair.phantom.wording import NAMES, SENTENCES, Phrase

_SINGULAR = {one: one for one in PLURALS}
_EITHER = {one: f"<{one}/{many}>" for one, many in PLURALS.items()}
_SIGNS = re.compile("opaci|blunting|rominence|markings|deformity|change|{tip_|{leads}|{mm}")
"""What is seen rather than supposed: not to be hedged."""
_GRADED = frozenset({"pleural_effusion", "pneumothorax", "edema", "atelectasis"})
"""What keeps its severity in a hedge: a possible small effusion."""
_ARTICLES = {"a": ("{a}", ""), "the": ("the", "the"), "": ("", "")}


def about(seen: Seen, rng: random.Random, terse: bool) -> Clause:
    """One sentence on a finding, as present, possible or gone."""
    if seen.status == 0:
        return _gone(seen, rng, terse)
    if seen.status < 0:
        return _open(seen, rng, terse)
    if seen.change and rng.random() < 0.45:
        return _changed(seen, rng, terse)
    whole = _fitting(SENTENCES.get(seen.finding.kind, ()), seen)
    if whole and rng.random() < 0.4:
        return _clause(seen, rng.choice(whole).text, rng, "" if terse else "a", terse)
    frames = TERSE if terse else PLAIN
    article, frame = rng.choice(frames)
    return _framed(seen, rng, frame, article, terse, change_word=rng.random() < 0.6)


def together(first: Seen, second: Seen, rng: random.Random, terse: bool) -> Clause:
    """One sentence on two present findings."""
    frame = rng.choice(TOGETHER[3:] if terse else TOGETHER)
    article = "" if terse or frame.startswith("{first} <") else "a"
    one, many = noun(first, rng, article), noun(second, rng, article)
    verb = "are" if one[1] else "is"
    return Clause(frame, {"first": one[0], "second": many[0], "is": verb, "are": "are"})


def noun(seen: Seen, rng: random.Random, article: str) -> tuple[Clause, bool]:
    """A noun phrase as a clause of its own, and whether it is plural."""
    phrase = rng.choice(_nouns(seen))
    clause = _clause(seen, phrase.text, rng, article, not article, rng.random() < 0.4)
    return clause, phrase.plural


def denial(kinds: list[str], rng: random.Random) -> Clause:
    """One sentence that denies one, two or three kinds."""
    frame = rng.choice((DENIALS_ONE, DENIALS_TWO, DENIALS_THREE)[len(kinds) - 1])
    forms = _SINGULAR if " is " in f" {frame.lower()} " else _EITHER
    items = {
        f"n{number}": Clause(rng.choice(NEGATIVES[kind]), forms, 0, KINDS[kind].label)
        for number, kind in enumerate(kinds, 1)
    }
    return Clause(frame, items, 0)


def _gone(seen: Seen, rng: random.Random, terse: bool) -> Clause:
    frame = rng.choice(GONE["device" if seen.finding.kind in DEVICES else "image"])
    return _framed(seen, rng, frame, "", terse, severity_rate=0.0)


def _open(seen: Seen, rng: random.Random, terse: bool) -> Clause:
    hedges = _fitting(HEDGES.get(seen.finding.kind, ()), seen)
    if hedges and rng.random() < 0.5:
        return _clause(seen, rng.choice(hedges).text, rng, "a", terse)
    phrase = rng.choice(_nouns(seen))
    article, frame = rng.choice(OPEN_MANY if phrase.plural else OPEN)
    graded = seen.finding.kind in _GRADED and seen.finding.severity < 0.5
    rate = 0.5 if graded else 0.0
    return _framed(seen, rng, frame, article, terse, severity_rate=rate, phrase=phrase)


def _changed(seen: Seen, rng: random.Random, terse: bool) -> Clause:
    placed = seen.change == "new" and seen.finding.kind in DEVICES
    frames = PLACED if placed else CHANGED[seen.change]
    if seen.change == "new" and seen.finding.kind == "rib_fracture":
        frames = frames[-1:]
    article, frame = rng.choice(frames)
    rate = 0.0 if seen.change in {"worse", "better"} else 0.5
    phrase = rng.choice([one for one in _nouns(seen) if "{chg}" in one.text])
    return _framed(seen, rng, frame, article, terse, severity_rate=rate, phrase=phrase)


def _framed(
    seen: Seen,
    rng: random.Random,
    frame: str,
    article: str,
    terse: bool,
    *,
    change_word: bool = False,
    severity_rate: float = 0.62,
    phrase: Phrase | None = None,
) -> Clause:
    phrase = phrase or rng.choice(_nouns(seen))
    clause = _clause(seen, frame, rng, article, terse, change_word, severity_rate)
    return Clause(
        clause.text,
        {
            **clause.slots,
            "np": phrase.text,
            "is": "are" if phrase.plural else "is",
            "has": "have" if phrase.plural else "has",
            "now": _now(seen, rng),
        },
        clause.status,
        clause.label,
    )


def _clause(
    seen: Seen,
    text: str,
    rng: random.Random,
    article: str,
    terse: bool,
    change_word: bool = False,
    severity_rate: float = 0.62,
) -> Clause:
    a, the = _ARTICLES[article]
    kind = seen.finding.kind
    change = "kept" if seen.change == "same" and kind in STEADY else seen.change
    filled: dict[str, str | Clause] = {
        **slots(seen.finding, rng, severity_rate),
        "a": a,
        "the": the,
        "def": "" if terse else "the",
        "be": "<is/remains>" if seen.change == "same" else "is",
        "there": "" if terse else "there is {a}",
        "there_is": "" if terse else "there is",
        "there_are": "" if terse else "there are",
        "chg": CHANGE_WORDS.get(change, "") if change_word else "",
    }
    if kind in DDX:
        filled["ddx"] = rng.choice(DDX[kind])
    return Clause(text, filled, seen.status, KINDS[kind].label)


def _now(seen: Seen, rng: random.Random) -> str:
    """``, now moderate``: how far a changing finding has come."""
    if seen.finding.kind not in {"pleural_effusion", "pneumothorax"} or rng.random() < 0.5:
        return ""
    return f", now [{severity_word(seen.finding, rng)}|o>e]"


def _nouns(seen: Seen) -> list[Phrase]:
    fitting = _fitting(NAMES[seen.finding.kind], seen)
    if seen.status == 1:
        return fitting
    return [phrase for phrase in fitting if not _SIGNS.search(phrase.text)]


def _fitting(phrases: tuple[Phrase, ...], seen: Seen) -> list[Phrase]:
    finding = seen.finding
    return [
        phrase for phrase in phrases if phrase.fits(finding.side, finding.severity, finding.zone)
    ]
