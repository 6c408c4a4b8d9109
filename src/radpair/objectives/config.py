"""What a recipe says of its objective, and the scale and bias on similarities."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from radpair.errors import RecipeError, nearest

KINDS = ("infonce", "sigmoid")
MAX_SCALE = 100.0
"""The learned scale (one over the temperature) is clamped here, as CLIP does."""
EVEN, START = 0.5, -10.0
"""The defaults of ``image_weight`` and ``bias``."""


@dataclass(frozen=True)
class ObjectiveConfig:
    """Which loss between images and their partners, and how it is computed."""

    kind: str = "infonce"
    """``infonce`` (ConVIRT, IGC) or ``sigmoid`` (SigLIP: every pair is a yes or a no of its own).
    SigLIP's paper learns the temperature too and starts it at 0.1 (section 3.2)."""
    temperature: float = 0.1
    """Fixed, or where a learned one starts."""
    learn_temperature: bool = False
    image_weight: float = EVEN
    """Weight of image→partner; partner→image has the rest (ConVIRT's lambda, section 3.1).
    For ``infonce`` alone: the sigmoid loss has no directions."""
    bias: float = START
    """Where the learned bias of ``sigmoid`` starts; -10 in the paper, so that the many negatives of
    the first steps cost little. ``infonce`` has none."""
    chunk: int = 0
    """Rows of the similarity matrix that are in memory at once, 0 for all of them. The loss and its
    gradient stay the same; memory grows with the batch instead of its square."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise RecipeError(
                f"objective.kind '{self.kind}' is not known{nearest(self.kind, KINDS)}"
            )
        if not 1 / MAX_SCALE <= self.temperature < math.inf:
            raise RecipeError(
                f"objective.temperature is {self.temperature}; it must be at least {1 / MAX_SCALE}"
            )
        if not 0 <= self.image_weight <= 1:
            raise RecipeError(
                f"objective.image_weight is {self.image_weight}; it must lie within 0 to 1"
            )
        if not math.isfinite(self.bias):
            raise RecipeError(f"objective.bias is {self.bias}; it must be a finite number")
        if self.chunk < 0:
            raise RecipeError(
                f"objective.chunk is {self.chunk}; it must be a number of rows, or 0 for all rows"
            )
        self._refuse_idle()

    def _refuse_idle(self) -> None:
        """No key may be set that its loss does not read."""
        if self.kind == "sigmoid" and self.image_weight != EVEN:
            raise RecipeError(
                f"objective.image_weight is {self.image_weight}, but the sigmoid loss has no "
                f"directions to weigh; set it to {EVEN} or use kind: infonce"
            )
        if self.kind == "infonce" and self.bias != START:
            raise RecipeError(
                f"objective.bias is {self.bias}, but infonce has no bias; "
                f"set it to {START} or use kind: sigmoid"
            )


class Temperature(nn.Module):
    """One over the temperature: fixed, or learned in log space and clamped at ``MAX_SCALE``.

    ``bias`` is the learned bias of the sigmoid loss, a scalar, and None for ``infonce``.
    """

    def __init__(self, config: ObjectiveConfig) -> None:
        super().__init__()
        start = torch.tensor(math.log(1 / config.temperature))
        self.log_scale = nn.Parameter(start, requires_grad=config.learn_temperature)
        self.bias: nn.Parameter | None
        bias = nn.Parameter(torch.tensor(config.bias)) if config.kind == "sigmoid" else None
        self.register_parameter("bias", bias)

    def forward(self) -> Tensor:
        """The factor on cosine similarities, a scalar."""
        return self.log_scale.clamp(max=math.log(MAX_SCALE)).exp()
