"""What every probe within a label budget has in common.

ConVIRT (Zhang et al. 2022, section 4.1) and IGC report classifiers on frozen features with few
training labels. Here a budget is drawn by patient, several times with a seed; what a probe chooses
and its operating point come from inside the budget; the intervals come from resampling the
evaluated patients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from radpair.errors import EvaluationError
from radpair.evaluation.bootstrap import Resampled, resample
from radpair.evaluation.budgets import Indices, assert_disjoint, why_no_folds
from radpair.evaluation.features import refuse_constant
from radpair.evaluation.metrics import CALIBRATED, DECIDED, RANKED, accuracies
from radpair.evaluation.operating import (
    STANDARD,
    read_point,
    resample_decided,
    undecided,
)
from radpair.evaluation.over_draws import figures_over_draws
from radpair.evaluation.results import Row
from radpair.evaluation.statistics import Floats, Metric, given_labels
from radpair.evaluation.thresholds import choose_thresholds, decide
from radpair.evaluation.untaught import first_reasons
from radpair.evaluation.untaught import untaught as untaught_labels
from radpair.evaluation.views import MEAN, Views, fit_views

Features = NDArray[Any] | Views
"""``[studies, dim]``; or studies whose images are each learned from and scored by themselves."""
OnProbe = Callable[[int, int], None]
OnScores = Callable[[str, "Level", Floats], None]
"""Takes a model's name, the level, and scores ``[draws, evaluated studies, labels]``."""


class Fitted(Protocol):
    """A probe that has learned from a budget."""

    @property
    def constant(self) -> tuple[str | None, ...]:
        """Why a label has a constant score, or None, for each label."""

    @property
    def chosen(self) -> Floats:
        """The setting chosen inside the budget for each label; NaN for a constant label."""

    @property
    def cross_fitted(self) -> Floats:
        """Scores ``[studies, labels]`` of the budget's studies by probes that did not learn from
        their patients; NaN where there is none."""

    def score(self, features: NDArray[Any]) -> Floats:
        """Scores ``[studies, labels]`` of ``features [studies, dim]``."""


Fit = Callable[[NDArray[Any], Floats, Sequence[str]], Fitted]
"""Learns from features ``[studies, dim]``, truth ``[studies, labels]`` and patients."""


@dataclass(frozen=True, slots=True)
class Task:
    """The labelled studies, and which of them are learned from and evaluated on."""

    truth: Floats
    patients: NDArray[np.str_]
    names: tuple[str, ...]
    train: Indices
    test: Indices
    evaluated: str

    def counts(self) -> dict[str, Any]:
        """Studies, patients and positives on either side."""
        sides = {"train": self.train, self.evaluated: self.test}
        given = (self.names, self.truth, self.patients)
        return {side: counts(*given, rows) for side, rows in sides.items()}


@dataclass(frozen=True, slots=True)
class Budget:
    """The studies that one draw may learn from, and their labels inside the budget."""

    rows: Indices
    truth: Floats
    """``[rows, labels]``; NaN for a label that is not in the budget."""


@dataclass(frozen=True, slots=True)
class Level:
    """One point of a label-efficiency curve: its draws."""

    fraction: float
    """Studies learned from, as a share of the training split."""
    budgets: Sequence[Budget]
    shots: int | None = None

    @property
    def studies(self) -> int:
        """The mean over draws."""
        return round(float(np.mean([len(budget.rows) for budget in self.budgets])))


@dataclass(frozen=True, slots=True)
class _Draws:
    """One model at one level: scores and decisions ``[draws, test studies, labels]``."""

    probes: list[Fitted]
    scores: Floats
    decisions: NDArray[np.bool_]
    why_not: tuple[str | None, ...]
    """Why a label has no decisions, or None, for each label."""


@dataclass(frozen=True, slots=True)
class Learned:
    """A probe of one budget, and what it says of the tested studies."""

    probe: Fitted
    scores: Floats
    """``[tested studies, labels]``."""
    decisions: NDArray[np.bool_]
    """The same shape; a label that the budget has one class of is decided absent."""
    why_not: tuple[str | None, ...]
    """Why a label of both classes has no threshold, or None, for each label."""


