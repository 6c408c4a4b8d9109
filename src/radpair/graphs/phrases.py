"""Noun phrases: runs of entities between triggers, with the relations inside them."""

from __future__ import annotations

from dataclasses import dataclass, field

from radpair.graphs.match import MEASURE, Item
from radpair.graphs.schema import LOCATED_AT, MODIFY
from radpair.graphs.terms import DEVICE, FINDING, MODIFIER, PART, SIDE, STATE, STRUCTURE

_DEGREES = frozenset({"more", "less", "most", "very"})

Link = tuple[Item, str, Item]

ABSTRACT = frozenset({"change", "pattern", "finding", "process", "improvement", "worsening"})
"""Findings that say little by themselves."""
MAX_PLACES = 4
"""Places of one phrase that an observation in it is given, so that work stays linear."""
MAX_GAP = 4
"""Unknown words that may stand between two entities of one phrase."""


@dataclass(slots=True)
class Phrase:
    """A noun phrase and its heads."""

    heads: list[Item] = field(default_factory=list)
    """Findings and devices that head it."""
    places: list[Item] = field(default_factory=list)
    """The anatomy that it names, by the head of the anatomy."""
    parts: list[Item] = field(default_factory=list)
    """Parts and attributes of an anatomy (``size``, ``contours``) in it."""
    loose: list[Item] = field(default_factory=list)
    """Modifiers and states, where no finding heads the phrase."""

    @property
    def attribute(self) -> bool:
        """Whether its only anatomy is a side or a part (``clear bilaterally``, ``normal size``)."""
        return bool(self.places) and self.places[0].role in {SIDE, PART}


def read_phrase(items: list[Item], links: list[Link]) -> Phrase:
    """Finds the heads of a run of entities and adds the relations within it to ``links``."""
    phrase = Phrase()
    phrase.heads = _heads(items, links)
    _read_anatomy([item for item in items if item.is_anatomy], phrase, links)
    qualifiers = [item for item in items if item.role in {MODIFIER, STATE, MEASURE}]
    if phrase.heads:
        _attach_qualifiers(items, phrase.heads, links)
        for head in phrase.heads:
            links.extend((head, LOCATED_AT, place) for place in phrase.places[-MAX_PLACES:])
    else:
        phrase.loose = _chain_states(qualifiers, links)
        if not phrase.attribute:
            for item in phrase.loose:
                links.extend((item, LOCATED_AT, place) for place in phrase.places[-MAX_PLACES:])
    return phrase


def _heads(items: list[Item], links: list[Link]) -> list[Item]:
    """Findings and devices; of ``cholecystectomy clips`` the first qualifies the second."""
    heads: list[Item] = []
    for item in items:
        before = heads[-1] if heads else item
        if item.role == before.role == DEVICE and before.end == item.start - 1:
            links.append((heads.pop(), MODIFY, item))
        if item.role in {FINDING, DEVICE}:
            heads.append(item)
    return heads


def _attach_qualifiers(items: list[Item], heads: list[Item], links: list[Link]) -> None:
    """Each modifier belongs to the next finding of its phrase, or to the last one.

    Before an abstract noun a finding qualifies too (``emphysematous change``).
    """
    if heads[-1].concept in ABSTRACT:
        links.extend((item, MODIFY, heads[-1]) for item in heads[:-1])
    following: Item | None = None
    after: Item | None = None
    for item in reversed(items):
        if item.role in {FINDING, DEVICE}:
            following = item
        elif item.role in {MODIFIER, STATE, MEASURE}:
            target = after if after is not None and _grades(item, after) else following
            links.append((item, MODIFY, target or heads[-1]))
        after = item


def _grades(item: Item, after: Item) -> bool:
    """``Minimally displaced``, ``more prominent``: an adverb belongs to the adjective after it.

    So does what precedes ``resolution`` (``complete resolution``).
    """
    adverb = item.word.endswith("ly") or item.word in _DEGREES or after.concept == "resolved"
    adjacent = after.start == item.end + 1 and after.role in {MODIFIER, STATE}
    return item.role == MODIFIER and adverb and adjacent


def _chain_states(qualifiers: list[Item], links: list[Link]) -> list[Item]:
    """``Mildly enlarged``: the modifier qualifies the state; what is left stands alone."""
    alone = []
    for index, item in enumerate(qualifiers):
        after = qualifiers[index + 1] if index + 1 < len(qualifiers) else None
        if after is not None and after.role == STATE and item.role == MODIFIER:
            links.append((item, MODIFY, after))
        else:
            alone.append(item)
    return alone


def _read_anatomy(anatomy: list[Item], phrase: Phrase, links: list[Link]) -> None:
    """``Right lower lobe``: right and lower modify lobe; ``heart size``: size modifies heart.

    An adjective qualifies the noun after it (``pulmonary arteries``), and sides go to the noun;
    after a noun an adjective begins another place (``right upper lobe pulmonary nodule``).
    """
    heads: list[Item] = []
    sides: list[Item] = []
    for item in anatomy:
        head = heads[-1] if heads else None
        if item.role == SIDE:
            sides.append(item)
        elif item.role == PART and head is not None and head.role == STRUCTURE:
            links.append((item, MODIFY, head))
            phrase.parts.append(item)
        else:
            if head is not None and item.is_adjective and not head.is_adjective:
                links.extend((side, MODIFY, head) for side in sides)
                sides = []
            elif head is not None:
                links.append((heads.pop(), MODIFY, item))
            heads.append(item)
            if item.role == PART:
                phrase.parts.append(item)
    if not heads and _are_compared(sides):
        phrase.places = sides
        return
    if heads:
        links.extend((side, MODIFY, heads[-1]) for side in sides)
    else:
        heads = [one for one in [_head_of_sides(sides, links)] if one is not None]
    phrase.places = heads


def _head_of_sides(sides: list[Item], links: list[Link]) -> Item | None:
    """Of ``right basilar`` alone, the last is the place and the others modify it."""
    if not sides:
        return None
    links.extend((side, MODIFY, sides[-1]) for side in sides[:-1])
    return sides[-1]


def _are_compared(sides: list[Item]) -> bool:
    """``Left greater than right``."""
    return {"left", "right"} <= {side.concept for side in sides}
