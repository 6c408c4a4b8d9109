"""The rules against 200 sentences annotated by hand, and the annotations against each other."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from radpair.graphs.agreement import compare
from radpair.records import Entity, Graph, Relation

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
needs_texts = pytest.mark.skipif(
    not (DATA / "openi-reports").exists() or not (DATA / "cxr-notes").exists(),
    reason=f"the annotated texts are not at {DATA}",
)


@pytest.fixture(scope="module")
def annotations() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "benchmarks" / "annotated_sentences.py"))


@needs_texts
def test_the_rules_find_what_was_annotated_by_hand(annotations: dict[str, Any]) -> None:
    found = annotations["agreement"]()
    assert found.reports == 200
    assert found.entities.f1 >= 0.88
    assert found.relations.f1 >= 0.75


@needs_texts
def test_so_do_they_on_the_half_that_they_were_not_tuned_on(annotations: dict[str, Any]) -> None:
    found = annotations["agreement"](half="even")
    assert found.reports == 100
    assert found.entities.f1 >= 0.88
    assert found.relations.f1 >= 0.75


@needs_texts
def test_two_independent_passes_of_annotation_agree(annotations: dict[str, Any]) -> None:
    first, second = (
        {one.key: one.graph for one in annotations["annotated"](name)}
        for name in ("first", "second")
    )
    agreement = compare(first, second)
    assert agreement.entities.f1 is not None
    assert agreement.entities.f1 > 0.95
    assert agreement.relations.f1 is not None
    assert agreement.relations.f1 > 0.85


def test_a_line_of_annotation_is_read_as_its_graph(annotations: dict[str, Any]) -> None:
    graph = annotations["parse"]("No left pleural effusion .", "1 A; 2-2 A; 3 N", "1>2 m; 3>2 l")
    assert graph == Graph(
        "No left pleural effusion .",
        (
            Entity("left", "Anatomy::definitely present", 1, 1),
            Entity("pleural", "Anatomy::definitely present", 2, 2),
            Entity("effusion", "Observation::definitely absent", 3, 3),
        ),
        (Relation(0, "modify", 1), Relation(2, "located_at", 1)),
    )
    assert annotations["parse"]("Stop smoking .", "-", "-").entities == ()
