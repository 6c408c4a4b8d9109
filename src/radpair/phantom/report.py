"""Writes the report of a synthetic exam together with its exact knowledge graph."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from radpair.phantom import phrases
from radpair.phantom.doubt import DENIAL_RATE
from radpair.phantom.layout import Style, draw_style, page, preamble
from radpair.phantom.markup import Clause, Scribe, Statement, joined
from radpair.phantom.normal import (
    ACUTE_KINDS,
    ALL_WELL,
    LUNG_KINDS,
    NORMAL_STUDY,
    NORMALS,
    RECURRING_DENIALS,
    RECURRING_FINDINGS,
    RECURRING_IMPRESSION,
    REMAINDER,
)
from radpair.phantom.reading import DEVICES, Reading, Seen, read_exam
from radpair.phantom.sentences import about, denial, together
from radpair.phantom.truth import KINDS, Exam
from radpair.records import Graph

ROOM_OF_KIND: Mapping[str, str] = {
    "endotracheal_tube": "devices",
    "central_line": "devices",
    "pacemaker": "devices",
    "consolidation": "lungs",
    "atelectasis": "lungs",
    "lobar_collapse": "lungs",
    "edema": "lungs",
    "nodule": "lungs",
    "mass": "lungs",
    "granuloma": "lungs",
    "hyperinflation": "lungs",
    "pleural_effusion": "pleura",
    "pneumothorax": "pleura",
    "elevated_hemidiaphragm": "pleura",
    "cardiomegaly": "heart",
    "rib_fracture": "bones",
}
_ORDERS = (
    ("devices", "lungs", "pleura", "heart", "bones"),
    ("heart", "lungs", "pleura", "bones", "devices"),
    ("lungs", "pleura", "heart", "bones", "devices"),
    ("devices", "heart", "lungs", "pleura", "bones"),
    ("lungs", "heart", "pleura", "devices", "bones"),
)
_TEMPLATE_RATE = 0.03
_PAIRED = {
    frozenset({"pleural_effusion", "atelectasis"}),
    frozenset({"pleural_effusion", "edema"}),
    frozenset({"cardiomegaly", "edema"}),
    frozenset({"cardiomegaly", "pleural_effusion"}),
    frozenset({"pneumothorax", "rib_fracture"}),
    frozenset({"hyperinflation", "nodule"}),
    frozenset({"pleural_effusion", "consolidation"}),
}
_TEMPLATE_STYLE = Style(False, False, "upper", 0, True, "both", False)


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """A report, its true graph, and what it says of the truth labels."""

    text: str
    """The whole report with its section headers."""
    graph: Graph
    """The graph of the findings and impression sections, in the report's own wording."""
    mentioned: Mapping[str, int]
    """1 present, 0 absent, -1 uncertain, for each label that the report speaks of."""
    statements: tuple[Statement, ...]
    """Which entity says so."""


def write(exam: Exam) -> WrittenReport:
    """The report of an exam; the same exam always gets the same report.

    ``graph.text`` is the text of the findings and the impression, without headers, as tokens
    joined by single spaces; RadGraph (Jain et al. 2021) annotates these two sections.
    """
    rng = random.Random(exam.seed)
    scribe = Scribe(rng)
    if not exam.findings and not exam.previous and rng.random() < _TEMPLATE_RATE * 1.5:
        return _template_report(scribe)
    style = draw_style(rng)
    reading = read_exam(exam, rng)
    sections = preamble(exam, rng)
    if style.sections != "impression":
        _Findings(scribe, exam, reading, style).write()
        sections.append(("FINDINGS", joined(scribe.tokens)))
    if style.sections != "findings":
        lines = _impression(scribe, reading, style)
        sections.append(("IMPRESSION", ("\n" if style.numbered else " ").join(lines)))
    return _finished(scribe, sections, style)


