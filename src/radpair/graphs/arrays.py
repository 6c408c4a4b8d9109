"""Knowledge graphs as flat arrays, ready to be cut into batches without a loop.

Every graph gains the nodes that IGC adds (section 3): one super-node for each connected component,
joined to its members, and one root joined to all super-nodes. A connected graph has one component
and so one super-node; a graph without entities is its root alone. Each direction of each kind of
link is a relation type of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tokenizers import Tokenizer

from radpair.graphs.schema import ENTITY_LABELS, RELATION_TYPES
from radpair.records import Graph
from radpair.reports.tokenizer import END, START

SUPER_NODE, ROOT = len(ENTITY_LABELS), len(ENTITY_LABELS) + 1
NODE_KINDS = len(ENTITY_LABELS) + 2

MEMBER_OF = 2 * len(RELATION_TYPES)
HAS_MEMBER, PART_OF, HAS_PART = MEMBER_OF + 1, MEMBER_OF + 2, MEMBER_OF + 3
EDGE_TYPES = MEMBER_OF + 4
"""Report relations, their inverses, and the four links of super-nodes and root."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Structure:
    """Nodes and edges of many graphs; in each: entities, then super-nodes, then the root."""

    node_start: Ints
    """``[graphs + 1]``."""
    kind: Ints
    """``[nodes]``: an entity label's id, ``SUPER_NODE`` or ``ROOT``."""
    edge_start: Ints
    """``[graphs + 1]``."""
    source: Ints
    """``[edges]``, counted from the graph's first node."""
    target: Ints
    type: Ints
    """``[edges]``: below ``EDGE_TYPES``."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Whole reports as token windows, and where each entity's word pieces lie in them."""

    start: Ints
    """``[graphs + 1]``: a graph's windows."""
    tokens: Ints
    """``[windows, length]``; each begins with [CLS] and ends with [SEP], then padding."""
    used: Ints
    """``[windows]``: how many tokens are real."""
    piece_start: Ints
    """``[graphs + 1]``: a graph's located pieces."""
    window: Ints
    """``[pieces]``: counted from the graph's first window."""
    offset: Ints
    """``[pieces]``: the position in the window."""
    node: Ints
    """``[pieces]``: counted from the graph's first node."""


def build_structure(graphs: Sequence[Graph]) -> Structure:
    """The arrays of ``graphs``, super-nodes and roots included, without a loop over edges."""
    entities = np.array([len(graph.entities) for graph in graphs], np.int64)
    relations = np.array([len(graph.relations) for graph in graphs], np.int64)
    label_id = {label: number for number, label in enumerate(ENTITY_LABELS)}
    type_id = {kind: number for number, kind in enumerate(RELATION_TYPES)}
    labels = np.array([label_id[e.label] for graph in graphs for e in graph.entities], np.int64)
    triples = np.array(
        [(r.source, r.target, type_id[r.type]) for graph in graphs for r in graph.relations],
        np.int64,
    ).reshape(-1, 3)
    first = np.concatenate([[0], np.cumsum(entities)])
    shift = np.repeat(first[:-1], relations)
    component = _components(int(first[-1]), triples[:, 0] + shift, triples[:, 1] + shift)
    return _assemble(entities, relations, labels, triples, component)


def _components(nodes: int, source: Ints, target: Ints) -> Ints:
    """The component of each entity, numbered from 0 in order of first appearance."""
    if not nodes:
        return np.zeros(0, np.int64)
    links = coo_array((np.ones(len(source), np.int8), (source, target)), shape=(nodes, nodes))
    found = connected_components(links, directed=False)[1]
    _, first, inverse = np.unique(found, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)


def _assemble(
    entities: Ints, relations: Ints, labels: Ints, triples: Ints, component: Ints
) -> Structure:
    graphs = len(entities)
    entity_graph = np.repeat(np.arange(graphs), entities)
    component_graph = np.zeros(int(component.max()) + 1 if len(component) else 0, np.int64)
    component_graph[component] = entity_graph
    supers = np.bincount(component_graph, minlength=graphs)
    first_super = np.concatenate([[0], np.cumsum(supers)])
    node_start = np.concatenate([[0], np.cumsum(entities + supers + 1)])

    kind = np.full(node_start[-1], SUPER_NODE, np.int64)
    kind[within(entities) + node_start[:-1][entity_graph]] = labels
    kind[node_start[1:] - 1] = ROOT

    member = within(entities)
    super_of_member = entities[entity_graph] + component - first_super[entity_graph]
    part = entities[component_graph] + within(supers)
    root = (entities + supers)[component_graph]
    relation_graph = np.repeat(np.arange(graphs), relations)
    count = len(RELATION_TYPES)
    links = (
        (relation_graph, triples[:, 0], triples[:, 1], triples[:, 2]),
        (relation_graph, triples[:, 1], triples[:, 0], triples[:, 2] + count),
        (entity_graph, member, super_of_member, np.full(len(member), MEMBER_OF)),
        (entity_graph, super_of_member, member, np.full(len(member), HAS_MEMBER)),
        (component_graph, part, root, np.full(len(part), PART_OF)),
        (component_graph, root, part, np.full(len(part), HAS_PART)),
    )
    graph, source, target, types = (np.concatenate(column) for column in zip(*links, strict=True))
    order = np.argsort(graph, kind="stable")
    edge_start = np.concatenate([[0], np.cumsum(np.bincount(graph, minlength=graphs))])
    return Structure(node_start, kind, edge_start, source[order], target[order], types[order])


