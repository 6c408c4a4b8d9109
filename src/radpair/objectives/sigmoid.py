"""The pairwise sigmoid objective: of every image and partner, do they belong together?

Zhai, Mustafa, Kolesnikov, Beyer: Sigmoid loss for language image pre-training, 2023, section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from radpair.objectives.rows import ALL, Rows, Share, row_losses, unit


def sigmoid(
    images: Tensor,
    partners: Tensor,
    scale: Tensor,
    bias: Tensor,
    same: Tensor | None = None,
) -> Share:
    """SigLIP's loss (section 3.2, algorithm 1): a logistic loss on each of the pairs of the batch,
    summed and divided by the number of images. The paper starts ``scale`` at 10, ``bias`` at -10
    and learns both.

    ``images`` and ``partners`` are ``[pairs, dim]``, of any length: similarity is the cosine.
    ``same [pairs, pairs]`` is true where two pairs belong to one study or have identical partners;
    such pairs are neither positive nor negative.

    Returns scalars: ``loss``, its parts ``positive`` (own partners) and ``negative`` (all others),
    and ``accuracy``, the share of images nearest to their own partner.
    """
    count = len(images)
    with torch.autocast(images.device.type, enabled=False):
        logits = scale * unit(images) @ unit(partners).T + bias
    own = torch.eye(count, dtype=torch.bool, device=logits.device)
    if same is not None:
        logits = logits.masked_fill(same & ~own, float("-inf"))
    positive = F.softplus(-logits.diagonal()).sum() / count
    negative = F.softplus(logits.masked_fill(own, float("-inf"))).sum() / count
    accuracy = (logits.argmax(1) == torch.arange(count, device=logits.device)).float().mean()
    return {
        "loss": positive + negative,
        "positive": positive.detach(),
        "negative": negative.detach(),
        "accuracy": accuracy,
    }


def sigmoid_share(
    images: Tensor,
    partners: Tensor,
    scale: Tensor,
    bias: Tensor,
    rows: Rows = ALL,
    keys: Sequence[Tensor] = (),
    chunk: int = 0,
) -> Share:
    """What ``rows`` add to ``sigmoid`` of the whole batch, ``chunk`` rows in memory at once.

    These images against all partners, summed and divided by the number of all pairs. Over disjoint
    rows that cover the batch, the scalars and the gradients add up to those of
    ``sigmoid(images, partners, scale, bias, same_pairs(*keys))``.
    """
    count = len(images)
    own = torch.arange(count, device=images.device)[rows]
    with torch.autocast(images.device.type, enabled=False):
        image, partner = scale * unit(images[rows]), unit(partners)
        total, hits = row_losses(image, partner, bias, own, keys, _logistic, chunk)
        loss = total / count
        with torch.no_grad():
            positive = F.softplus(-(image * partner[rows]).sum(1) - bias).sum() / count
    return {
        "loss": loss,
        "positive": positive,
        "negative": (loss.detach() - positive).clamp_min(0),
        "accuracy": hits / count,
    }


def _logistic(logits: Tensor, own: Tensor, _: Tensor) -> Tensor:
    """A ``rows.RowLoss``: every entry of a row a negative but its own partner."""
    at = own[:, None]
    logits.scatter_(1, at, -logits.gather(1, at))
    total = F.softplus(logits).sum()
    logits.sigmoid_()
    logits.scatter_(1, at, -logits.gather(1, at))
    return total
