"""Products with the sparse matrices of a batch of graphs, and of relations with their matrices.

Both directions of a sparse product read rows and sum them, so nothing is scattered, no message of
an edge is ever held, and the sums run in a fixed order on every device.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from radpair.studyset.tensors import Sparse, SparseRows


def sparse_product(matrix: Sparse, dense: Tensor) -> Tensor:
    """``matrix [rows, columns] @ dense [columns, width]``, with the gradient of ``dense``."""
    out: Tensor = _SparseProduct.apply(dense, matrix)  # type: ignore[no-untyped-call]
    return out


def relation_products(rows: Tensor, weight: Tensor, bounds: tuple[int, ...]) -> Tensor:
    """Rows ``bounds[r]:bounds[r + 1]`` of ``rows [rows, width_in]`` times ``weight[r]``.

    ``weight [relations, width_in, width_out]``; returns ``[rows, width_out]``.
    """
    out: Tensor = _RelationProducts.apply(rows, weight, bounds)  # type: ignore[no-untyped-call]
    return out


class _SparseProduct(Function):
    @staticmethod
    def forward(ctx: Any, dense: Tensor, matrix: Sparse) -> Tensor:
        """``matrix @ dense``."""
        ctx.transposed = matrix.transposed
        return _times(matrix.rows, dense)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """By ``dense``: the transposed matrix times the gradient."""
        return _times(ctx.transposed, gradient), None


def _times(matrix: SparseRows, dense: Tensor) -> Tensor:
    return torch.embedding_bag(
        dense.contiguous(),
        matrix.column,
        matrix.start,
        mode=0,
        per_sample_weights=matrix.weight.to(dense.dtype),
        include_last_offset=True,
    )[0]


class _RelationProducts(Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bounds: tuple[int, ...]) -> Tensor:
        """Each relation's run of rows by that relation's weights."""
        ctx.save_for_backward(rows, weight)
        ctx.bounds = bounds
        out = rows.new_empty(len(rows), weight.shape[2])
        for relation, (start, end) in enumerate(pairwise(bounds)):
            torch.mm(rows[start:end], weight[relation], out=out[start:end])
        return out

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        """By the rows and by the weights, relation by relation."""
        rows, weight = ctx.saved_tensors
        gradient = gradient.contiguous()
        to_rows, to_weight = torch.empty_like(rows), torch.empty_like(weight)
        for relation, (start, end) in enumerate(pairwise(ctx.bounds)):
            part = gradient[start:end]
            torch.mm(part, weight[relation].T, out=to_rows[start:end])
            torch.mm(rows[start:end].T, part, out=to_weight[relation])
        return to_rows, to_weight, None
