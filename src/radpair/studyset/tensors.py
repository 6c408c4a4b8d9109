"""What a batch is made of: groups of tensors that travel to a device together."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from radpair.tensors import TensorGroup as TensorGroup
from radpair.tensors import to_device as to_device


@dataclass(frozen=True)
class TextBatch(TensorGroup):
    """Texts as token ids."""

    tokens: Tensor
    """``[texts, length]`` int64."""
    mask: Tensor
    """``[texts, length]`` bool, false on padding."""
    lengths: tuple[int, ...] | None = None
    """``[texts]``: the same as the sums of ``mask``, known without asking the device."""


@dataclass(frozen=True)
class SparseRows(TensorGroup):
    """A sparse matrix, row by row."""

    column: Tensor
    """``[entries]``: ascending by row."""
    start: Tensor
    """``[rows + 1]``: the entries of row r are ``start[r]:start[r + 1]``."""
    weight: Tensor
    """``[entries]``: the values, float32."""


@dataclass(frozen=True)
class Sparse(TensorGroup):
    """A sparse matrix and its transpose, so that neither direction needs a scatter."""

    rows: SparseRows
    transposed: SparseRows


@dataclass(frozen=True)
class RelationTensors(TensorGroup):
    """The relations of a batch of graphs as ``sum_r scatter_r (gather_r X) W_r``.

    The rows between the two matrices are sorted by relation, and a relation has only as many as
    it needs: one for each node that it reaches, or for each that it comes from.
    """

    gather: Sparse
    """``[rows, nodes]``: what a relation's product is taken of."""
    scatter: Sparse
    """``[nodes, rows]``: where it goes to."""
    bounds: tuple[int, ...]
    """``[relations + 1]``: the rows of relation r are ``bounds[r]:bounds[r + 1]``."""


@dataclass(frozen=True)
class GraphBatch(TensorGroup):
    """Graphs side by side, the smallest first, as ``radpair.encoders.graph`` reads them."""

    sizes: tuple[int, ...]
    """``[graphs]``, ascending: the nodes of each, super-nodes and root included."""
    place: Tensor
    """``[graphs]``: where each graph that was asked for stands in this order."""
    start: Tensor
    """``[graphs + 1]``: the nodes of graph g are ``start[g]:start[g + 1]``."""
    kind: Tensor
    """``[nodes]``."""
    relations: RelationTensors
    pool: Sparse
    """``[graphs, nodes]``: the mean over each graph's nodes."""
    pieces: Tensor
    """``[pieces]``: word pieces of the entities' own words, node by node."""
    piece_offsets: Tensor
    """``[nodes]``: where a node's pieces begin."""
    context: TextBatch | None = None
    """The reports' token windows, for contextual nodes."""
    places: Tensor | None = None
    """``[located pieces]``: positions in the flattened windows."""
    owner: Tensor | None = None
    """``[located pieces]``: the node that each belongs to."""
    vectors: Tensor | None = None
    """``[nodes, width]``: contextual vectors where they were computed beforehand."""
