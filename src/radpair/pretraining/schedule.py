"""The learning rate over the steps of a run."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from radpair.pretraining.recipe import TrainingConfig


def scheduler(config: TrainingConfig, optimiser: torch.optim.Optimizer, total: int) -> Any:
    """The schedule of ``config`` over ``total`` steps."""
    if config.schedule == "plateau":
        return torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimiser, factor=config.factor, patience=config.patience
        )
    return torch.optim.lr_scheduler.LambdaLR(optimiser, _rate(config, total))


def _rate(config: TrainingConfig, total: int) -> Callable[[int], float]:
    def rate(step: int) -> float:
        warm = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
        if config.schedule == "constant":
            return warm
        return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, step / total)))

    return rate
