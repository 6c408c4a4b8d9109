"""What decides a fine-tuning run, with ConVIRT's values where the paper gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import yaml

from radpair.errors import RecipeError, nearest
from radpair.evaluation.operating import STANDARD, read_point
from radpair.evaluation.policies import AGGREGATIONS
from radpair.images.augment import AugmentationConfig
from radpair.settings import build, plain, with_value

SELECTIONS = ("budget", "validate")
STATISTICS = ("batch", "frozen")
SWEPT = ("learning_rate", "weight_decay")

MILD = AugmentationConfig(
    crop=(0.85, 1.0),
    flip=0.0,
    rotation=10.0,
    shift=0.05,
    brightness=(0.8, 1.2),
    contrast=(0.8, 1.2),
    blur=(0.1, 1.0),
    probability=0.5,
)
"""Milder than in pretraining, and no flip: a finding's side, and the heart's, stay as they are."""

_LEAST: dict[str, float] = {
    "batch": 1,
    "warmup": 0,
    "passes": 0,
    "least_steps": 0,
    "check": 1,
    "head_rate": 0,
    "patience": 1,
    "rate_patience": 1,
}


@dataclass(frozen=True)
class Trial:
    """One point of the sweep."""

    learning_rate: float
    weight_decay: float


@dataclass(frozen=True)
class FineTuneConfig:
    """How a classifier is trained (ConVIRT, section 4.1 and its appendix on classification)."""

    batch: int = 64
    warmup: int = 200
    """Steps at the start that train the head alone; the encoder stands still in evaluation mode."""
    passes: int = 20
    """Passes over the budget after that, at most ..."""
    least_steps: int = 400
    """... but at least this many steps, unless the held-out loss ends them."""
    check: int = 25
    """Steps between two looks at the held-out part; a whole pass where that is longer."""
    learning_rate: tuple[float, ...] = (1e-4,)
    """Of the encoder. Several values here or below are a sweep, chosen by held-out loss."""
    weight_decay: tuple[float, ...] = (1e-6,)
    head_rate: float = 1e-3
    layer_decay: float = 1.0
    """Each layer's rate is that of the layer above it times this; 1 gives all the same."""
    dropout: float = 0.2
    layer_norm: bool = True
    """Layer norm between the encoder and the head."""
    statistics: str = "batch"
    """Of batch normalisation once the encoder learns: ``batch``, or ``frozen`` as pretrained."""
    rate_patience: int = 2
    """Looks without a lower held-out loss before every rate is halved; those of the warm-up do not
    count, here and below."""
    patience: int = 5
    """Looks without a lower held-out loss before training stops."""
    selection: str = "budget"
    """``budget`` holds out a part of the budget, by patient; ``validate`` takes studies of the
    validation split, no more of them than the budget has."""
    held_out: float = 0.2
    """The part of the budget that ``budget`` holds out."""
    views: str = "mean"
    """A study's probability: the ``mean`` of its images' or the ``max``, also where it is held out
    to end training and to choose thresholds."""
    operating_point: str = STANDARD
    """What thresholds are best at on the held-out part (``radpair.evaluation.operating``)."""
    augmentation: AugmentationConfig = field(default_factory=lambda: MILD)

    def __post_init__(self) -> None:
        for key, least in _LEAST.items():
            if not getattr(self, key) >= least:
                raise RecipeError(f"'{key}' is {getattr(self, key)}; it must be at least {least:g}")
        for key in SWEPT:
            values = getattr(self, key)
            if not values or not all(0 <= value < 1 for value in values):
                raise RecipeError(
                    f"'{key}' is {list(values)}; give one value, or several to sweep, each at "
                    "least 0 and below 1"
                )
        for key in ("dropout", "held_out"):
            if not 0 <= getattr(self, key) < 1:
                raise RecipeError(f"'{key}' is {getattr(self, key)}; it must lie in 0 to below 1")
        if not self.head_rate < 1:
            raise RecipeError(f"'head_rate' is {self.head_rate}; it must be below 1")
        if not 0 < self.layer_decay <= 1:
            raise RecipeError(f"'layer_decay' is {self.layer_decay}; it must lie above 0, up to 1")
        read_point(self.operating_point)
        chosen = (("selection", SELECTIONS), ("statistics", STATISTICS), ("views", AGGREGATIONS))
        for key, known in chosen:
            if getattr(self, key) not in known:
                value = getattr(self, key)
                raise RecipeError(f"'{key}' is '{value}'{nearest(value, known)}")

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The sweep: every rate with every weight decay."""
        return tuple(Trial(*pair) for pair in product(self.learning_rate, self.weight_decay))


def read_settings(overrides: Sequence[str] = ()) -> FineTuneConfig:
    """The standard settings with ``key=value`` overrides; a list such as [3e-5, 1e-4] is a sweep.

    Raises ``RecipeError`` naming an unknown key or an impossible value.
    """
    values: dict[str, Any] = plain(FineTuneConfig())
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise RecipeError(f"--set {override}: write it as key=value, for instance batch=32")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            value = text
        key = key.strip()
        if key in SWEPT and not isinstance(value, list):
            value = [value]
        values = with_value(values, key, value)
    return build(FineTuneConfig, values)


_OWN_OPTIONS = ("views", "operating_point")


def asked_settings(
    overrides: Sequence[str], views: str = "mean", operating_point: str = STANDARD
) -> FineTuneConfig:
    """``read_settings`` with the two that have options of their own on the command line.

    Raises ``RecipeError`` also where an override names one of these.
    """
    for override in overrides:
        key = override.partition("=")[0].strip()
        if key in _OWN_OPTIONS:
            raise RecipeError(f"--set {override}: give --{key.replace('_', '-')} instead")
    own = (f"views={views}", f"operating_point={operating_point}")
    return read_settings((*overrides, *own))
