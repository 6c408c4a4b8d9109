"""Graphs beside a set: exact round trip, refusals, replacement in one step."""

from __future__ import annotations

from pathlib import Path

import pytest
from gradients import Gradients
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radpair.errors import GraphError, StudySetError
from radpair.graphs.schema import ENTITY_LABELS, RELATION_TYPES
from radpair.records import Entity, Graph, Relation
from radpair.studyset import StudySet, write, write_graphs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(Gradients(12, faults=False), tmp_path / "set", size=48, processes=1)
    return tmp_path / "set"


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    words = draw(st.lists(st.text("aäÖ漢.,%", min_size=1, max_size=6), min_size=1, max_size=9))
    spans = st.tuples(st.integers(0, len(words) - 1), st.integers(0, len(words) - 1))
    entities = tuple(
        Entity(" ".join(words[min(s) : max(s) + 1]), draw(st.sampled_from(ENTITY_LABELS)), *s)
        for s in (tuple(sorted(pair)) for pair in draw(st.lists(spans, max_size=5)))
    )
    if not entities:
        return Graph(" ".join(words))
    ends = st.integers(0, len(entities) - 1)
    links = draw(st.lists(st.tuples(ends, st.sampled_from(RELATION_TYPES), ends), max_size=5))
    return Graph(" ".join(words), entities, tuple(Relation(*link) for link in links))


@given(st.dictionaries(st.integers(0, 11), graphs(), max_size=12))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_round_trip_is_exact(folder: Path, given_graphs: dict[int, Graph]) -> None:
    found = StudySet.open(folder)
    by_id = {found.study_ids[index]: graph for index, graph in given_graphs.items()}
    write_graphs(folder, by_id, {"how": "drawn"})
    assert found.has_graphs
    assert found.graphs() == [given_graphs.get(index) for index in range(12)]


def test_source_graphs_come_back(folder: Path) -> None:
    expected = [study.graph for study in Gradients(12, faults=False).studies()]
    assert StudySet.open(folder).source_graphs() == expected
    assert not StudySet.open(folder).has_graphs


def test_set_without_graphs_says_how_to_make_them(folder: Path) -> None:
    with pytest.raises(StudySetError, match="run 'radpair graphs"):
        StudySet.open(folder).graphs()


A = Entity("a", ENTITY_LABELS[0], 0, 0)
BAD = {
    "label": (Graph("a", (Entity("a", "Anatomy", 0, 0),)), "label 'Anatomy'"),
    "span": (Graph("a b", (Entity("b", ENTITY_LABELS[0], 1, 2),)), "spans tokens 1 to 2"),
    "order": (Graph("a b", (Entity("b", ENTITY_LABELS[0], 1, 0),)), "spans tokens 1 to 0"),
    "type": (Graph("a", (A,), (Relation(0, "modifies", 0),)), "did you mean 'modify'"),
    "end": (Graph("a", (A,), (Relation(0, "modify", 1),)), "links entities 0 and 1 of 1"),
}


@pytest.mark.parametrize("fault", BAD)
def test_graph_off_the_schema_is_refused_and_the_old_ones_stay(folder: Path, fault: str) -> None:
    good = {"s00001": Graph("a", (A,))}
    write_graphs(folder, good, {})
    graph, reason = BAD[fault]
    with pytest.raises(GraphError, match=f"study 's00002'.*{reason}"):
        write_graphs(folder, {"s00002": graph}, {})
    assert StudySet.open(folder).graphs()[1] == good["s00001"]


def test_unknown_study_is_refused(folder: Path) -> None:
    with pytest.raises(GraphError, match=r"has no study 's0000l', .* did you mean 's000"):
        write_graphs(folder, {"s0000l": Graph("a")}, {})


def test_altered_graphs_are_refused(folder: Path) -> None:
    write_graphs(folder, {"s00001": Graph("a", (A,))}, {"rules": "1"})
    found = StudySet.open(folder)
    assert found.verify() == len(found.manifest["files"]) + 1
    data = bytearray((folder / "graphs.parquet").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "graphs.parquet").write_bytes(data)
    for read in (found.graphs, found.verify):
        with pytest.raises(StudySetError, match=r"graphs\.parquet: does not have the content"):
            read()


def test_cut_off_call_leaves_no_graphs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_graphs(folder, {"s00001": Graph("a", (A,))}, {})
    module = __import__("radpair.studyset.graphs", fromlist=["write_json"])

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_json", stop)
    with pytest.raises(KeyboardInterrupt):
        write_graphs(folder, {"s00002": Graph("a", (A,))}, {})
    assert not StudySet.open(folder).has_graphs


def test_same_graphs_give_the_same_bytes(folder: Path) -> None:
    rows = {f"s{n:05d}": Graph("a b", (A,)) for n in range(12)}
    contents = []
    for order in (rows, dict(reversed(rows.items()))):
        write_graphs(folder, order, {"rules": "1"})
        contents.append([(folder / f"graphs.{e}").read_bytes() for e in ("parquet", "json")])
    assert contents[0] == contents[1]


def test_unfinished_set_takes_no_graphs(tmp_path: Path) -> None:
    with pytest.raises(StudySetError, match="there is no study set"):
        write_graphs(tmp_path / "none", {}, {})
