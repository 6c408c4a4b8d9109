"""The contrastive objective of both papers: find your own partner among the batch's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from radpair.objectives.both_ways import both_ways
from radpair.objectives.rows import ALL, Rows, Share, covers, row_losses, same_pairs, unit

__all__ = ["infonce", "infonce_share", "same_pairs"]


def infonce(
    images: Tensor,
    partners: Tensor,
    scale: Tensor,
    same: Tensor | None = None,
    image_weight: float = 0.5,
) -> Share:
    """ConVIRT's bidirectional loss (section 3.1, equations 2 to 4); with equal weights, IGC's.

    ``images`` and ``partners`` are ``[pairs, dim]``, of any length: similarity is the cosine.
    ``same [pairs, pairs]`` is true where two pairs belong to one study or have identical partners;
    such pairs are no negatives of each other and leave the denominator.

    Returns scalars: ``loss``, ``image_to_partner``, ``partner_to_image``, and ``accuracy``, the
    share of images nearest to their own partner.
    """
    with torch.autocast(images.device.type, enabled=False):
        logits = scale * unit(images) @ unit(partners).T
    own = torch.arange(len(logits), device=logits.device)
    if same is not None:
        others = same & ~torch.eye(len(logits), dtype=torch.bool, device=logits.device)
        logits = logits.masked_fill(others, float("-inf"))
    forward = F.cross_entropy(logits, own)
    backward = F.cross_entropy(logits.T, own)
    return {
        "loss": image_weight * forward + (1 - image_weight) * backward,
        "image_to_partner": forward.detach(),
        "partner_to_image": backward.detach(),
        "accuracy": (logits.argmax(1) == own).float().mean(),
    }


def infonce_share(
    images: Tensor,
    partners: Tensor,
    scale: Tensor,
    rows: Rows = ALL,
    keys: Sequence[Tensor] = (),
    image_weight: float = 0.5,
    chunk: int = 0,
) -> Share:
    """What ``rows`` add to ``infonce`` of the whole batch, ``chunk`` rows in memory at once.

    Image→partner of these images against all partners, and partner→image of these partners against
    all images, each summed and divided by the number of all pairs. Over disjoint rows that cover
    the batch, the scalars and the gradients of ``images``, ``partners`` and ``scale`` add up to
    those of ``infonce(images, partners, scale, same_pairs(*keys), image_weight)``.
    """
    count = len(images)
    with torch.autocast(images.device.type, enabled=False):
        image, partner = scale * unit(images), unit(partners)
        if covers(rows, count):
            forward, backward, hits = both_ways(image, partner, keys, chunk or count)
        else:
            own = torch.arange(count, device=images.device)[rows]
            forward, hits = row_losses(image[rows], partner, None, own, keys, _cross_entropy, chunk)
            backward, _ = row_losses(partner[rows], image, None, own, keys, _cross_entropy, chunk)
    forward, backward = forward / count, backward / count
    return {
        "loss": image_weight * forward + (1 - image_weight) * backward,
        "image_to_partner": forward.detach(),
        "partner_to_image": backward.detach(),
        "accuracy": hits / count,
    }


def _cross_entropy(logits: Tensor, own: Tensor, top: Tensor) -> Tensor:
    """A ``rows.RowLoss``: minus the log of the own partner's share in the row's softmax."""
    at = own[:, None]
    logits -= top[:, None]
    chosen = logits.gather(1, at)
    logits.exp_()
    sums = logits.sum(1, keepdim=True)
    logits /= sums
    logits.scatter_(1, at, logits.gather(1, at) - 1)
    return (sums.log() - chosen).sum()
