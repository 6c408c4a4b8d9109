"""The relations of many graphs as two sparse matrices each, ready to be cut into batches.

A relational convolution is ``sum_r scatter_r (gather_r X) W_r``. Most relations average first: one
row for each node that they reach. The inverse of a relation, and the links from super-nodes to
their members, come from few nodes and reach many; they multiply first: one row for each node that
they come from. Both directions of a link so have the same few rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from radpair.graphs.arrays import EDGE_TYPES, HAS_MEMBER, HAS_PART, Structure, ranges
from radpair.graphs.schema import RELATION_TYPES
from radpair.studyset.tensors import RelationTensors, Sparse, SparseRows

Ints = NDArray[np.int64]
_COUNT = len(RELATION_TYPES)
MULTIPLY_FIRST = np.isin(np.arange(EDGE_TYPES), [*range(_COUNT, 2 * _COUNT), HAS_MEMBER, HAS_PART])
"""``[relations]``: whether a relation's rows are the nodes that it comes from."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """One of the two matrices of all graphs, its entries in both orders.

    A block is one relation of one graph: number ``graph * EDGE_TYPES + relation``.
    """

    block_start: Ints
    """``[blocks + 1]``: a block's entries in the order of rows."""
    node: NDArray[np.int32]
    """``[entries]``: counted from the graph's first node."""
    weight: NDArray[np.float32]
    per_row: NDArray[np.int32]
    """``[rows]``: how many entries each has."""
    graph_start: Ints
    """``[graphs + 1]``: a graph's entries in the order of nodes."""
    row: NDArray[np.int32]
    """``[entries]`` in that order: counted from the block's first row."""
    relation: NDArray[np.int8]
    node_weight: NDArray[np.float32]
    per_node: NDArray[np.int32]
    """``[nodes]``: how many entries each has."""


@dataclass(frozen=True, slots=True)
class Relations:
    """The relations of all graphs of a set."""

    row_start: Ints
    """``[blocks + 1]``."""
    gather: Matrix
    scatter: Matrix

    @classmethod
    def of(cls, structure: Structure) -> Relations:
        """Those of graphs with this structure."""
        s = structure
        graph = np.repeat(np.arange(len(s.node_start) - 1), np.diff(s.edge_start))
        source, target = s.source + s.node_start[graph], s.target + s.node_start[graph]
        first = MULTIPLY_FIRST[s.type]
        block = graph * EDGE_TYPES + s.type
        head, tail = np.where(first, source, target), np.where(first, target, source)
        nodes, blocks = len(s.kind), (len(s.node_start) - 1) * EDGE_TYPES
        keys, row = np.unique(block * max(nodes, 1) + head, return_inverse=True)
        row_block, row_head = np.divmod(keys, max(nodes, 1))
        row_start = _starts(row_block, blocks)

        weight = _one_over_count(block * max(nodes, 1) + target)
        own = np.arange(len(keys))
        own_first = MULTIPLY_FIRST[row_block % EDGE_TYPES]
        one = np.ones(len(keys))
        layout = _Layout(s.node_start, row_block, row_start)
        gather = layout.matrix(
            np.concatenate([row[~first], own[own_first]]),
            np.concatenate([tail[~first], row_head[own_first]]),
            np.concatenate([weight[~first], one[own_first]]),
        )
        scatter = layout.matrix(
            np.concatenate([row[first], own[~own_first]]),
            np.concatenate([tail[first], row_head[~own_first]]),
            np.concatenate([weight[first], one[~own_first]]),
        )
        return cls(row_start, gather, scatter)

    def take(self, wanted: Ints, first_node: Ints, nodes: Ints) -> RelationTensors:
        """Those of the graphs with these numbers.

        ``first_node [wanted]`` is the place of each graph's first node in the batch, ``nodes``
        the numbers of the batch's nodes in the set.
        """
        blocks = (wanted * EDGE_TYPES + np.arange(EDGE_TYPES)[:, None]).ravel()
        rows, counts = ranges(self.row_start, blocks)
        ends = np.cumsum(counts)
        first_row = (ends - counts).reshape(EDGE_TYPES, len(wanted))
        cut = _Cut(wanted, first_node, nodes, blocks, rows, first_row)
        bounds = ends.reshape(EDGE_TYPES, -1)[:, -1] if len(wanted) else ends
        gather_rows, gather_nodes = cut.of(self.gather)
        scatter_rows, scatter_nodes = cut.of(self.scatter)
        return RelationTensors(
            gather=Sparse(gather_rows, gather_nodes),
            scatter=Sparse(scatter_nodes, scatter_rows),
            bounds=(0, *bounds.tolist()),
        )


