"""Tokens of one sentence to items: the phrases of the lexicon found in it, in reading order."""

from __future__ import annotations

import re
from dataclasses import dataclass

from radpair.graphs.terms import (
    ANATOMY_ROLES,
    DEVICE,
    MODIFIER,
    OBSERVATION_ROLES,
    SIDE,
    STATE,
    STRUCTURE,
    Lexicon,
)

MEASURE = "measure"
DISTANCE = "distance"
_DIRECTIONS, _AWAY = frozenset({"above", "below"}), frozenset({"from", "proximal", "distal"})
ENTITY_ROLES = OBSERVATION_ROLES | ANATOMY_ROLES | {MEASURE}

RESOLVED = frozenset({"resolved", "cleared"})
"""Last words of triggers that are observations themselves."""

_ABBREVIATED = frozenset({"et", "ng", "og", "pa", "vp", "ac"})
_DEVICE_NOUNS = frozenset(
    {"tube", "catheter", "line", "drain", "lead", "wire", "device", "pacemaker", "valve", "filter"}
    | {"tubes", "catheters", "lines", "drains", "leads", "wires", "devices", "suture", "sutures"}
    | {"pacemakers", "valves", "cannula", "generator", "hardware", "replacement", "stent", "graft"}
)
"""Nouns that the words before them qualify."""

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
        """Whether it names a place of the body."""
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
            if found is not None and not (found[0].role == SIDE and _is_lone_letter(words, at)):
                (role, concept), length = found
                spoken = words[at : at + length]
                if role == "pseudo" and word == "chest" and _is_state(items, at):
                    items.append(Item(STRUCTURE, "chest", at, at, word))
                    at, spoken = at + 1, spoken[1:]
                    length -= 1
                items.extend(_items(role, concept, at, spoken))
                at += length
                continue
        if word[0].isdigit():
            length = _measure_length(words, at)
            if length:
                items.extend(_measure(words, at, at + length))
                at += length
                continue
        at += 1
    return items


def _is_lone_letter(words: list[str], at: int) -> bool:
    """``L`` of ``mg/L``, where ``L`` of ``L effusion`` is a side."""
    after = words[at + 1] if at + 1 < len(words) else ""
    return len(words[at]) == 1 and words[at].isalpha() and not after.isalpha()


def _is_state(items: list[Item], at: int) -> bool:
    """Whether a state ends right before ``at``: ``normal`` in ``normal chest radiograph``."""
    return bool(items) and items[-1].role == STATE and items[-1].end == at - 1


def _items(role: str, concept: str, at: int, words: list[str]) -> list[Item]:
    last = at + len(words) - 1
    if role == DEVICE and len(words) > 1:
        return _device(concept, at, words)
    if role == "negation_emitting_first":
        return [Item(STATE, "clear", at, at), Item("negation", "negation", at + 1, last)]
    if role == "resolution":
        return [Item(MODIFIER, "resolved", at, at), Item(role, role, at + 1, last)]
    if role == "negation_after" and words[-1] in RESOLVED:
        return [Item(role, concept, at, last), Item(MODIFIER, "resolved", last, last)]
    return [Item(role, concept, at, last, words[-1])]


def _device(concept: str, at: int, words: list[str]) -> list[Item]:
    """``Endotracheal tube`` is two entities, ``ET tube`` and ``port-a-cath`` are one."""
    last = at + len(words) - 1
    if words[0] in _ABBREVIATED or words[-1] not in _DEVICE_NOUNS:
        return [Item(DEVICE, concept, at, last, words[-1])]
    items = []
    start = 0
    for index in range(1, len(words)):
        if "-" not in words[index - 1 : index + 1]:
            part = words[start:index]
            role = STRUCTURE if part == ["chest"] else MODIFIER
            items.append(
                Item(
                    role,
                    "chest" if role == STRUCTURE else "kind",
                    at + start,
                    at + index - 1,
                    part[-1],
                )
            )
            start = index
    return [*items, Item(DEVICE, concept, at + start, last, words[-1])]


def _measure(words: list[str], at: int, end: int) -> list[Item]:
    """A size, or a distance with the word that directs it: ``4 cm above the carina``."""
    after = words[end] if end < len(words) else ""
    if after in _DIRECTIONS:
        return [Item(MEASURE, DISTANCE, at, end)]
    return [Item(MEASURE, DISTANCE if after in _AWAY else MEASURE, at, end - 1)]


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