class _Findings:
    """Writes the findings section, one room of the chest after another."""

    def __init__(self, scribe: Scribe, exam: Exam, reading: Reading, style: Style) -> None:
        self.scribe, self.exam, self.reading, self.style = scribe, exam, reading, style
        self.rng = scribe.rng
        self.denied = list(reading.denied)
        self.slots = {"def": "" if style.terse else "the", "a": "{a}"}
        inflated = "hyperinflation" in {finding.kind for finding in exam.findings}
        shallow = exam.acquisitions[0].inspiration < 0.35 and not inflated
        self.shallow = (
            shallow and "hyperinflation" not in reading.denied and self.rng.random() < 0.5
        )

    def write(self) -> None:
        """The whole section."""
        self._technique()
        for room in self.rng.choice(_ORDERS):
            self._positives(room)
            self._negatives(room)
            self._normals(room)
            self._remarks(room)
        if not self.scribe.tokens:
            self._say(self.rng.choice(phrases.ABDOMEN_REMARKS))

    def _positives(self, room: str) -> None:
        seen = [one for one in self.reading.seen if ROOM_OF_KIND[one.finding.kind] == room]
        seen.sort(key=lambda one: -one.weight)
        while seen:
            first = seen.pop(0)
            partner = next((two for two in seen if _may_pair(first, two)), None)
            if partner is not None and self.rng.random() < 0.25:
                seen.remove(partner)
                self.scribe.sentence(together(first, partner, self.rng, self.style.terse))
            else:
                self.scribe.sentence(about(first, self.rng, self.style.terse))

    def _negatives(self, room: str) -> None:
        """Denies this room's kinds, and often those of the next rooms in the same breath."""
        here = [kind for kind in self.denied if ROOM_OF_KIND[kind] == room]
        if here and self.rng.random() < 0.6:
            here += [kind for kind in self.denied if ROOM_OF_KIND[kind] in {"lungs", "pleura"}]
        here = list(dict.fromkeys(here))
        self.denied = [kind for kind in self.denied if kind not in here]
        self.rng.shuffle(here)
        for chunk in _chunks(here, self.rng):
            self.scribe.sentence(denial(chunk, self.rng))

    def _normals(self, room: str) -> None:
        closed = self.reading.closed
        spoken = {seen.finding.kind for seen in self.reading.seen if not seen.status}
        spoken |= set(self.reading.denied) | ({"hyperinflation"} if self.shallow else set())
        for normal in NORMALS:
            if normal.room != room or self.rng.random() > normal.rate:
                continue
            if not normal.beside & closed and normal.states not in spoken:
                label = KINDS[normal.states].label if normal.states else ""
                self.scribe.sentence(Clause(self.rng.choice(normal.ways), self.slots, 0, label))
            elif normal.beside == LUNG_KINDS and self._rest_is_clear():
                self._say(self.rng.choice(REMAINDER))

    def _rest_is_clear(self) -> bool:
        """Whether one focal lung finding stands alone, and the reader troubles to say so."""
        lungs = LUNG_KINDS
        focal = [
            one
            for one in self.reading.seen
            if one.status and one.finding.kind in lungs and one.finding.side in {"left", "right"}
        ]
        alone = len(focal) == len(lungs & self.reading.closed) == 1
        return alone and self.rng.random() < 0.35

    def _technique(self) -> None:
        film = self.exam.acquisitions[0]
        if self.shallow:
            self._say(self.rng.choice(phrases.LOW_VOLUMES))
        if abs(film.rotation) > 5 and self.rng.random() < 0.5:
            self._say(self.rng.choice(phrases.ROTATED))

    def _remarks(self, room: str) -> None:
        age, rng = self.exam.body.age, self.rng
        if room == "bones" and rng.random() < (0.22 if age > 50 else 0.04):
            self._say(rng.choice(phrases.BONE_REMARKS))
        if room == "heart" and rng.random() < (0.2 if age > 55 else 0.01):
            self._say(rng.choice(phrases.AORTA_REMARKS))
        if room == "pleura" and rng.random() < 0.05:
            self._say(rng.choice(phrases.ABDOMEN_REMARKS))
        if room == "devices" and rng.random() < 0.03:
            self._say(rng.choice(phrases.SURGERY_REMARKS))

    def _say(self, text: str) -> None:
        self.scribe.sentence(Clause(text, self.slots))


def _impression(scribe: Scribe, reading: Reading, style: Style) -> list[str]:
    """The impression, most important first; returns its lines as text."""
    rng = scribe.rng
    lines = _conclusions(reading, rng, style, style.sections == "impression")
    lines = lines or [_nothing_found(reading, rng)]
    written = []
    numbered = style.numbered and len(lines) > 1
    for number, clause in enumerate(lines, 1):
        first = len(scribe.tokens)
        if numbered:
            scribe.tokens += [str(number), "."]
        scribe.sentence(clause)
        written.append(joined(scribe.tokens[first:]))
    return written