def within(counts: Ints) -> Ints:
    """The place of each member in its group: 0, 1, … counts[0]-1, 0, 1, … counts[1]-1, …"""
    start = np.concatenate([[0], np.cumsum(counts)[:-1]]) if len(counts) else counts
    return np.arange(int(counts.sum())) - np.repeat(start, counts)


def ranges(start: Ints, wanted: Ints) -> tuple[Ints, Ints]:
    """All members of the wanted groups, and how many each group has."""
    counts = start[wanted + 1] - start[wanted]
    return np.repeat(start[wanted], counts) + within(counts), counts


def entity_pieces(
    graphs: Sequence[Graph], structure: Structure, tokenizer: Tokenizer
) -> tuple[Ints, Ints]:
    """Word pieces of each node's own words: ``pieces [pieces]`` and ``start [nodes + 1]``."""
    texts = [entity.text for graph in graphs for entity in graph.entities]
    encoded = tokenizer.encode_batch(texts, add_special_tokens=False)
    counts = np.zeros(len(structure.kind), np.int64)
    counts[structure.kind < SUPER_NODE] = [len(item.ids) for item in encoded]
    pieces = np.array([piece for item in encoded for piece in item.ids], np.int64)
    return pieces, np.concatenate([[0], np.cumsum(counts)])


def report_windows(graphs: Sequence[Graph], tokenizer: Tokenizer, length: int = 512) -> Windows:
    """Cuts every graph's text into windows of ``length`` tokens that overlap by half.

    Each window has its own [CLS] and [SEP]. A word is read in the window in which it stands
    furthest from a cut.
    """
    start_id, end_id = tokenizer.token_to_id(START), tokenizer.token_to_id(END)
    rows: list[list[Any]] = []
    windows, located = [0], [0]
    places: list[tuple[int, int, int]] = []
    for graph in graphs:
        words = [item.ids for item in _encode_words(graph, tokenizer)]
        pieces = [piece for word in words for piece in word]
        word_start = np.concatenate([[0], np.cumsum([len(word) for word in words])]).astype(int)
        cuts = _cuts(len(pieces), length - 2)
        rows += [[start_id, *pieces[a:b], end_id] for a, b in cuts]
        for node, entity in enumerate(graph.entities):
            for piece in range(word_start[entity.start], word_start[entity.end + 1]):
                window = max(range(len(cuts)), key=partial(_margin, cuts, piece))
                places.append((window, piece - cuts[window][0] + 1, node))
        windows.append(len(rows))
        located.append(len(places))
    used = np.array([len(row) for row in rows], np.int64)
    tokens = np.zeros((len(rows), int(used.max()) if len(used) else 0), np.int64)
    for row, ids in enumerate(rows):
        tokens[row, : len(ids)] = ids
    columns = np.array(places, np.int64).reshape(-1, 3).T
    return Windows(np.array(windows), tokens, used, np.array(located), *columns)


def _encode_words(graph: Graph, tokenizer: Tokenizer) -> list[Any]:
    return list(tokenizer.encode_batch(graph.text.split(" "), add_special_tokens=False))


def _cuts(pieces: int, room: int) -> list[tuple[int, int]]:
    cuts = [(0, min(room, pieces))]
    while cuts[-1][1] < pieces:
        begin = cuts[-1][0] + room // 2
        cuts.append((begin, min(begin + room, pieces)))
    return cuts


def _margin(cuts: list[tuple[int, int]], piece: int, window: int) -> int:
    """How far ``piece`` stands from the nearer cut of ``window``."""
    return min(piece - cuts[window][0], cuts[window][1] - 1 - piece)


def content_hash(graph: Graph) -> int:
    """Equal for graphs that say the same: entities with their labels, and relations."""
    names = [f"{entity.text.lower()}|{entity.label}" for entity in graph.entities]
    said = sorted(names) + sorted(
        f"{names[r.source]}>{r.type}>{names[r.target]}" for r in graph.relations
    )
    return hash_text("\n".join(said))


def hash_text(text: str) -> int:
    """A 63-bit hash that is the same on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
