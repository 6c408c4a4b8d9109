"""Relations of one sentence: ``modify``, ``located_at`` and ``suggestive_of`` by its grammar.

Noun phrases are read first (``phrases``); then what stands between them (prepositions, verbs,
lists, ``may represent``) says how they belong together.
"""

from __future__ import annotations

from radpair.graphs.match import DISTANCE, ENTITY_ROLES, Item
from radpair.graphs.phrases import ABSTRACT, MAX_GAP, Link, Phrase, read_phrase
from radpair.graphs.schema import LOCATED_AT, MODIFY, SUGGESTIVE_OF
from radpair.graphs.terms import DEVICE, FINDING, MODIFIER, PART, SIDE, STATE, STRUCTURE

_TRANSPARENT = frozenset({"pseudo", "uncertainty", "resolution"})
_SHAPES = frozenset({"contour", "silhouette", "size"})
_RECENT = 32
"""Links that may still be moved to the whole of which a part was named first."""
_LIST_LIMIT = 24
"""At most this many members of a list share one location, so that work stays linear."""


def relate(items: list[Item]) -> list[Link]:
    """All relations between the items that are entities, each once, in a fixed order."""
    links: list[Link] = []
    start = 0
    sources: list[Item] = []
    places: list[Item] = []
    for index in range(1, len(items) + 1):
        if index == len(items) or items[index].clause != items[start].clause:
            clause = _Clause(links, sources)
            clause.read(items[start:index])
            clause.finish(places)
            sources = clause.group or clause.subjects or sources
            places = clause.subject_places or clause.places or places
            start = index
    return _unique(links)


def _unique(links: list[Link]) -> list[Link]:
    seen: set[tuple[int, int]] = set()
    kept = []
    for link in links:
        source, _, target = link
        key = (source.start, target.start)
        if source is not target and source.status and target.status and key not in seen:
            seen.add(key)
            kept.append(link)
    return kept


def _takes_part(place: Item) -> bool:
    """Whether a part at the end of a list is shared: ``heart and mediastinal contours``."""
    return place.is_adjective or place.concept == "heart"


