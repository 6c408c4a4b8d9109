"""The summary of a corpus, against counts by hand and an independent library."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from radpair.graphs import schema
from radpair.graphs.summary import components, summarise
from radpair.graphs.tables import counted, entities_and_relations
from radpair.records import Entity, Graph, Relation


def graph(*entities: tuple[str, str], links: tuple[tuple[int, str, int], ...] = ()) -> Graph:
    return Graph(
        " ".join(words for words, _ in entities),
        tuple(Entity(words, label, at, at) for at, (words, label) in enumerate(entities)),
        tuple(Relation(*link) for link in links),
    )


CORPUS = [
    graph(
        ("Effusion", schema.PRESENT),
        ("pleural", schema.ANATOMY),
        ("small", schema.PRESENT),
        links=((0, "located_at", 1), (2, "modify", 0)),
    ),
    graph(("effusion", schema.ABSENT), ("pleural", schema.ANATOMY), links=((0, "located_at", 1),)),
    graph(("effusion", schema.PRESENT), ("pneumonia", schema.UNCERTAIN)),
    Graph(""),
]


def test_counts_of_a_small_corpus() -> None:
    found = summarise(CORPUS)
    assert (found.reports, found.with_entities) == (4, 3)
    assert found.entities[schema.PRESENT] == 3
    assert found.entities[schema.MEASURED_ANATOMY] == 0
    assert found.relations == {"modify": 1, "located_at": 2, "suggestive_of": 0}
    assert found.medians == {"tokens": 2, "entities": 2, "relations": 1, "components": 1}
    assert found.components == {1: 2, 2: 1}
    assert found.observations["present"] == (("effusion", 2), ("small", 1))
    assert found.observations["absent"] == (("effusion", 1),)
    assert found.observations["uncertain"] == (("pneumonia", 1),)
    assert found.anatomy == (("pleural", 2),)
    assert dict(found.pairs) == {
        "effusion → pleural (present)": 1,
        "effusion → pleural (absent)": 1,
    }
    assert json.loads(json.dumps(found.as_json()))["without_entities"] == 1


def test_only_the_most_frequent_are_kept() -> None:
    assert summarise(CORPUS, top=1).observations["present"] == (("effusion", 2),)


def test_nothing_gives_no_medians() -> None:
    found = summarise([])
    assert (found.reports, found.medians, found.pairs) == (0, {}, ())


@given(st.integers(1, 9), st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8))))
def test_components_are_those_of_scipy(nodes: int, ends: list[tuple[int, int]]) -> None:
    ends = [(a % nodes, b % nodes) for a, b in ends]
    drawn = graph(*[("x", schema.ANATOMY)] * nodes, links=tuple((a, "modify", b) for a, b in ends))
    rows, columns = np.array(ends, int).reshape(-1, 2).T
    links = coo_array((np.ones(len(ends)), (rows, columns)), shape=(nodes, nodes))
    assert components(drawn) == connected_components(links, directed=False)[0]


def test_one_is_counted_as_one() -> None:
    assert counted(1, "report") == "1 report"
    assert counted(2000, "study", "studies") == "2,000 studies"
    assert entities_and_relations(1, 0) == "1 entity and 0 relations"
