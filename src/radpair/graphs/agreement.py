"""Agreement of two sources of graphs on the same reports: precision, recall, F1, disagreements.

Tokens are aligned by the characters of the two texts that are no blanks, so ``4.5`` and ``4 . 5``
are the same span; punctuation at the ends of a span does not count, so ``effusion.`` and
``effusion`` are the same. Counts are summed over reports before a ratio is taken (micro-average).

An entity agrees where span and label do (Jain et al. 2021, "RadGraph"). A relation is counted in
the two ways that are in use: ``relations`` asks for the spans of both ends and the type (the
boundaries evaluation), ``strict_relations`` also for the labels of both ends (the strict
evaluation).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from radpair.errors import GraphError
from radpair.graphs.schema import ENTITY_LABELS, RELATION_TYPES
from radpair.records import Entity, Graph

MISSED, SPURIOUS = "missed", "spurious"
OTHER_LABEL, BOUNDARIES = "other label", "boundaries"
OTHER_TYPE, OTHER_DIRECTION = "other type", "other direction"

PUNCTUATION = (
    ".,;:!?'\"()[]{}/-"
    "\u2010\u2011\u2013\u2014\u2018\u2019\u201c\u201d\u2026"  # hyphens, dashes, quotes, dots
)
"""Does not count at the ends of a span; signs that say something of their own (``%``) do."""
_SHOWN = 30
"""Characters of each text in the message about texts that differ."""


@dataclass(frozen=True, slots=True)
class Score:
    """How many the reference has, how many were found, and how many of these agree."""

    reference: int = 0
    found: int = 0
    matched: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.reference + other.reference,
            self.found + other.found,
            self.matched + other.matched,
        )

    @property
    def precision(self) -> float | None:
        """Of what was found, the share that agrees; None where nothing was found."""
        return self.matched / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        """Of the reference, the share that was found; None where the reference has nothing."""
        return self.matched / self.reference if self.reference else None

    @property
    def f1(self) -> float | None:
        """The harmonic mean of the two; None where neither side has anything."""
        both = self.reference + self.found
        return 2 * self.matched / both if both else None

    def as_json(self) -> dict[str, Any]:
        """JSON values; a ratio without a denominator is null."""
        counts = {"reference": self.reference, "found": self.found, "matched": self.matched}
        return {**counts, "precision": self.precision, "recall": self.recall, "f1": self.f1}


class Disagreement(NamedTuple):
    """One way in which the two sources differ; empty strings on the side that has nothing."""

    kind: str
    """``missed``, ``spurious``; of entities ``other label``, ``boundaries``; of relations
    ``other type``, ``other direction``."""
    reference_words: str
    """In lower case; a relation's are ``source words → target words``."""
    reference_label: str
    """An entity's label, or a relation's type."""
    found_words: str
    found_label: str


@dataclass(frozen=True, slots=True)
class Often:
    """A disagreement, how often it occurs, and the first report that has it."""

    disagreement: Disagreement
    count: int
    example: str

    def as_json(self) -> dict[str, Any]:
        """JSON values: the disagreement's fields, ``count`` and ``example``."""
        return {**self.disagreement._asdict(), "count": self.count, "example": self.example}


@dataclass(frozen=True, slots=True)
class Agreement:
    """What ``compare`` found; the reference is the first source, ``found`` the second."""

    reports: int
    entities: Score
    spans: Score
    relations: Score
    strict_relations: Score
    by_label: Mapping[str, Score]
    """By entity label, for those that occur."""
    by_type: Mapping[str, Score]
    """``relations`` by type, for those that occur."""
    entity_disagreements: tuple[Often, ...]
    """The most frequent first."""
    relation_disagreements: tuple[Often, ...]
    only_reference: tuple[str, ...]
    """Ids of reports that only the first source has; they are not compared."""
    only_found: tuple[str, ...]
    other_text: tuple[str, ...]
    """Ids of reports left out because their texts differ."""

    def as_json(self) -> dict[str, Any]:
        """JSON values; a ratio without a denominator is null."""
        totals = {
            name: getattr(self, name).as_json()
            for name in ("entities", "spans", "relations", "strict_relations")
        }
        return {
            "reports": self.reports,
            **totals,
            "by_label": {name: score.as_json() for name, score in self.by_label.items()},
            "by_type": {name: score.as_json() for name, score in self.by_type.items()},
            "entity_disagreements": [item.as_json() for item in self.entity_disagreements],
            "relation_disagreements": [item.as_json() for item in self.relation_disagreements],
            "only_reference": list(self.only_reference),
            "only_found": list(self.only_found),
            "other_text": list(self.other_text),
        }