def _conclusions(reading: Reading, rng: random.Random, style: Style, alone: bool) -> list[Clause]:
    ranked = sorted(reading.seen, key=lambda one: -one.weight * rng.uniform(0.6, 1.4))
    limit = len(ranked) if alone else rng.choice((2, 3, 3, 4, 5))
    kept = ranked[:limit]
    clauses: list[Clause] = []
    acute = ACUTE_KINDS & reading.closed
    while kept:
        first = kept.pop(0)
        partner = next((two for two in kept if _may_pair(first, two)), None)
        if not alone and first.finding.kind in DEVICES | {"granuloma"} and rng.random() < 0.5:
            continue
        if partner is not None and rng.random() < 0.4:
            kept.remove(partner)
            clauses.append(together(first, partner, rng, style.terse or rng.random() < 0.6))
        else:
            clauses.append(about(first, rng, style.terse or rng.random() < 0.5))
    if clauses and not acute and rng.random() < 0.5:
        clauses.append(Clause(rng.choice(ALL_WELL)))
    denied = [kind for kind in reading.denied if DENIAL_RATE[kind] > 0.2]
    if clauses and denied and (alone or rng.random() < 0.25):
        clauses.append(denial(denied[: rng.choice((1, 2))], rng))
    if clauses and rng.random() < 0.12:
        clauses.append(Clause(rng.choice(_follow_ups(reading))))
    return clauses


def _follow_ups(reading: Reading) -> tuple[str, ...]:
    if {"nodule", "mass"} & reading.shown:
        return phrases.FOLLOW_NODULE
    if {"consolidation", "edema", "lobar_collapse"} & reading.shown:
        return phrases.FOLLOW_UP + phrases.FOLLOW_ACUTE
    return phrases.FOLLOW_UP


def _nothing_found(reading: Reading, rng: random.Random) -> Clause:
    slots = {"a": "{a}", "def": "the"}
    if not reading.closed and rng.random() < 0.15:
        return Clause(rng.choice(NORMAL_STUDY), slots)
    if not ACUTE_KINDS & reading.closed:
        return Clause(rng.choice(ALL_WELL), slots)
    kinds = [kind for kind in ("pneumothorax", "edema", "consolidation") if reading.may_deny(kind)]
    if kinds:
        return denial([rng.choice(kinds)], rng)
    return Clause(rng.choice(phrases.FOLLOW_UP))


def _template_report(scribe: Scribe) -> WrittenReport:
    """The one normal report that recurs word for word, as in every real collection."""
    slots: dict[str, str | Clause] = {
        f"n{number}": Clause(text, {}, 0, KINDS[kind].label)
        for number, (kind, text) in enumerate(RECURRING_DENIALS, 1)
    }
    for text in RECURRING_FINDINGS:
        scribe.sentence(Clause(text, slots, 0, KINDS["cardiomegaly"].label))
    findings = len(scribe.tokens)
    scribe.sentence(Clause(RECURRING_IMPRESSION))
    sections = [
        ("FINDINGS", joined(scribe.tokens[:findings])),
        ("IMPRESSION", joined(scribe.tokens[findings:])),
    ]
    return _finished(scribe, sections, _TEMPLATE_STYLE)


def _finished(scribe: Scribe, sections: list[tuple[str, str]], style: Style) -> WrittenReport:
    mentioned: dict[str, int] = {}
    for said in scribe.statements:
        mentioned.setdefault(said.label, said.status)
    return WrittenReport(
        text=page(sections, style),
        graph=scribe.graph(style.capitals),
        mentioned=mentioned,
        statements=tuple(scribe.statements),
    )


def _may_pair(first: Seen, second: Seen) -> bool:
    plain = first.status == second.status == 1
    return plain and frozenset({first.finding.kind, second.finding.kind}) in _PAIRED


def _chunks(kinds: list[str], rng: random.Random) -> list[list[str]]:
    chunks = []
    while kinds:
        size = rng.choice((1, 2, 3, 3))
        chunks.append(kinds[:size])
        kinds = kinds[size:]
    return chunks