def make_task(
    labels: NDArray[Any],
    patients: Sequence[str],
    splits: Sequence[str] | NDArray[Any],
    label_names: Sequence[str],
    evaluated: str = "test",
    uncertain: str = "ignore",
) -> Task:
    """Checks that everything describes the same studies and that no patient is on both sides.

    ``labels [studies, labels]`` holds 1, 0, -1 uncertain, NaN not given. Raises
    ``EvaluationError`` for an empty split, a shared patient, and unknown label values.
    """
    ids = [f"row {index}" for index in range(len(labels))]
    truth = given_labels(labels, ids, label_names, uncertain)
    return _task(truth, patients, np.asarray(splits), tuple(label_names), evaluated)


def run_levels(
    task: Task,
    features_by_name: Mapping[str, Features],
    levels: Sequence[Level],
    fit: Fit,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    on_probe: OnProbe | None = None,
    on_scores: OnScores | None = None,
    calibration: bool = False,
    operating_point: str = STANDARD,
) -> list[Row]:
    """Every encoder at every level; the first encoder is the reference of all differences.

    ``calibration``: the scores are logits, whose probabilities get a Brier score and a calibration
    error too. ``operating_point``: as ``radpair.evaluation.operating`` reads it.
    """
    _check_features(features_by_name, len(task.truth))
    read_point(operating_point)
    rows: list[Row] = []
    for point in levels:
        reference: dict[str, Resampled] = {}
        for name, features in features_by_name.items():
            fitted = _fit(task, features, point.budgets, fit, operating_point)
            sampled = _sample(task, fitted, resamples, seed, calibration)
            if on_scores is not None:
                on_scores(name, point, fitted.scores)
            rows.append(_row(task, name, point, fitted, sampled, reference, level))
            reference = reference or sampled
            if on_probe is not None:
                on_probe(len(rows), len(levels) * len(features_by_name))
    return rows


def views_of(features_by_name: Mapping[str, Features]) -> str:
    """How studies of several images are scored: ``mean`` or ``max``."""
    first = next(iter(features_by_name.values()))
    return first.how if isinstance(first, Views) else MEAN


def _check_features(features_by_name: Mapping[str, Features], studies: int) -> None:
    for name, features in features_by_name.items():
        if features.ndim != 2 or len(features) != studies:
            raise EvaluationError(
                f"the features of '{name}' have shape {list(features.shape)} but there are "
                f"{studies} studies: encode the same study set"
            )
        refuse_constant(name, features.codes if isinstance(features, Views) else features)


def _task(
    truth: Floats,
    patients: Sequence[str],
    splits: NDArray[Any],
    names: tuple[str, ...],
    evaluated: str,
) -> Task:
    if not len(truth) == len(patients) == len(splits) or truth.shape[1] != len(names):
        raise EvaluationError(
            f"labels {list(truth.shape)}, {len(patients)} patients, {len(splits)} splits and "
            f"{len(names)} label names do not describe the same studies"
        )
    train, test = (np.flatnonzero(splits == name) for name in ("train", evaluated))
    for name, found in (("train", train), (evaluated, test)):
        if len(found) == 0:
            raise EvaluationError(
                f"the split '{name}' holds no studies: the probe learns from 'train' and is "
                f"measured on '{evaluated}'"
            )
    people = np.asarray(patients, dtype=str)
    assert_disjoint(people[train].tolist(), people[test].tolist())
    return Task(truth, people, names, train, test, evaluated)


def _fit(
    task: Task, features: Features, budgets: Sequence[Budget], fit: Fit, operating_point: str
) -> _Draws:
    """One probe a budget; thresholds for decisions from its out-of-fold scores."""
    tested = task.patients[task.test].tolist()
    found = [
        learn(
            *(features, budget.rows, budget.truth, task.patients[budget.rows].tolist(), fit),
            *(task.test, tested, operating_point),
        )
        for budget in budgets
    ]
    return _Draws(
        [one.probe for one in found],
        np.stack([one.scores for one in found]),
        np.stack([one.decisions for one in found]),
        undecided([one.why_not for one in found]),
    )


