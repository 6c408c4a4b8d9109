"""Which observations of a sentence are present, absent or uncertain.

Triggers before an observation (``no``, ``possible``), after it (``is not seen``, ``cannot be
excluded``) and look-alikes that mean neither (``no change``), within clauses.
"""

from __future__ import annotations

from itertools import pairwise

from radpair.graphs.match import DISTANCE, ENTITY_ROLES, MEASURE, Item
from radpair.graphs.schema import (
    ABSENT,
    ANATOMY,
    MEASURED_ANATOMY,
    MEASURED_OBSERVATION,
    PRESENT,
    UNCERTAIN,
)
from radpair.graphs.terms import DEVICE, FINDING, STATE

_NOTHING = ""
_JOINS = frozenset({"comma", "and", "or", "break", "versus"})
_WALLS = frozenset(
    {"negation", "uncertainty", "suggest_uncertain", "suggest_present", "break", "unstated"}
    | {"resolution"}
    | {"negation_after", "uncertainty_after"}
)
_ANSWERS = frozenset({"none", "absent", "no", "negative"})
"""Words that deny what stands before them where nothing follows (``Effusion: none``)."""
_COURSES = frozenset(
    {"stable", "unchanged", "persistent", "mild", "mildly", "small", "moderate", "minimal", "trace"}
    | {"tiny", "slight", "subtle", "faint", "stably", "chronic", "new", "worsening", "increased"}
)
_POSTPOSED = frozenset({"?", "possible", "probable", "likely", "questionable", "suspected"})
_COMPARING = frozenset({"change", "progression", "worsening", "improvement"})
_COMPARING_WORDS = frozenset({"increased", "decreased"})


def assign(items: list[Item]) -> None:
    """Sets ``clause`` and ``status`` of every item, in place; linear in their number."""
    _read_answers(items)
    _split_clauses(items)
    start = 0
    for index in range(1, len(items) + 1):
        if index == len(items) or items[index].clause != items[start].clause:
            _Clause(items[start:index]).assign()
            start = index


def _read_answers(items: list[Item]) -> None:
    """``Edema: negative``: a denial, where ``negative chest`` is a state."""
    for before, item in pairwise(items):
        if item.concept == "negative" and before.word == ":":
            item.role = "negation"


def _split_clauses(items: list[Item]) -> None:
    opens = _openings(items)
    clause = 0
    complete = observed = False
    for index, item in enumerate(items):
        opening = opens[index]
        answered = item.word == ":" and _is_answer(items, index)
        if (
            (item.role == "break" and not answered)
            or (opening and complete)
            or (opening == "anatomy" and observed)
        ):
            clause += 1
            complete = observed = False
        complete = complete or item.role in {"verb", "seen", "negation"}
        observed = observed or item.role in {FINDING, STATE, DEVICE}
        item.clause = clause


def _is_answer(items: list[Item], index: int) -> bool:
    """Whether only a negation or a doubt follows, as in ``Pneumothorax: none``."""
    following = items[index + 1 : index + 4]
    roles = [item.role for item in following]
    stop = next((i for i, role in enumerate(roles) if role in {"break", "comma"}), len(roles))
    return bool(roles[:stop]) and not ENTITY_ROLES.intersection(roles[:stop])


def _openings(items: list[Item]) -> list[str]:
    """For every comma and ``and``: what kind of new statement follows it, if one does."""
    opens = [""] * len(items)
    subject = following = ""
    has_verb = has_observation = perceived = False
    for index in range(len(items) - 1, -1, -1):
        item = items[index]
        if item.role in _JOINS:
            states = has_verb and subject
            carried = following and subject == "anatomy" and not has_observation
            empty = not subject and not has_verb
            opening = subject if states or carried else (following if empty else "")
            if item.role in {"comma", "and"}:
                opens[index] = opening
            following = opening if item.role in {"comma", "and"} else ""
            subject, has_verb, has_observation, perceived = "", False, False, False
        elif item.role == "seen":
            perceived = True
        elif item.role == "verb":
            has_verb = has_verb or not perceived
            subject, has_observation = "", False
        elif item.role in {"negation", "uncertainty"}:
            following = ""
            has_verb = False
        elif item.is_anatomy:
            perceived = False
            subject = "anatomy" if subject != "observation" else subject
        elif item.role in ENTITY_ROLES:
            subject = "observation"
            has_observation, perceived = True, False
    return opens


