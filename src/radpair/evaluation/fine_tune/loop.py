"""One training: the head first, then everything, ended by the loss of a held-out part.

ConVIRT, section 4.1: 200 steps train the head alone, then the encoder learns at a tenth of the
head's rate. Everything random in a step is seeded by (seed, step).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from radpair.errors import EvaluationError
from radpair.evaluation.budgets import Indices
from radpair.evaluation.features import buffer_hash
from radpair.evaluation.fine_tune.classifier import Classifier, parameter_groups, set_phase
from radpair.evaluation.fine_tune.films import (
    Films,
    Fitted,
    Item,
    items_of,
    training_batches,
)
from radpair.evaluation.fine_tune.settings import FineTuneConfig, Trial
from radpair.evaluation.fine_tune.tasks import Task, held_out_loss, loss
from radpair.evaluation.policies import study_scores
from radpair.evaluation.statistics import Floats

OnStep = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Part:
    """Some studies and what is known of them: nothing else reaches the training."""

    studies: Indices
    truth: Floats
    """``[studies, outputs]``: 1, 0 or NaN."""


@dataclass
class Course:
    """How a training went, and the best weights it passed."""

    trial: Trial
    steps: int = 0
    best_step: int = 0
    best_loss: float = math.inf
    """Held-out; infinite where nothing could be held out."""
    looks: list[tuple[int, float]] = field(default_factory=list)
    """(step, held-out loss) in order."""
    weights: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class _Limits:
    """Step numbers: the head alone until ``warmup``, a look every ``every``, the end."""

    warmup: int
    every: int
    end: int


def train(
    classifier: Classifier,
    task: Task,
    films: Films,
    fit: Part,
    held: Part | None,
    config: FineTuneConfig,
    trial: Trial,
    seed: int,
    on_step: OnStep = lambda done, total, note: None,
) -> Course:
    """Trains ``classifier`` on ``fit``; it ends with the weights of the lowest held-out loss.

    Without ``held`` there is nothing to choose by: it trains for all its steps and keeps the last.
    Raises ``EvaluationError`` where the loss is not finite or the frozen encoder changed.
    """
    device = next(classifier.parameters()).device
    known = np.flatnonzero(~np.isnan(fit.truth).all(axis=1))
    items = items_of(films, fit.studies[known], every_image=task.every_image)
    truth = torch.from_numpy(fit.truth[known].astype(np.float32))
    truth[:, ~_in_loss(classifier)] = float("nan")
    course, limits = Course(trial), _limits(config, items)
    if not classifier.can_learn:
        course.weights = _copied(classifier)
        return course
    optimiser = torch.optim.Adam(parameter_groups(classifier, config, trial))
    size = classifier.encoder.config.size
    seen = None if held is None else Fitted(films, held.studies, size)
    batches = training_batches(films, items, size, config.augmentation, config.batch, seed)
    random = [device] if device.type == "cuda" else []
    with closing(batches), torch.random.fork_rng(devices=random):
        frozen = buffer_hash(classifier.encoder)
        for pixels, rows in batches:
            if course.steps == limits.warmup:
                _check_frozen(classifier, frozen)
            if course.steps == limits.end or _stops(course, limits, config):
                break
            torch.manual_seed((seed << 32) + course.steps)
            head_only = course.steps < limits.warmup
            alone = len(rows) == 1  # a batch of one has no statistics of its own
            statistics = "frozen" if alone else config.statistics
            set_phase(classifier, head_only=head_only, statistics=statistics)
            found = _step(classifier, optimiser, pixels.to(device), truth[rows].to(device))
            course.steps += 1
            _refuse_non_finite(found, course.steps, trial)
            if held is not None and seen is not None and _is_look(course.steps, limits):
                _look(classifier, held, seen, course, config.views)
                _lower_rates(optimiser, course, limits, config)
            best = f"  held out {course.best_loss:.3f}" if course.looks else ""
            on_step(course.steps, limits.end, f"loss {found:.3f}{best}")
    if not course.weights:
        course.weights, course.best_step = _copied(classifier), course.steps
    classifier.load_state_dict(course.weights)
    return course


def study_probabilities(classifier: Classifier, films: Fitted, views: str = "mean") -> Floats:
    """The mean, or ``max``, over each study's images of their probabilities ``[studies, outputs]``.

    Classes that exclude each other are scaled to sum to 1 after the maximum.
    """
    images = image_probabilities(classifier, films)
    names = [f"number {place}" for place in range(films.studies)]
    found = study_scores(images, films.owner, names, views)
    if classifier.exclusive and views == "max":
        found /= found.sum(axis=1, keepdims=True)
    return found


def image_probabilities(classifier: Classifier, films: Fitted) -> Floats:
    """``[images, outputs]``, in the order of ``films``."""
    device = next(classifier.parameters()).device
    modes = [(part, part.training) for part in classifier.modules()]
    classifier.eval()
    with torch.inference_mode():
        found = [classifier.probabilities(group.to(device)).cpu() for group in films.batches()]
    for part, training in modes:
        part.training = training
    return np.asarray(torch.cat(found).double().numpy())


def _limits(config: FineTuneConfig, items: Sequence[Item]) -> _Limits:
    a_pass = max(1, math.ceil(len(items) / config.batch))
    tuned = max(config.least_steps, config.passes * a_pass)
    return _Limits(config.warmup, max(config.check, a_pass), config.warmup + tuned)


def _in_loss(classifier: Classifier) -> Tensor:
    """The outputs that take part in the loss."""
    learned = classifier.learned.cpu()
    return torch.ones_like(learned) if classifier.exclusive else learned


def _step(
    classifier: Classifier, optimiser: torch.optim.Optimizer, pixels: Tensor, truth: Tensor
) -> float:
    found = loss(classifier.exclusive, classifier(pixels), truth)
    value = float(found.detach())
    if math.isfinite(value):
        optimiser.zero_grad(set_to_none=True)
        found.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return value


def _is_look(step: int, limits: _Limits) -> bool:
    return step == limits.warmup or (step - limits.warmup) % limits.every == 0 or step == limits.end


def _look(classifier: Classifier, held: Part, seen: Fitted, course: Course, views: str) -> None:
    scores = study_probabilities(classifier, seen, views)
    truth = np.where(_in_loss(classifier).numpy(), held.truth, np.nan)
    if classifier.exclusive:
        truth = held.truth
    value = held_out_loss(classifier.exclusive, scores, truth)
    if math.isnan(value):
        return
    course.looks.append((course.steps, value))
    if value < course.best_loss:
        course.best_loss, course.best_step = value, course.steps
        course.weights = _copied(classifier)


def _since_best(course: Course, limits: _Limits) -> int:
    """Looks without a lower loss since the encoder began to learn.

    What the head reached alone does not count: batch statistics change when the encoder begins, so
    the loss rises at first, and an encoder that is still coming down from there is not given up.
    """
    tuned = [value for step, value in course.looks if step > limits.warmup]
    return len(tuned) - 1 - tuned.index(min(tuned)) if tuned else 0


def _stops(course: Course, limits: _Limits, config: FineTuneConfig) -> bool:
    return _since_best(course, limits) >= config.patience


def _lower_rates(
    optimiser: torch.optim.Optimizer, course: Course, limits: _Limits, config: FineTuneConfig
) -> None:
    waited = _since_best(course, limits)
    if waited and waited % config.rate_patience == 0:
        for group in optimiser.param_groups:
            group["lr"] *= 0.5


def _copied(classifier: Classifier) -> dict[str, Tensor]:
    return {key: value.detach().clone() for key, value in classifier.state_dict().items()}


def _check_frozen(classifier: Classifier, before: str) -> None:
    if buffer_hash(classifier.encoder) != before:
        raise EvaluationError(
            "the encoder changed while only the head was to learn: it is not frozen, so the "
            "figures would not be what they say"
        )


def _refuse_non_finite(value: float, step: int, trial: Trial) -> None:
    if not math.isfinite(value):
        raise EvaluationError(
            f"the loss of step {step} is not finite at learning rate {trial.learning_rate:g}: "
            "lower it with --set learning_rate=... or head_rate=..."
        )
