"""How well the rules read whole reports: synthetic ones always, Open-i's where they are at hand."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from radpair.graphs import extract, finding_labels
from radpair.phantom.report import write
from radpair.phantom.truth import exams
from radpair.records import Graph

OPENI = Path(__file__).resolve().parents[3] / "shared" / "data" / "openi-reports"


def _f1(found: Counter[str]) -> float:
    return 2 * found["both"] / max(2 * found["both"] + found["spurious"] + found["missed"], 1)


def _count(found: Counter[str], said: set[object], true: set[object]) -> None:
    found.update(both=len(said & true), spurious=len(said - true), missed=len(true - said))


def _entities(graph: Graph) -> set[object]:
    return {(e.start, e.end, e.label.replace("measurement::", "")) for e in graph.entities}


def _relations(graph: Graph) -> set[object]:
    starts = [entity.start for entity in graph.entities]
    return {(starts[r.source], r.type, starts[r.target]) for r in graph.relations}


def test_phantom_reports_are_read_as_they_were_meant() -> None:
    labels: Counter[str] = Counter()
    entities: Counter[str] = Counter()
    relations: Counter[str] = Counter()
    for exam in exams(250, seed=11):
        report = write(exam)
        graph = extract(report.text)
        assert graph.text == report.graph.text
        _count(labels, set(finding_labels(graph, "phantom").items()), set(report.mentioned.items()))
        _count(entities, _entities(graph), _entities(report.graph))
        _count(relations, _relations(graph), _relations(report.graph))
    assert _f1(labels) >= 0.97
    assert _f1(entities) >= 0.90
    assert _f1(relations) >= 0.85


def _gold(half: int) -> Iterable[tuple[str, dict[str, str]]]:
    with (OPENI / "findings_gold.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            number = int(row["filename"].removeprefix("CXR"))
            if number % 2 == half:
                root = ElementTree.parse(OPENI / "reports" / f"{number}.xml").getroot()
                parts = [
                    f"{e.get('Label')}: {e.text}"
                    for e in root.iter("AbstractText")
                    if e.get("Label") in {"FINDINGS", "IMPRESSION"} and e.text
                ]
                yield "\n".join(parts), row


@pytest.mark.skipif(not OPENI.exists(), reason=f"Open-i reports are not at {OPENI}")
def test_openi_findings_of_the_half_not_developed_on() -> None:
    found: Counter[str] = Counter()
    for text, row in _gold(half=0):
        said: set[object] = {k for k, v in finding_labels(extract(text), "nih14").items() if v == 1}
        true: set[object] = {name for name, value in row.items() if value == "1"}
        _count(found, said - {"Hernia"}, true - {"normal", "filename"})
    assert _f1(found) >= 0.90
    assert found["both"] / (found["both"] + found["spurious"]) >= 0.87
    assert found["both"] / (found["both"] + found["missed"]) >= 0.87
