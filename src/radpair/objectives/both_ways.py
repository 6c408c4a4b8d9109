"""Both directions of a contrastive loss in one pass over the matrix of similarities.

Where one process has all rows, each chunk of rows serves both: whole for image→partner, and as a
part of every column for partner→image, whose log-sum-exp grows from chunk to chunk. The backward
pass computes each chunk once more: four products of the matrix's size where two separate
directions (``rows.row_losses``) need six.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from radpair.objectives.rows import add_slopes, left_out


def both_ways(
    images: Tensor, partners: Tensor, keys: Sequence[Tensor], chunk: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Cross entropies of the rows and of the columns of ``images @ partners.T``, each summed, and
    how many rows are highest at their own partner; ``chunk`` rows are in memory at once.

    ``images`` and ``partners`` are ``[pairs, dim]``; pairs of equal ``keys`` (each ``[pairs]``) are
    left out. Scalars; the first two have a gradient.
    """
    rows, columns, hits = _BothWays.apply(  # type: ignore[no-untyped-call]
        images, partners, tuple(keys), chunk
    )
    return rows, columns, hits


def _chunks(
    images: Tensor, partners: Tensor, keys: Sequence[Tensor], chunk: int
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Rows, the columns of their own partners, and their logits without the pairs left out."""
    every = torch.arange(len(images), device=images.device)
    for start in range(0, len(images), chunk):
        part = slice(start, start + chunk)
        logits = images[part] @ partners.T
        others = left_out(keys, every[part])
        if others is not None:
            logits.masked_fill_(others, float("-inf"))
        yield part, every[part], logits


class _BothWays(torch.autograd.Function):
    """``both_ways``; rows are computed again for the gradient."""

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, partners: Tensor, keys: tuple[Tensor, ...], chunk: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The sums of the losses of rows and of columns; how many rows have their own nearest."""
        top = (images * partners).sum(1)  # finite, so a column left out of a chunk changes nothing
        own, rows, sums = torch.empty_like(top), torch.empty_like(top), torch.zeros_like(top)
        hits = torch.zeros((), dtype=torch.long, device=images.device)
        for part, at, logits in _chunks(images, partners, keys, chunk):
            highest, where = logits.max(1)
            hits += (where == at).sum()
            own[part] = logits.gather(1, at[:, None]).squeeze(1)
            grown = torch.maximum(top, logits.amax(0))
            sums *= (top - grown).exp_()
            sums += (logits - grown).exp_().sum(0)
            top = grown
            rows[part] = logits.sub_(highest[:, None]).exp_().sum(1).log_() + highest
        columns = sums.log_() + top
        ctx.save_for_backward(images, partners, rows, columns, *keys)
        ctx.chunk = chunk
        ctx.mark_non_differentiable(hits)
        return (rows - own).sum(), (columns - own).sum(), hits

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(
        ctx: Any, of_rows: Tensor, of_columns: Tensor, _: Tensor
    ) -> tuple[Tensor | None, ...]:
        """By the images and by the partners, chunk by chunk."""
        images, partners, rows, columns, *keys = ctx.saved_tensors
        slopes = [
            torch.zeros_like(value) if needed else None
            for value, needed in zip((images, partners), ctx.needs_input_grad, strict=False)
        ]
        with torch.autocast(images.device.type, enabled=False):
            for part, at, logits in _chunks(images, partners, keys, ctx.chunk):
                slope = (logits - rows[part, None]).exp_().mul_(of_rows)
                slope += logits.sub_(columns).exp_().mul_(of_columns)
                own = slope.gather(1, at[:, None]) - (of_rows + of_columns)
                slope.scatter_(1, at[:, None], own)
                add_slopes(slopes, part, slope, images, partners)
        return *slopes, None, None
