"""The loss a recipe asks for, without the caller's knowing which one it is."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from radpair.objectives.config import ObjectiveConfig
from radpair.objectives.infonce import infonce, infonce_share
from radpair.objectives.rows import ALL, Rows, Share, covers, same_pairs
from radpair.objectives.sigmoid import sigmoid, sigmoid_share

NAMES = {
    "infonce": ("loss", "image_to_partner", "partner_to_image", "accuracy"),
    "sigmoid": ("loss", "positive", "negative", "accuracy"),
}
"""The scalars that each kind of loss returns."""


def share(
    config: ObjectiveConfig,
    images: Tensor,
    partners: Tensor,
    scale: Tensor,
    bias: Tensor | None = None,
    *,
    rows: Rows = ALL,
    keys: Sequence[Tensor] = (),
) -> Share:
    """What ``rows`` of a batch add to its loss.

    ``images`` and ``partners`` are those of the whole batch, ``[pairs, dim]``; ``scale`` and
    ``bias`` are ``Temperature()`` and ``Temperature.bias``. ``rows`` are this process's own, as
    ``slice(start, stop)`` or a tensor of numbers; all of them if not given. Pairs with an equal key
    (each ``[pairs]``: study, report, content) are no negatives of each other.

    Returns named scalars of which ``loss`` has a gradient. Over disjoint rows that cover the batch
    they add up to those of the whole batch, and so do the gradients of all images, all partners,
    scale and bias: they must be summed over processes, not averaged.
    """
    at_once = covers(rows, len(images)) and not config.chunk
    same = same_pairs(*keys) if keys and at_once else None
    if config.kind == "infonce":
        weight = config.image_weight
        if at_once:
            return infonce(images, partners, scale, same, weight)
        return infonce_share(images, partners, scale, rows, keys, weight, config.chunk)
    if bias is None:
        raise ValueError("the sigmoid loss needs a bias")
    if at_once:
        return sigmoid(images, partners, scale, bias, same)
    return sigmoid_share(images, partners, scale, bias, rows, keys, config.chunk)


def whole(
    config: ObjectiveConfig,
    images: Tensor,
    partners: Tensor,
    scale: Tensor,
    bias: Tensor | None = None,
    *,
    keys: Sequence[Tensor] = (),
) -> Share:
    """``share`` of all rows: the loss of a batch that one process sees whole."""
    return share(config, images, partners, scale, bias, keys=keys)