@dataclass(frozen=True, slots=True)
class _Layout:
    node_start: Ints
    row_block: Ints
    row_start: Ints

    def matrix(self, row: Ints, node: Ints, weight: NDArray[np.float64]) -> Matrix:
        """Entries ``(row, node)`` of the whole set, laid out both ways."""
        graphs, nodes = len(self.node_start) - 1, int(self.node_start[-1])
        by_row, by_node = np.lexsort((node, row)), np.lexsort((row, node))
        block = self.row_block[row]
        graph = block // EDGE_TYPES
        local = node - self.node_start[graph]
        return Matrix(
            block_start=_starts(block[by_row], graphs * EDGE_TYPES),
            node=local[by_row].astype(np.int32),
            weight=weight[by_row].astype(np.float32),
            per_row=np.bincount(row, minlength=len(self.row_block)).astype(np.int32),
            graph_start=_starts(graph[by_node], graphs),
            row=(row - self.row_start[block])[by_node].astype(np.int32),
            relation=(block % EDGE_TYPES)[by_node].astype(np.int8),
            node_weight=weight[by_node].astype(np.float32),
            per_node=np.bincount(node, minlength=nodes).astype(np.int32),
        )


@dataclass(frozen=True, slots=True)
class _Cut:
    """What cutting one batch out of either matrix needs."""

    wanted: Ints
    first_node: Ints
    nodes: Ints
    blocks: Ints
    rows: Ints
    first_row: Ints

    def of(self, matrix: Matrix) -> tuple[SparseRows, SparseRows]:
        """By rows, with nodes as columns; and by nodes, with rows as columns."""
        entries, counts = ranges(matrix.block_start, self.blocks)
        shift = np.repeat(np.tile(self.first_node, EDGE_TYPES), counts)
        by_row = _rows(
            matrix.node[entries] + shift, matrix.per_row[self.rows], matrix.weight[entries]
        )
        entries, counts = ranges(matrix.graph_start, self.wanted)
        member = np.repeat(np.arange(len(self.wanted)), counts)
        row = matrix.row[entries] + self.first_row[matrix.relation[entries], member]
        by_node = _rows(row, matrix.per_node[self.nodes], matrix.node_weight[entries])
        return by_row, by_node


def _rows(column: Ints, counts: NDArray[np.int32], weight: NDArray[np.float32]) -> SparseRows:
    start = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=start[1:])
    return SparseRows(torch.from_numpy(column), torch.from_numpy(start), torch.from_numpy(weight))


def mean_over(sizes: Ints) -> Sparse:
    """``[groups, members]``: the mean over each of groups that lie side by side."""
    start = np.concatenate([[0], np.cumsum(sizes)])
    group = np.repeat(np.arange(len(sizes)), sizes)
    members = np.arange(len(group) + 1)
    weight = torch.from_numpy((1 / sizes[group]).astype(np.float32))
    return Sparse(
        SparseRows(torch.from_numpy(members[:-1]), torch.from_numpy(start), weight),
        SparseRows(torch.from_numpy(group), torch.from_numpy(members), weight),
    )


def _starts(group: Ints, groups: int) -> Ints:
    """``[groups + 1]``: where each group begins among members sorted by group."""
    return np.concatenate([[0], np.cumsum(np.bincount(group, minlength=groups))]).astype(np.int64)


def _one_over_count(key: Ints) -> NDArray[np.float64]:
    """For each member one over how many share its key."""
    _, inverse, counts = np.unique(key, return_inverse=True, return_counts=True)
    return np.asarray(1 / counts[inverse], np.float64)