def learn(
    features: Features,
    rows: Indices,
    truth: Floats,
    people: Sequence[str],
    fit: Fit,
    test: Indices,
    tested: Sequence[str],
    operating_point: str = STANDARD,
) -> Learned:
    """A probe of the studies ``rows``, its scores of the studies ``test`` and its decisions.

    ``truth [rows, labels]`` and ``people [rows]`` belong to the budget, ``tested`` are the patients
    of ``test``. Thresholds come from out-of-fold scores inside the budget.
    """
    given: Any = features[rows]
    by_view = isinstance(given, Views)
    probe: Any = fit_views(fit, given, truth, people) if by_view else fit(given, truth, people)
    scores = probe.score(features[test])
    held_out = probe.cross_fitted
    known = np.where(np.isnan(held_out), np.nan, truth)
    thresholds = choose_thresholds(
        np.nan_to_num(held_out), known, people, tested, *read_point(operating_point)
    )
    lacking = np.isnan(thresholds) & np.array([reason is None for reason in probe.constant])
    why_not = tuple(
        (why_no_folds(truth[:, place], people) or "no study of a class was held out")
        if lacks
        else None
        for place, lacks in enumerate(lacking)
    )
    return Learned(probe, scores, decide(scores, thresholds), why_not)


def _sample(
    task: Task, fitted: _Draws, resamples: int, seed: int, calibration: bool
) -> dict[str, Resampled]:
    truth, people = task.truth[task.test], task.patients[task.test].tolist()
    every: tuple[str | None, ...] = (None,) * truth.shape[1]
    untaught = untaught_labels(_constant(task, fitted), task.names, len(fitted.probes))
    inputs: list[tuple[Mapping[str, Metric], NDArray[Any], tuple[str | None, ...]]] = [
        (RANKED, fitted.scores, untaught),
        (DECIDED, fitted.decisions, first_reasons(untaught, fitted.why_not)),
        (accuracies(truth), fitted.scores, every),
    ]
    if calibration:
        inputs.append((CALIBRATED, expit(fitted.scores), untaught))
    found = {}
    for metrics, runs, why_not in inputs:
        for name, metric in metrics.items():
            among = (truth, why_not, people, resamples, seed)
            found[name] = (
                resample_decided(metric, runs, *among)
                if any(why_not)
                else resample(metric, runs, truth, people, resamples, seed)
            )
    return found


def _row(
    task: Task,
    model: str,
    point: Level,
    fitted: _Draws,
    sampled: dict[str, Resampled],
    reference: dict[str, Resampled],
    level: float,
) -> Row:
    metrics, differences = figures_over_draws(task.names, sampled, reference, level)
    chosen = {
        name: [float(probe.chosen[index]) for probe in fitted.probes]
        for index, name in enumerate(task.names)
    }
    return Row(
        model,
        float(point.fraction),
        point.studies,
        len(fitted.probes),
        metrics,
        differences,
        chosen,
        _constant(task, fitted),
        point.shots,
    )


def _constant(task: Task, fitted: _Draws) -> list[dict[str, Any]]:
    """The labels that a draw's budget has one class of, with the reason."""
    return [
        {"draw": draw, "label": name, "reason": reason}
        for draw, probe in enumerate(fitted.probes)
        for name, reason in zip(task.names, probe.constant, strict=True)
        if reason is not None
    ]


def counts(
    names: Sequence[str], truth: Floats, patients: NDArray[np.str_], rows: Indices
) -> dict[str, Any]:
    """Studies, patients and positives of the studies ``rows``; ``truth [studies, labels]``."""
    positives = (truth[rows] == 1).sum(axis=0)
    return {
        "studies": len(rows),
        "patients": len(set(patients[rows].tolist())),
        "positives": {name: int(count) for name, count in zip(names, positives, strict=True)},
    }
