"""An image encoder with a head: layer norm, dropout, one linear layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from radpair.encoders.image import ImageEncoder
from radpair.errors import RecipeError
from radpair.evaluation.fine_tune.settings import FineTuneConfig, Trial


class Classifier(nn.Module):
    """Grey pixels to one logit an output."""

    learned: Tensor
    constant: Tensor

    def __init__(
        self,
        encoder: ImageEncoder,
        outputs: int,
        *,
        exclusive: bool,
        layer_norm: bool = True,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        norm = nn.LayerNorm(encoder.dim) if layer_norm else nn.Identity()
        self.head = nn.Sequential(norm, nn.Dropout(dropout), nn.Linear(encoder.dim, outputs))
        self.exclusive = exclusive
        self.register_buffer("learned", torch.ones(outputs, dtype=torch.bool))
        self.register_buffer("constant", torch.zeros(outputs))

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits ``[images, outputs]`` of ``pixels [images, size, size]``, 0 black to 255 white."""
        return self.from_features(self.encoder(pixels))

    def from_features(self, features: Tensor) -> Tensor:
        """Logits ``[images, outputs]`` of ``features [images, dim]``.

        A class that no training study has is left out of the softmax.
        """
        logits: Tensor = self.head(features)
        if self.exclusive:
            logits = logits.masked_fill(~self.learned, float("-inf"))
        return logits

    def probabilities(self, pixels: Tensor) -> Tensor:
        """``[images, outputs]``; a label with one class in training has a constant one."""
        logits = self(pixels).float()
        if self.exclusive and not self.learned.any():
            return torch.full_like(logits, 1 / logits.shape[1])
        if self.exclusive:
            return torch.softmax(logits, dim=1)
        return torch.where(self.learned, torch.sigmoid(logits), self.constant)

    @property
    def can_learn(self) -> bool:
        """Whether there is an output, or a choice between classes, to learn."""
        return int(self.learned.sum()) > (1 if self.exclusive else 0)

    def hold(self, reasons: tuple[str | None, ...]) -> None:
        """Sets which outputs are learned; the others score what all their labels say, or 0.5."""
        known = [
            reason is None or (self.exclusive and reason == "no negative") for reason in reasons
        ]
        fixed = {"no positive": 0.0, "no negative": 1.0}
        values = [fixed.get(reason or "", 0.5) for reason in reasons]
        self.learned.copy_(torch.tensor(known))
        self.constant.copy_(torch.tensor(values))


def set_phase(classifier: Classifier, *, head_only: bool, statistics: str) -> None:
    """Modes and gradients of one phase.

    While only the head learns, the encoder is in evaluation mode and without gradients: neither
    its weights nor the running statistics of its batch normalisation move.
    """
    classifier.train()
    classifier.encoder.requires_grad_(not head_only)
    if head_only:
        classifier.encoder.eval()
    elif statistics == "frozen":
        for part in _batch_norms(classifier.encoder):
            part.eval()


def parameter_groups(
    classifier: Classifier, config: FineTuneConfig, trial: Trial
) -> list[dict[str, Any]]:
    """The head at its own rate; the encoder at the trial's, lower towards the image if asked."""
    shared: dict[str, Any] = {"weight_decay": trial.weight_decay}
    head = {"params": list(classifier.head.parameters()), "lr": config.head_rate, **shared}
    if config.layer_decay == 1:
        encoder = list(classifier.encoder.parameters())
        return [head, {"params": encoder, "lr": trial.learning_rate, **shared}]
    depths = _depths(classifier.encoder)
    top = max(depths.values())
    groups: dict[int, list[nn.Parameter]] = {}
    for name, parameter in classifier.encoder.backbone.named_parameters():
        groups.setdefault(depths[name], []).append(parameter)
    return [head] + [
        {
            "params": parameters,
            "lr": trial.learning_rate * config.layer_decay ** (top - depth),
            **shared,
        }
        for depth, parameters in sorted(groups.items())
    ]


def _depths(encoder: ImageEncoder) -> dict[str, int]:
    """The layer of each of the backbone's parameters, counted from the image."""
    from timm.models import group_parameters

    if not hasattr(encoder.backbone, "group_matcher"):
        raise RecipeError(
            f"timm does not say where the layers of '{encoder.config.name}' are; leave layer_decay "
            "at 1"
        )
    found: dict[str, int] = group_parameters(
        encoder.backbone, encoder.backbone.group_matcher(coarse=False), reverse=True
    )
    return found


def _batch_norms(module: nn.Module) -> Iterator[nn.Module]:
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            yield part