def compare(
    reference: Mapping[str, Graph], found: Mapping[str, Graph], skip_other_text: bool = False
) -> Agreement:
    """How far ``found`` agrees with ``reference`` on the reports that both have, by report id.

    Raises ``GraphError`` where no report is in both, or where the two texts of a report are not the
    same but for blanks and case, naming the report and the first difference; with
    ``skip_other_text`` such reports are left out and listed instead.
    """
    shared = [report_id for report_id in reference if report_id in found]
    if not shared:
        raise GraphError(
            f"the two sources share no report id (one has '{next(iter(reference), 'none')}', the "
            f"other '{next(iter(found), 'none')}'); key both by the same ids"
        )
    tally = _Tally()
    other_text = []
    for report_id in shared:
        difference = first_difference(reference[report_id].text, found[report_id].text)
        if not difference:
            tally.add(report_id, reference[report_id], found[report_id])
        elif skip_other_text:
            other_text.append(report_id)
        else:
            raise GraphError(
                f"report '{report_id}': the two sources do not hold the same text, {difference}; "
                "compare graphs of the same texts, or skip those reports"
            )
    return tally.agreement(
        len(shared) - len(other_text),
        tuple(report_id for report_id in reference if report_id not in found),
        tuple(report_id for report_id in found if report_id not in reference),
        tuple(other_text),
    )


def first_difference(one: str, other: str) -> str:
    """Where two texts first differ, blanks and case aside, in words; empty where they do not."""
    left, right = _characters(one), _characters(other)
    if left == right:
        return ""
    shorter = min(len(left), len(right))
    places = (at for at in range(shorter) if not _same(left[at], right[at]))
    at = next(places, shorter)
    if at == len(left) == len(right):
        return ""
    shown = [repr(text[at : at + _SHOWN]) if text[at:] else "the end" for text in (left, right)]
    return f"at character {at + 1} (blanks aside) one has {shown[0]} and the other {shown[1]}"


def _characters(text: str) -> str:
    return "".join(text.split())


def _same(one: str, other: str) -> bool:
    return one == other or one.lower() == other.lower()


class _Span(NamedTuple):
    """Characters of a text without blanks, the second one exclusive."""

    start: int
    end: int


def spans(graph: Graph) -> list[_Span]:
    """Where each entity stands, counted in characters of the text that are no blanks.

    Punctuation at its ends is left out, unless there is nothing else.
    """
    starts = [0]
    for token in graph.text.split(" "):
        starts.append(starts[-1] + len(_characters(token)))
    characters = _characters(graph.text)
    return [
        _bare(characters, starts[entity.start], starts[entity.end + 1]) for entity in graph.entities
    ]


def _bare(characters: str, start: int, end: int) -> _Span:
    inside = characters[start:end]
    left = len(inside) - len(inside.lstrip(PUNCTUATION))
    if left == len(inside):
        return _Span(start, end)
    return _Span(start + left, start + len(inside.rstrip(PUNCTUATION)))


_Named = tuple[_Span, str, str]
"""An entity: its span, its label and its words in lower case."""


class _Tally:
    """Sums over reports."""

    def __init__(self) -> None:
        self.totals: Counter[str] = Counter()
        self.labels: dict[str, Score] = {}
        self.types: dict[str, Score] = {}
        self.entities: Counter[Disagreement] = Counter()
        self.relations: Counter[Disagreement] = Counter()
        self.examples: dict[Disagreement, str] = {}
        self.spans = self.strict = Score()

    def add(self, report_id: str, reference: Graph, found: Graph) -> None:
        """Counts one report that both sources have."""
        sides = (_Side(reference), _Side(found))
        one, other = sides
        self.spans += _score(one.spans, other.spans)
        self.strict += _score(one.strict_relations, other.strict_relations)
        _score_by(self.labels, one.entities, other.entities)
        _score_by(self.types, one.relations, other.relations)
        told = [
            (self.entities, _entity_disagreements(one.named, other.named)),
            (self.relations, _relation_disagreements(one, other)),
        ]
        for counts, disagreements in told:
            for disagreement in disagreements:
                counts[disagreement] += 1
                self.examples.setdefault(disagreement, report_id)

    def agreement(
        self,
        reports: int,
        only_reference: tuple[str, ...],
        only_found: tuple[str, ...],
        other_text: tuple[str, ...],
    ) -> Agreement:
        """What was counted, disagreements in order of how often they occur."""
        return Agreement(
            reports=reports,
            entities=sum(self.labels.values(), Score()),
            spans=self.spans,
            relations=sum(self.types.values(), Score()),
            strict_relations=self.strict,
            by_label={name: self.labels[name] for name in ENTITY_LABELS if name in self.labels},
            by_type={name: self.types[name] for name in RELATION_TYPES if name in self.types},
            entity_disagreements=self._often(self.entities),
            relation_disagreements=self._often(self.relations),
            only_reference=only_reference,
            only_found=only_found,
            other_text=other_text,
        )

    def _often(self, counts: Counter[Disagreement]) -> tuple[Often, ...]:
        ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
        return tuple(Often(what, count, self.examples[what]) for what, count in ordered)