class _Clause:
    """Reads phrases from left to right and joins each to what stands before it."""

    def __init__(self, links: list[Link], sources: list[Item]) -> None:
        self.links = links
        self.group: list[Item] = []
        """Observations that the sentence is speaking of."""
        self.places: list[Item] = []
        """Anatomy that it is speaking of."""
        self.subjects: list[Item] = []
        """Observations before the verb."""
        self.subject_places: list[Item] = []
        """Anatomy before the verb."""
        self.pending: list[Item] = []
        """Modifiers and states that wait for what they qualify."""
        self.unsaid: list[Item] = []
        """Of these, what a negation cut off."""
        self.suggesting: list[Item] = []
        self.earlier = sources
        self.joint = ""
        self.bare: list[Item] = []
        """Anatomy listed before the finding it shares (``hilar or mediastinal adenopathy``)."""
        self.last_loose: list[Item] = []
        """Modifiers read last, the sides that came with them, and where their relations begin."""
        self.last_sides: list[Item] = []
        self.mark = 0
        self.holders: list[Item] = []
        """Observations that the last anatomy is a place of; a list of anatomy goes on with them."""
        self.bearers: list[Item] = []
        """Anatomy that the last attribute belongs to (``normal in size and contour``)."""
        self.hanging: Item | None = None
        """A part given to the place before it, until ``of`` names its own whole."""
        self.distances: list[Item] = []
        """Measured from an anatomy that is still to be named."""
        self.preposition = ""
        """The last word between two phrases."""
        self.whole: list[Item] = []
        """Listed anatomy that still lacks a part (``cardiac and mediastinal contours``)."""

    def read(self, items: list[Item]) -> None:
        """Takes the items of a clause, in their order."""
        run: list[Item] = []
        for item in items:
            if item.role in ENTITY_ROLES:
                if not item.status:
                    continue
                if run and item.start - run[-1].end > MAX_GAP:
                    self._close(run)
                    run = []
                if item.concept == DISTANCE:
                    self._close(run)
                    run = []
                    self.distances.append(item)
                    self.joint = "preposition"
                else:
                    run.append(item)
            elif item.role not in _TRANSPARENT:
                self._close(run)
                run = []
                self.preposition = item.word
                self._join(item.role)
            elif item.role == "uncertainty" and any(x.role in {FINDING, DEVICE} for x in run):
                self._close(run)
                run = []
        self._close(run)

    def finish(self, earlier_places: list[Item]) -> None:
        """A state without a subject takes the last: ``lungs are hazy but clear of effusion``."""
        states = [item for item in self.unsaid + self.pending if item.role == STATE]
        self._say_of(states, [], earlier_places)

    def _close(self, run: list[Item]) -> None:
        if not run:
            return
        phrase = read_phrase(run, self.links)
        joint, self.joint = self.joint, ""
        if phrase.heads:
            self._take_finding(phrase, joint)
        elif phrase.loose:
            self._take_state(phrase, joint)
        else:
            self._take_anatomy(phrase, joint)

    def _join(self, role: str) -> None:
        """Remembers what stands between two phrases."""
        if role not in {"comma", "and", "or"}:
            self.bare = []
        if role in {"verb", "seen"}:
            if role == "verb":
                self.subjects, self.subject_places = self.group, self.places
                self.group, self.places = [], []
            self.joint = role
        elif role in {"suggest_uncertain", "suggest_present"}:
            self._suggest()
        elif role == "negation":
            self._negate()
        elif role == "break":
            self.group, self.places, self.pending, self.joint = [], [], [], ""
        else:
            self.joint = role

    def _suggest(self) -> None:
        told = self.group or self.subjects or self.pending or self.earlier
        if self.subjects and all(item.role in {STATE, MODIFIER} for item in told):
            told = self.subjects
        self.suggesting = told
        if self.group or self.places:
            self.subjects = self.group
            self.subject_places = [] if self.group else self.places
        self.group, self.places, self.pending = [], [], []
        self.joint = "suggest"

    def _negate(self) -> None:
        if self.joint != "verb":
            self.unsaid = [*self.unsaid[-_LIST_LIMIT:], *self.pending]
            self.group, self.places, self.pending, self.bare = [], [], [], []
            self.subjects, self.subject_places = [], []
            self.joint = "negation"

    def _take_finding(self, phrase: Phrase, joint: str) -> None:
        heads = phrase.heads
        if joint == "preposition" and self.last_loose:
            joint = self._take_back(joint)
        elif joint in {"and", "or", "comma"} and self.last_sides:
            self._share_finding(phrase)
        self.last_loose, self.last_sides = [], []
        if self.pending:
            waiting, self.pending = self.pending, []
            self.links.extend((item, MODIFY, heads[0]) for item in waiting)
        if self.suggesting:
            for source in self.suggesting[-4:]:
                self.links.extend((source, SUGGESTIVE_OF, head) for head in heads)
        listed = joint in {"comma", "and", "or", "versus"}
        if not phrase.places:
            self._inherit_place(heads, joint)
        elif listed:
            self.links.extend((head, LOCATED_AT, at) for head in heads for at in self.bare)
        self.bare = []
        if joint == "preposition":
            self._qualify_from(heads)
        self.group = [*self.group[-_LIST_LIMIT:], *heads] if listed else heads
        self.places, self.holders = phrase.places, []

    def _share_finding(self, phrase: Phrase) -> None:
        """``Moderate left and small right pleural effusion``: the effusion is both."""
        loose, sides = self.last_loose, self.last_sides
        taken = {id(item) for item in loose}
        self.links[self.mark :] = [x for x in self.links[self.mark :] if id(x[0]) not in taken]
        self.pending = [*self.pending[-_LIST_LIMIT:], *loose]
        whole = phrase.places[-1] if phrase.places else None
        for side in sides:
            if whole is None or whole.role == SIDE:
                self.links.append((phrase.heads[0], LOCATED_AT, side))
            else:
                self.links.append((side, MODIFY, whole))

    def _take_back(self, joint: str) -> str:
        """``The lungs show areas of edema``: the areas are the edema's, not the lungs'."""
        loose = self.last_loose
        if any(item.role != MODIFIER for item in loose):
            return joint
        taken = {id(item) for item in loose}
        self.links[self.mark :] = [x for x in self.links[self.mark :] if id(x[0]) not in taken]
        if self.pending[-len(loose) :] != loose:
            self.pending = [*self.pending, *loose]
        if self.group == loose:
            self.group = []
        return "verb" if self.subject_places else joint

    def _inherit_place(self, heads: list[Item], joint: str) -> None:
        """The lungs show opacities: what the verb or ``with`` tells of the anatomy before it."""
        places: list[Item] = []
        if joint == "verb" or (joint in {"comma", "and", "or"} and self.subject_places):
            places = self.subject_places
        elif joint in {"with", "negation"} and not self.group:
            places = self.places
        for head in heads:
            self.links.extend((head, LOCATED_AT, place) for place in places[-_LIST_LIMIT:])

    def _qualify_from(self, heads: list[Item]) -> None:
        """``Worsening of the effusion``: the abstract noun qualifies the finding."""
        for item in self.group[-1:]:
            if item.concept in ABSTRACT:
                self.links.append((item, MODIFY, heads[0]))

    def _take_state(self, phrase: Phrase, joint: str) -> None:
        """States and modifiers without a finding: they speak of the subject or wait."""
        loose = phrase.loose
        self.last_loose, self.mark, self.bare = loose, len(self.links), []
        sided = phrase.places and all(place.role == SIDE for place in phrase.places)
        qualified = all(item.role == MODIFIER for item in loose)
        self.last_sides = phrase.places if sided and qualified else []
        if phrase.attribute and (
            self._compares_sides(phrase, joint) or self._qualifies_anatomy(phrase, joint)
        ):
            return
        if phrase.places:
            if phrase.attribute:
                self.links.extend((i, LOCATED_AT, p) for i in loose for p in phrase.places[-4:])
            listed = joint in {"comma", "and", "or"}
            self.links.extend(
                (i, LOCATED_AT, place) for i in self.pending for place in phrase.places
            )
            loose, self.pending = [*self.pending, *loose], []
            self.places = [*self.places, *phrase.places] if listed else phrase.places
            self.group = [*self.group[-_LIST_LIMIT:], *loose] if listed else loose
            self.holders = loose
            self._await_part(phrase, listed=listed)
            return
        told = joint != "suggest" or loose[-1].role == STATE
        if told and (self.subjects or self.subject_places):
            self._say_of_subject(loose)
        elif joint in {"", "negation", "suggest"} or not (self.group or self.places):
            self.pending = [*self.pending[-_LIST_LIMIT:], *loose]
            return
        else:
            self._say_of(loose, self.group, self.places)
        if not self.group or loose[-1].concept == "tip":
            self.group = loose

    def _compares_sides(self, phrase: Phrase, joint: str) -> bool:
        """``Small effusions, left greater than right``: both sides are the effusions'."""
        group = self.subjects or self.group
        if joint not in {"comma", "verb", "and", ""} or len(phrase.places) < 2 or not group:
            return False
        self._say_of(phrase.loose, group, [])
        for item in group[-_LIST_LIMIT:]:
            self.links.extend((item, LOCATED_AT, place) for place in phrase.places)
        return True

    def _qualifies_anatomy(self, phrase: Phrase, joint: str) -> bool:
        """``Lungs are clear bilaterally``; ``heart of normal size``."""
        before = self.places if joint == "preposition" else []
        bearers = before or (self.subject_places if not self.subjects else [])
        if not bearers:
            return False
        self.bearers = bearers[-_LIST_LIMIT:]
        for bearer in self.bearers:
            self.links.extend((place, MODIFY, bearer) for place in phrase.places)
            self.links.extend((item, LOCATED_AT, bearer) for item in phrase.loose)
        self.group, self.places = phrase.loose, self.bearers
        return True

    def _say_of_subject(self, loose: list[Item]) -> None:
        self._say_of(loose, self.subjects, self.subject_places)

    def _say_of(self, loose: list[Item], group: list[Item], places: list[Item]) -> None:
        for item in loose:
            if group:
                self.links.extend((item, MODIFY, head) for head in group[-_LIST_LIMIT:])
            else:
                self.links.extend((item, LOCATED_AT, place) for place in places[-_LIST_LIMIT:])

    def _take_anatomy(self, phrase: Phrase, joint: str) -> None:
        self.last_loose, self.last_sides = [], []
        bare = [] if phrase.parts or joint in {"preposition", "verb", "with"} else phrase.places
        self.bare = [*self.bare[-_LIST_LIMIT:], *bare] if bare else []
        places = phrase.places
        if joint == "preposition":
            self._locate(phrase)
            return
        listed = joint in {"comma", "and", "or"} and bool(self.places)
        if listed and self.bearers and phrase.parts and phrase.parts[0] in places:
            self.links.extend((places[0], MODIFY, bearer) for bearer in self.bearers)
        elif listed:
            self._share(phrase)
            self.places = [*self.places[-_LIST_LIMIT:], *places]
        else:
            self.links.extend(
                (item, LOCATED_AT, place) for item in self.pending for place in places
            )
            if self.pending:
                self.group, self.pending = self.pending, []
            self.places = places
            self._await_part(phrase, listed=False)

    def _share(self, phrase: Phrase) -> None:
        """Lists of anatomy: a location, a state before the list, and a last part are shared."""
        for item in self.holders[-_LIST_LIMIT:]:
            self.links.extend((item, LOCATED_AT, place) for place in phrase.places)
        if phrase.parts and phrase.parts[-1] not in phrase.places:
            part = phrase.parts[-1]
            shaped = part.concept in _SHAPES
            self.links.extend((part, MODIFY, p) for p in self.whole if p.is_adjective or shaped)
            self.whole = []
        else:
            self._await_part(phrase, listed=True)

    def _await_part(self, phrase: Phrase, *, listed: bool) -> None:
        whole = [] if phrase.parts else [p for p in phrase.places if _takes_part(p)]
        self.whole = [*self.whole[-_LIST_LIMIT:], *whole] if listed else whole

    def _locate(self, phrase: Phrase) -> None:
        """``Opacity in the left base``; ``size of the heart``; ``normal in size``."""
        places = phrase.places
        if self.distances:
            self.links.extend((item, MODIFY, places[-1]) for item in self.distances)
            self.distances = []
        elif self._is_part_of(phrase):
            return
        group = self.group or self.pending or self.subjects
        attribute = bool(phrase.parts) and phrase.parts[0] in places
        if attribute and self.subject_places and not self.subjects:
            self.bearers = self.subject_places[-_LIST_LIMIT:]
            self.links.extend((places[0], MODIFY, bearer) for bearer in self.bearers)
            self.places = self.subject_places
            return
        if group:
            for item in group[-_LIST_LIMIT:]:
                self.links.extend((item, LOCATED_AT, place) for place in places)
            if self.pending and not self.group:
                self.group, self.pending = self.pending, []
            self.holders = group
        elif self.places:
            self.links.extend((item, MODIFY, places[0]) for item in self.places[-1:])
        self.places = places

    def _is_part_of(self, phrase: Phrase) -> bool:
        """``The apical segment of the lobe``, ``bony structures of the thorax``: one place."""
        if not self.places:
            return False
        last, new = self.places[-1], phrase.places[-1]
        if new.role == PART and last.role == STRUCTURE:
            self.links.append((new, MODIFY, last))
            self.hanging = new
            return True
        hanging, self.hanging = self.hanging, None
        if self.preposition != "of" or new.role != STRUCTURE:
            return False
        if hanging is not None:
            return self._hang_over(hanging, new)
        if last.role == PART and last.status:
            self.links[-_RECENT:] = [
                (source, kind, new if kind == LOCATED_AT and target is last else target)
                for source, kind, target in self.links[-_RECENT:]
            ]
            self.links.append((last, MODIFY, new))
            self.places = [*self.places[:-1], new]
            return True
        if any(
            kind == MODIFY and target is last and source.role == PART
            for source, kind, target in self.links[-_RECENT:]
        ):
            self.links.append((new, MODIFY, last))
            return True
        return False

    def _hang_over(self, part: Item, whole: Item) -> bool:
        """``In the midlung, in the apical segment of the lobe``: a place of its own after all."""
        self.links[-_RECENT:] = [
            (source, kind, whole if source is part and kind == MODIFY else target)
            for source, kind, target in self.links[-_RECENT:]
        ]
        group = self.group or self.pending or self.subjects
        self.links.extend((item, LOCATED_AT, whole) for item in group[-_LIST_LIMIT:])
        self.places, self.holders = [whole], group
        return True
