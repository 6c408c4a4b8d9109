"""The contrastive objective of both papers: find your own partner among the batch's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from radpair.errors import RecipeError

MAX_SCALE = 100.0
"""The learned scale (one over the temperature) is clamped here, as CLIP does."""


@dataclass(frozen=True)
class ObjectiveConfig:
    """InfoNCE between images and their partners."""

    temperature: float = 0.1
    """Fixed, or where a learned one starts."""
    learn_temperature: bool = False
    image_weight: float = 0.5
    """Weight of image→partner; partner→image has the rest (ConVIRT's lambda, section 3.1)."""

    def __post_init__(self) -> None:
        if self.temperature < 1 / MAX_SCALE:
            raise RecipeError(
                f"objective.temperature is {self.temperature}; it must be at least {1 / MAX_SCALE}"
            )
        if not 0 <= self.image_weight <= 1:
            raise RecipeError(
                f"objective.image_weight is {self.image_weight}; it must lie within 0 to 1"
            )


class Temperature(nn.Module):
    """One over the temperature: fixed, or learned in log space and clamped at ``MAX_SCALE``."""

    def __init__(self, config: ObjectiveConfig) -> None:
        super().__init__()
        start = torch.tensor(math.log(1 / config.temperature))
        self.log_scale = nn.Parameter(start, requires_grad=config.learn_temperature)

    def forward(self) -> Tensor:
        """The factor on cosine similarities, a scalar."""
        return self.log_scale.clamp(max=math.log(MAX_SCALE)).exp()


def infonce(
    images: Tensor,
    partners: Tensor,
    scale: Tensor,
    same: Tensor | None = None,
    image_weight: float = 0.5,
) -> dict[str, Tensor]:
    """ConVIRT's bidirectional loss (section 3.1, equations 2 to 4); with equal weights, IGC's.

    ``images`` and ``partners`` are ``[pairs, dim]``, of any length: similarity is the cosine.
    ``same [pairs, pairs]`` is true where two pairs belong to one study or have identical partners;
    such pairs are no negatives of each other and leave the denominator.

    Returns scalars: ``loss``, ``image_to_partner``, ``partner_to_image``, and ``accuracy``, the
    share of images nearest to their own partner.
    """
    logits = scale * F.normalize(images.float(), dim=1) @ F.normalize(partners.float(), dim=1).T
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


def same_pairs(*keys: Tensor) -> Tensor:
    """Which pairs are no negatives of each other: ``[pairs, pairs]``, true on the diagonal.

    Each key ``[pairs]`` is equal where two pairs belong together: the study's id, the hash of its
    report, the hash of its sentence or graph.
    """
    return torch.stack([key[:, None] == key[None] for key in keys]).any(0)