class _Side:
    """One source's graph of a report, with spans that can be compared."""

    def __init__(self, graph: Graph) -> None:
        places = spans(graph)
        self.named: list[_Named] = [
            (place, entity.label, _words(entity))
            for place, entity in zip(places, graph.entities, strict=True)
        ]
        self.words = {place: words for place, _, words in self.named}
        self.spans = Counter(places)
        self.entities = Counter((label, place) for place, label, _ in self.named)
        links = [(link.source, link.type, link.target) for link in graph.relations]
        self.relations = Counter((kind, (places[s], places[t])) for s, kind, t in links)
        ends = [(place, label) for place, label, _ in self.named]
        self.strict_relations = Counter((kind, ends[s], ends[t]) for s, kind, t in links)


def _words(entity: Entity) -> str:
    words = entity.text.lower()
    return words.strip(f"{PUNCTUATION} ") or words


def _score(reference: Counter[Any], found: Counter[Any]) -> Score:
    return Score(reference.total(), found.total(), (reference & found).total())


def _score_by(
    scores: dict[str, Score], reference: Counter[tuple[str, Any]], found: Counter[tuple[str, Any]]
) -> None:
    """Adds to ``scores`` under the first member of each key."""
    sums = [_by_name(counts) for counts in (reference, found, reference & found)]
    for name in sums[0] | sums[1]:
        scores[name] = scores.get(name, Score()) + Score(*(counts[name] for counts in sums))


def _by_name(counts: Counter[tuple[str, Any]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for (name, _), count in counts.items():
        found[name] += count
    return found


def _entity_disagreements(reference: list[_Named], found: list[_Named]) -> Iterable[Disagreement]:
    """Entities that do not agree: first those of one span, then those that overlap, in order."""
    ours, theirs = _without_shared(reference, found)
    at: dict[_Span, list[_Named]] = {}
    for entity in theirs:
        at.setdefault(entity[0], []).append(entity)
    alone = []
    for span, label, words in ours:
        if same := at.get(span):
            _, other, other_words = same.pop(0)
            yield Disagreement(OTHER_LABEL, words, label, other_words, other)
        else:
            alone.append((span, label, words))
    yield from _overlaps(alone, sorted(entity for group in at.values() for entity in group))


def _without_shared(
    reference: list[_Named], found: list[_Named]
) -> tuple[list[_Named], list[_Named]]:
    """Both sides in reading order, less what agrees in span and label."""
    shared = Counter(entity[:2] for entity in reference) & Counter(entity[:2] for entity in found)
    sides = []
    for side in (reference, found):
        left = Counter(shared)
        kept = []
        for entity in sorted(side):
            if left[entity[:2]]:
                left[entity[:2]] -= 1
            else:
                kept.append(entity)
        sides.append(kept)
    return sides[0], sides[1]


def _overlaps(ours: list[_Named], theirs: list[_Named]) -> Iterable[Disagreement]:
    """Two sorted lists side by side: what overlaps is paired, what does not stands alone."""
    i = j = 0
    while i < len(ours) and j < len(theirs):
        (one, label, words), (other, other_label, other_words) = ours[i], theirs[j]
        if one.start < other.end and other.start < one.end:
            yield Disagreement(BOUNDARIES, words, label, other_words, other_label)
            i, j = i + 1, j + 1
        elif one.end <= other.start:
            yield Disagreement(MISSED, words, label, "", "")
            i += 1
        else:
            yield Disagreement(SPURIOUS, "", "", other_words, other_label)
            j += 1
    yield from (Disagreement(MISSED, words, label, "", "") for _, label, words in ours[i:])
    yield from (Disagreement(SPURIOUS, "", "", words, label) for _, label, words in theirs[j:])


def _relation_disagreements(one: _Side, other: _Side) -> Iterable[Disagreement]:
    """Relations that do not agree: another type or direction between the same spans, or alone."""
    theirs = other.relations - one.relations
    for (kind, (source, target)), count in sorted((one.relations - other.relations).items()):
        words = f"{one.words[source]} → {one.words[target]}"
        for _ in range(count):
            match = _counterpart(theirs, kind, source, target)
            if match is None:
                yield Disagreement(MISSED, words, kind, "", "")
                continue
            how, other_kind, ends = match
            theirs[other_kind, ends] -= 1
            yield Disagreement(how, words, kind, _arrow(other, ends), other_kind)
    for (kind, ends), count in sorted(theirs.items()):
        for _ in range(count):
            yield Disagreement(SPURIOUS, "", "", _arrow(other, ends), kind)


def _arrow(side: _Side, ends: tuple[_Span, _Span]) -> str:
    return f"{side.words[ends[0]]} → {side.words[ends[1]]}"


def _counterpart(
    theirs: Counter[tuple[str, tuple[_Span, _Span]]], kind: str, source: _Span, target: _Span
) -> tuple[str, str, tuple[_Span, _Span]] | None:
    for other in RELATION_TYPES:
        if theirs[other, (source, target)] > 0:
            return OTHER_TYPE, other, (source, target)
    for other in (kind, *RELATION_TYPES):
        if theirs[other, (target, source)] > 0:
            return OTHER_DIRECTION, other, (target, source)
    return None
