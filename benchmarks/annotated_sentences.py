"""Graphs from the rules against 200 sentences annotated by hand (``tests/graphs/annotations``).

    python benchmarks/annotated_sentences.py [--source openi|notes|all] [--half even|odd|both]
        [--show] [--agreement]

Entities count by span and label, relations by the spans of both ends and type. ``--half`` takes
every second sentence: the rules were tuned on odd lines; even lines are the ones to quote.
``--agreement`` compares the two independent passes of annotation instead. The sentences are read
from ``../shared/data``; skips where that is absent.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from radpair.graphs import extract
from radpair.graphs.agreement import Agreement, Often, Score, compare
from radpair.graphs.schema import (
    ABSENT,
    ANATOMY,
    LOCATED_AT,
    MEASURED_ANATOMY,
    MEASURED_OBSERVATION,
    MODIFY,
    PRESENT,
    SUGGESTIVE_OF,
    UNCERTAIN,
)
from radpair.records import Entity, Graph, Relation
from radpair.reports import body, sentences, tokens
from radpair.sources.reports import read_reports

ROOT = Path(__file__).resolve().parents[1]
ANNOTATIONS = ROOT / "tests" / "graphs" / "annotations"
DATA = ROOT.parent / "shared" / "data"
LABELS = {
    "A": ANATOMY,
    "P": PRESENT,
    "U": UNCERTAIN,
    "N": ABSENT,
    "MA": MEASURED_ANATOMY,
    "MP": MEASURED_OBSERVATION,
}
TYPES = {"m": MODIFY, "l": LOCATED_AT, "s": SUGGESTIVE_OF}


@dataclass(frozen=True)
class Annotated:
    """One sentence, and its graph as a person wrote it."""

    key: str
    source: str
    text: str
    graph: Graph


@cache
def reports(source: str) -> Mapping[str, str]:
    """All texts of one source by report id."""
    if source == "openi":
        found = read_reports(DATA / "openi-reports" / "reports")
    else:
        found = read_reports(DATA / "cxr-notes" / "metadata.csv", "path", ["clinical_notes"])
    return {report.id: report.text for report in found}


def annotated(name: str = "settled") -> Iterator[Annotated]:
    """The sentences of one file of annotations, in its order."""
    for line in (ANNOTATIONS / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        where, entities, relations = line.split(" | ")
        head, _, digest = where.rpartition(" ")
        place, _, number = head.rpartition(" ")
        source, _, report = place.partition(" ")
        text = find_sentence(source, report, int(number), digest)
        graph = parse(" ".join(tokens(text)), entities, relations)
        yield Annotated(f"{report} {number}", source, text, graph)


def find_sentence(source: str, report: str, number: int, digest: str) -> str:
    """The annotated sentence, wherever in its report the splitting puts it now."""
    found = sentences(body(reports(source)[report]))
    for sentence in [*found[number : number + 1], *found]:
        joined = " ".join(tokens(sentence))
        if hashlib.sha256(joined.encode()).hexdigest().startswith(digest):
            return sentence
    raise LookupError(f"{report}: no sentence has the tokens of annotated sentence {number}")


def parse(text: str, entities: str, relations: str) -> Graph:
    """A graph from the two fields of its line."""
    words = text.split(" ")
    spans = []
    for part in [] if entities == "-" else entities.split("; "):
        span, label = part.split(" ")
        first, _, last = span.partition("-")
        start, end = int(first), int(last or first)
        spans.append(Entity(" ".join(words[start : end + 1]), LABELS[label], start, end))
    index = {entity.start: at for at, entity in enumerate(spans)}
    links = []
    for part in [] if relations == "-" else relations.split("; "):
        ends, kind = part.split(" ")
        source, target = ends.split(">")
        links.append(Relation(index[int(source)], TYPES[kind], index[int(target)]))
    return Graph(text, tuple(spans), tuple(links))


def agreement(source: str = "all", half: str = "both") -> Agreement:
    """The rules against the settled annotations of one source and half of the lines."""
    chosen = select(list(annotated()), source, half)
    found = {one.key: extract(one.text) for one in chosen}
    return compare({one.key: one.graph for one in chosen}, found)


def select(rows: list[Annotated], source: str, half: str) -> list[Annotated]:
    """Every second line, or all, of one source, or both."""
    wanted = {"even": (0,), "odd": (1,), "both": (0, 1)}[half]
    return [
        one
        for number, one in enumerate(rows)
        if number % 2 in wanted and source in {"all", one.source}
    ]


def show(found: Agreement) -> None:
    """Scores, then the most frequent disagreements."""

    def line(name: str, score: Score) -> None:
        values = [score.precision, score.recall, score.f1]
        cells = "".join(
            f"{value:>11.3f}" if value is not None else f"{'-':>11}" for value in values
        )
        print(f"{name:<46}{score.reference:>6}{cells}")

    print(f"{found.reports} sentences")
    print(f"{'':<46}{'gold':>6}{'precision':>11}{'recall':>11}{'F1':>11}")
    line("entities (span and label)", found.entities)
    for label, score in found.by_label.items():
        line(f"  {label}", score)
    line("spans", found.spans)
    line("relations (spans and type)", found.relations)
    for kind, score in found.by_type.items():
        line(f"  {kind}", score)
    line("relations, with labels of both ends", found.strict_relations)


def show_errors(errors: tuple[Often, ...]) -> None:
    """Every disagreement, the most frequent first."""
    for error in errors:
        print(error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", choices=("openi", "notes", "all"), default="all")
    parser.add_argument("--half", choices=("even", "odd", "both"), default="both")
    parser.add_argument("--show", action="store_true", help="print every disagreement")
    parser.add_argument("--agreement", action="store_true", help="compare the two passes")
    options = parser.parse_args()
    if not DATA.exists():
        print(f"skipped: no data at {DATA}")
        sys.exit(0)
    if options.agreement:
        first = {one.key: one.graph for one in annotated("first")}
        found = compare(first, {one.key: one.graph for one in annotated("second")})
    else:
        found = agreement(options.source, options.half)
    show(found)
    if options.show:
        show_errors(found.entity_disagreements)
        show_errors(found.relation_disagreements)


if __name__ == "__main__":
    main()
