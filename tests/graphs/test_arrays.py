from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from radpair.graphs import arrays
from radpair.graphs.schema import ENTITY_LABELS, RELATION_TYPES
from radpair.records import Entity, Graph, Relation
from radpair.reports.tokenizer import END, START, train_tokenizer

WORDS = ("left", "pleural", "effusion", "heart", "nodule", "apical", "no", "mild")


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(0, 9))
    words = [draw(st.sampled_from(WORDS)) for _ in range(max(count, 1))]
    entities = tuple(
        Entity(words[n], draw(st.sampled_from(ENTITY_LABELS)), n, n) for n in range(count)
    )
    links = st.tuples(
        st.integers(0, max(count - 1, 0)),
        st.sampled_from(RELATION_TYPES),
        st.integers(0, max(count - 1, 0)),
    )
    found = draw(st.lists(links, max_size=12)) if count else []
    return Graph(" ".join(words), entities, tuple(Relation(*link) for link in found))


def slow_structure(graph: Graph) -> tuple[list[int], set[tuple[int, int, int]]]:
    """Kinds and edges of one graph, one edge at a time."""
    count = len(graph.entities)
    component = list(range(count))
    for _ in range(count):
        for link in graph.relations:
            low = min(component[link.source], component[link.target])
            component[link.source] = component[link.target] = low
    names = sorted(set(component))
    root = count + len(names)
    kinds = [ENTITY_LABELS.index(e.label) for e in graph.entities]
    kinds += [arrays.SUPER_NODE] * len(names) + [arrays.ROOT]
    edges: list[tuple[int, int, int]] = []
    for link in graph.relations:
        kind = RELATION_TYPES.index(link.type)
        edges.append((link.source, link.target, kind))
        edges.append((link.target, link.source, kind + len(RELATION_TYPES)))
    for node, name in enumerate(component):
        upper = count + names.index(name)
        edges += [(node, upper, arrays.MEMBER_OF), (upper, node, arrays.HAS_MEMBER)]
    for number in range(len(names)):
        upper = count + number
        edges += [(upper, root, arrays.PART_OF), (root, upper, arrays.HAS_PART)]
    return kinds, sorted(edges)


@settings(max_examples=60, deadline=None)
@given(st.lists(graphs(), min_size=1, max_size=6))
def test_equals_one_edge_at_a_time(many: list[Graph]) -> None:
    """Defects 3, 4 and 5: one build for all, every relation kept, each direction its own type."""
    built = arrays.build_structure(many)
    for number, graph in enumerate(many):
        nodes = slice(*built.node_start[number : number + 2])
        edges = slice(*built.edge_start[number : number + 2])
        kinds, expected = slow_structure(graph)
        assert built.kind[nodes].tolist() == kinds
        found = zip(built.source[edges], built.target[edges], built.type[edges], strict=True)
        assert sorted((int(s), int(t), int(k)) for s, t, k in found) == expected


def test_two_components_without_an_isolated_node_are_joined() -> None:
    """Defect 2."""
    entities = tuple(Entity(word, ENTITY_LABELS[1], n, n) for n, word in enumerate("abcd"))
    pairs = Graph("a b c d", entities, (Relation(0, "modify", 1), Relation(2, "modify", 3)))
    built = arrays.build_structure([pairs])
    assert (built.kind == arrays.SUPER_NODE).sum() == 2
    assert (built.kind == arrays.ROOT).sum() == 1
    root = len(built.kind) - 1
    assert sorted(built.source[built.target == root].tolist()) == [4, 5]


def test_a_connected_graph_has_its_root_and_an_empty_one_is_its_root() -> None:
    """Defect 2, the other case."""
    one = Graph("a", (Entity("a", ENTITY_LABELS[0], 0, 0),))
    built = arrays.build_structure([one, Graph("nothing said")])
    assert built.kind.tolist() == [0, arrays.SUPER_NODE, arrays.ROOT, arrays.ROOT]


def test_label_ids_do_not_depend_on_the_data() -> None:
    """Defect 6."""
    for number, label in enumerate(ENTITY_LABELS):
        alone = Graph("a", (Entity("a", label, 0, 0),))
        assert arrays.build_structure([alone]).kind[0] == number


def tokenizer() -> Tokenizer:
    return train_tokenizer(["left pleural effusion with apical nodules"] * 4 + list(WORDS) * 4, 90)


def test_windows_of_long_reports_keep_their_ends() -> None:
    """Defect 7: every window has its own [CLS] and [SEP], and each entity is found in one."""
    words = [WORDS[n % len(WORDS)] for n in range(150)]
    entities = tuple(Entity(words[n], ENTITY_LABELS[1], n, n) for n in range(0, 150, 7))
    wordpiece = tokenizer()
    windows = arrays.report_windows([Graph(" ".join(words), entities)], wordpiece, length=32)
    assert len(windows.tokens) > 5
    for row, used in zip(windows.tokens, windows.used, strict=True):
        assert row[0] == wordpiece.token_to_id(START)
        assert row[used - 1] == wordpiece.token_to_id(END)
        assert (row[used:] == wordpiece.token_to_id("[PAD]")).all()
    for number, entity in enumerate(entities):
        mine = windows.node == number
        found = windows.tokens[windows.window[mine], windows.offset[mine]].tolist()
        assert found == wordpiece.encode(entity.text, add_special_tokens=False).ids


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.data())
def test_ranges_gather_whole_groups(counts: list[int], data: st.DataObject) -> None:
    start = np.concatenate([[0], np.cumsum(counts)])
    wanted = np.array(data.draw(st.lists(st.integers(0, len(counts) - 1), min_size=1)))
    flat, sizes = arrays.ranges(start, wanted)
    expected = [np.arange(start[w], start[w + 1]) for w in wanted]
    assert flat.tolist() == np.concatenate(expected).tolist()
    assert sizes.tolist() == [len(part) for part in expected]


def test_equal_graphs_hash_alike_wherever_their_words_stand() -> None:
    a = Graph("x effusion", (Entity("effusion", ENTITY_LABELS[1], 1, 1),))
    b = Graph("Effusion", (Entity("Effusion", ENTITY_LABELS[1], 0, 0),))
    c = Graph("Effusion", (Entity("Effusion", ENTITY_LABELS[3], 0, 0),))
    assert arrays.content_hash(a) == arrays.content_hash(b) != arrays.content_hash(c)