class _Clause:
    """One pass from left to right with the status that the last trigger gave."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items
        self.mode = PRESENT
        self.sticky = False
        self.negated = False
        self.introduced = False
        self.wall = 0
        self.lists = _or_lists(items)

    def assign(self) -> None:
        """Gives every entity the status that the words before and behind it decide."""
        for index, item in enumerate(self.items):
            if item.role in ENTITY_ROLES:
                self._enter(index, item)
            else:
                self._turn(index, item)

    def _enter(self, index: int, item: Item) -> None:
        if self.mode == _NOTHING:
            return
        if item.is_anatomy:
            item.status = ANATOMY
            return
        if item.concept == "resolved":
            item.status = PRESENT
            return
        item.status = self.mode
        if item.role == MEASURE and self.mode == PRESENT:
            distance = item.concept == DISTANCE
            item.status = MEASURED_ANATOMY if distance else MEASURED_OBSERVATION
        if self.mode == ABSENT:
            self.negated = self.negated or item.role != "modifier"
            if self._compares(index, item):
                self.mode = PRESENT

    def _compares(self, index: int, item: Item) -> bool:
        """``No change in the small effusion``: the negation ends with the comparing word."""
        if item.concept not in _COMPARING and item.concept not in _COMPARING_WORDS:
            return False
        after = self.items[index + 1 : index + 2]
        return bool(after) and after[0].role == "preposition"

    def _turn(self, index: int, item: Item) -> None:
        role = item.role
        if role == "negation" and item.word in _ANSWERS and self._ends(index):
            self._look_back(index, ABSENT)
        elif role in {"negation", "resolution"}:
            self._set(ABSENT, index)
        elif role == "uncertainty":
            self._doubt_ahead(index)
        elif role == "introduction":
            self.introduced = True
        elif role == "suggest_uncertain":
            self._doubt(index, sticky=True)
        elif role == "suggest_present":
            self.wall = index
        elif role == "unstated":
            self._set(_NOTHING, index)
        elif role == "negation_after":
            self._look_back(index, ABSENT)
        elif role == "uncertainty_after":
            self._doubt_behind(index, item)
        elif role == "versus":
            self._doubt_before(index)
            self._doubt(index, sticky=False)
        elif role in {"comma", "and", "with"}:
            self._loosen(index, role)
            if self.introduced and role == "comma":
                self.introduced, self.wall = False, index

    def _set(self, mode: str, index: int) -> None:
        self.mode, self.sticky, self.negated, self.wall = mode, False, False, index

    def _doubt_ahead(self, index: int) -> None:
        """``Possible pneumonia``; with nothing after it, of what stands before."""
        trigger = self.items[index]
        if trigger.word == "?" and not self._touches(index):
            return
        if trigger.word in _POSTPOSED and self._ends(index) and self.wall < index:
            self._look_back(index, UNCERTAIN)
        else:
            self._doubt(index, sticky=False)

    def _touches(self, index: int) -> bool:
        """Whether an entity stands right beside: ``?pneumonia``, but not ``39 ? C``."""
        at = self.items[index].start
        near = self.items[max(index - 1, 0) : index + 2]
        return any(x.role in ENTITY_ROLES and (x.end == at - 1 or x.start == at + 1) for x in near)

    def _ends(self, index: int) -> bool:
        """Whether no entity follows in the clause."""
        return all(item.role not in ENTITY_ROLES for item in self.items[index + 1 : index + 4])

    def _doubt_behind(self, index: int, item: Item) -> None:
        """``Is likely`` of what stands before, or, before a finding, ``is likely pneumonia``."""
        following = self.items[index + 1 : index + 6]
        named = next((i for i, one in enumerate(following) if one.role not in ENTITY_ROLES), 6)
        if item.word not in {"likely", "probable"} or not following or named == 0:
            self._look_back(index, UNCERTAIN)
        elif any(one.role in {FINDING, DEVICE} for one in following[:named]):
            item.role = "suggest_uncertain"
            self._doubt(index, sticky=True)
        else:
            self._doubt(index, sticky=False)

    def _doubt(self, index: int, *, sticky: bool) -> None:
        if self.mode in {PRESENT, UNCERTAIN}:
            self._set(UNCERTAIN, index)
            self.sticky = sticky

    def _loosen(self, index: int, role: str) -> None:
        ends_doubt = self.mode == UNCERTAIN and not self.sticky and not self.lists[index]
        ends_negation = self.mode == ABSENT and self.negated
        ends_negation = ends_negation and (role == "with" or self._states_anew(index))
        if ends_doubt or ends_negation or (self.mode == _NOTHING and role == "comma"):
            self._set(PRESENT, index)

    def _states_anew(self, index: int) -> bool:
        """``No effusion, mild edema``: what has a degree or a course is no item of the list."""
        after = self.items[index + 1 : index + 2]
        return bool(after) and after[0].word in _COURSES and not self.lists[index]

    def _look_back(self, index: int, status: str) -> None:
        """Applies a trigger to what stands before it, or, with nothing there, to what follows."""
        found = False
        for item in self.items[self._segment(index) : index]:
            if item.status and not item.is_anatomy:
                item.status = status
                found = True
        if not found:
            self._set(status, index)
        self.wall = index

    def _segment(self, index: int) -> int:
        """``The tube courses below, tip not seen``: after a verb, a comma begins the segment."""
        start = self.wall
        has_verb = False
        for at in range(self.wall, index):
            role = self.items[at].role
            has_verb = has_verb or role == "verb"
            if role == "comma" and has_verb:
                start = at
        return start

    def _doubt_before(self, index: int) -> None:
        """``Atelectasis versus pneumonia``: the first is as uncertain as the second."""
        for at in range(index - 1, self.wall - 1, -1):
            item = self.items[at]
            if item.role in {"comma", "and", "verb", "preposition"} or item.role in _WALLS:
                break
            if item.status == PRESENT:
                item.status = UNCERTAIN
        self.wall = index


def _or_lists(items: list[Item]) -> list[bool]:
    """For every item: whether the list that goes on here ends in ``or`` or ``versus``."""
    lists = [False] * len(items)
    inside = False
    for index in range(len(items) - 1, -1, -1):
        role = items[index].role
        if role in {"or", "versus"}:
            inside = True
        elif role in {"verb", "and"} or role in _WALLS:
            inside = False
        lists[index] = inside
    return lists
