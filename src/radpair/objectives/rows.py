"""A loss over some rows of the similarity matrix, a few of them in memory at once.

Each row of logits gives its part of the loss and, at once, its part of the gradient; what is kept
for the backward pass is the gradient of the codes, not the logits. So a chunk of rows is computed
once, and memory is ``chunk * pairs`` plus the codes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

Rows = slice | Tensor
"""Rows of a batch: ``slice(start, stop)``, or a tensor of their numbers."""
Share = dict[str, Tensor]
"""Named scalars; ``loss`` alone has a gradient. Those of disjoint rows add up to the batch's."""
RowLoss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Logits ``[rows, pairs]``, column of each row's own partner, largest logit of each row → sum of
the rows' losses; the logits are replaced by the derivative of that sum."""
ALL = slice(None)


def unit(codes: Tensor) -> Tensor:
    """Codes ``[pairs, dim]`` of length one, in single precision or better."""
    return F.normalize(codes.to(torch.promote_types(codes.dtype, torch.float32)), dim=1)


def same_pairs(*keys: Tensor) -> Tensor:
    """Which pairs are no negatives of each other: ``[pairs, pairs]``, true on the diagonal.

    Each key ``[pairs]`` is equal where two pairs belong together: the study's id, the hash of its
    report, the hash of its sentence or graph.
    """
    return torch.stack([key[:, None] == key[None] for key in keys]).any(0)


def left_out(keys: Sequence[Tensor], own: Tensor) -> Tensor | None:
    """The rows ``own`` of ``same_pairs(*keys)`` with each row's own partner false.

    ``[rows, pairs]``, or None without keys.
    """
    found: Tensor | None = None
    for key in keys:
        equal = key[own, None] == key[None]
        found = equal if found is None else found.logical_or_(equal)
    return None if found is None else found.scatter_(1, own[:, None], False)


def covers(rows: Rows, count: int) -> bool:
    """Whether ``rows`` are all ``count`` rows in their order."""
    return isinstance(rows, slice) and rows.indices(count) == (0, count, 1)


def add_slopes(
    slopes: Sequence[Tensor | None],
    part: slice,
    slope: Tensor,
    queries: Tensor,
    candidates: Tensor,
) -> None:
    """Adds to the gradients of ``queries`` and ``candidates``, where wanted, what the logits of the
    rows ``part`` give with their derivative ``slope [rows, pairs]``."""
    query, candidate = slopes
    if query is not None:
        torch.mm(slope, candidates, out=query[part])
    if candidate is not None:
        candidate.addmm_(slope.T, queries[part])


def row_losses(
    queries: Tensor,
    candidates: Tensor,
    bias: Tensor | None,
    own: Tensor,
    keys: Sequence[Tensor],
    loss: RowLoss,
    chunk: int,
) -> tuple[Tensor, Tensor]:
    """Sum of ``loss`` over rows of ``queries @ candidates.T + bias``, and how many rows are highest
    at their own partner.

    ``queries [rows, dim]``, ``candidates [pairs, dim]``; ``own [rows]`` is the column of each row's
    own partner; pairs of equal ``keys`` (each ``[pairs]``) are left out. ``chunk`` rows are in
    memory at once, all of them if it is 0. Both results are scalars; the first has a gradient.
    """
    wanted = torch.is_grad_enabled()
    total, hits = _RowLosses.apply(  # type: ignore[no-untyped-call]
        queries, candidates, bias, own, tuple(keys), loss, chunk or max(1, len(own)), wanted
    )
    return total, hits


class _RowLosses(torch.autograd.Function):
    """``row_losses`` with its gradient computed on the way forward."""

    @staticmethod
    def forward(
        ctx: Any,
        queries: Tensor,
        candidates: Tensor,
        bias: Tensor | None,
        own: Tensor,
        keys: tuple[Tensor, ...],
        loss: RowLoss,
        chunk: int,
        wanted: bool,
    ) -> tuple[Tensor, Tensor]:
        """The sum of the losses of all rows, and how many rows have their own nearest."""
        given = (queries, candidates, bias)
        slopes = [
            torch.zeros_like(value) if wanted and needed and value is not None else None
            for value, needed in zip(given, ctx.needs_input_grad, strict=False)
        ]
        total = queries.new_zeros(())
        hits = torch.zeros((), dtype=torch.long, device=queries.device)
        for start in range(0, len(own), chunk):
            part = slice(start, start + chunk)
            logits = queries[part] @ candidates.T
            if bias is not None:
                logits += bias
            others = left_out(keys, own[part])
            if others is not None:
                logits.masked_fill_(others, float("-inf"))
            top, highest = logits.max(1)
            hits += (highest == own[part]).sum()
            total += loss(logits, own[part], top)
            add_slopes(slopes[:2], part, logits, queries, candidates)
            if slopes[2] is not None:
                slopes[2] += logits.sum()
        ctx.save_for_backward(*slopes)
        ctx.mark_non_differentiable(hits)
        return total, hits

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, slope: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        """By the queries, the candidates and the bias."""
        found = [None if kept is None else slope * kept for kept in ctx.saved_tensors]
        return *found, None, None, None, None, None
