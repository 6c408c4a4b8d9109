"""Linear evaluation of frozen encoders at several label budgets.

ConVIRT (Zhang et al. 2022, section 4.1) and IGC both report a linear classifier on frozen features
with 1, 10 and 100 % of the training labels. Here the budget is drawn by patient, several times with
a seed; the penalty and the operating point are chosen inside the budget; the intervals come from
resampling the evaluated patients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError
from radpair.evaluation.bootstrap import Resampled, difference, interval, resample
from radpair.evaluation.budgets import Indices, assert_disjoint, label_budget
from radpair.evaluation.probe import PENALTIES, Probe, fit_probe
from radpair.evaluation.results import MetricResult, Results, Row, metric_result
from radpair.evaluation.statistics import (
    Floats,
    Metric,
    auroc,
    average_precision,
    f1,
    given_labels,
    mcc,
)
from radpair.evaluation.thresholds import choose_thresholds, decide

SCHEMA = "radpair.linear/1"
RANKED: Mapping[str, Metric] = {"auroc": auroc, "average_precision": average_precision}
DECIDED: Mapping[str, Metric] = {"mcc": mcc, "f1": f1}


@dataclass(frozen=True, slots=True)
class _Task:
    """The labelled studies, and which of them are learned from and evaluated on."""

    truth: Floats
    patients: NDArray[np.str_]
    names: tuple[str, ...]
    train: Indices
    test: Indices


@dataclass(frozen=True, slots=True)
class _Draws:
    """One model at one fraction: scores and decisions ``[draws, test studies, labels]``."""

    probes: list[Probe]
    scores: Floats
    decisions: NDArray[np.bool_]
    studies: int


def linear_probe(
    features_by_name: Mapping[str, NDArray[Any]],
    labels: NDArray[Any],
    patients: Sequence[str],
    splits: Sequence[str] | NDArray[Any],
    label_names: Sequence[str],
    fractions: Sequence[float] = (0.01, 0.1, 1.0),
    draws: int = 5,
    seed: int = 0,
    *,
    evaluated: str = "test",
    penalties: Sequence[float] = PENALTIES,
    folds: int = 5,
    resamples: int = 1000,
    level: float = 0.95,
    uncertain: str = "ignore",
    on_probe: Callable[[int, int], None] | None = None,
) -> Results:
    """Trains on ``train`` at every fraction and draw, evaluates on the split ``evaluated``.

    ``features_by_name`` maps each encoder to its study features ``[studies, dim]``, the first being
    the reference of all differences (the random encoder); ``labels [studies, labels]`` holds 1, 0,
    -1 uncertain, NaN not given. Fraction 1 has one draw, as there is only one way to take all.
    A label with one class in a draw scores a constant there (AUROC 0.5) and is named in
    ``constant``. ``on_probe(done, total)`` is called after each encoder and fraction.

    Raises ``EvaluationError`` for an empty split, a patient on both sides, features that do not fit
    the studies, and unknown label values.
    """
    if draws < 1 or not features_by_name or not fractions:
        raise EvaluationError("a linear probe needs at least one encoder, fraction and draw")
    ids = [f"row {index}" for index in range(len(labels))]
    truth = given_labels(labels, ids, label_names, uncertain)
    task = _task(truth, patients, np.asarray(splits), tuple(label_names), evaluated)
    _check_features(features_by_name, len(labels))
    rows: list[Row] = []
    for fraction in fractions:
        budgets = [
            task.train[label_budget(task.patients[task.train].tolist(), fraction, seed, draw)]
            for draw in range(1 if fraction >= 1 else draws)
        ]
        reference: dict[str, Resampled] = {}
        for name, features in features_by_name.items():
            fitted = _fit(task, features, budgets, penalties, folds, seed)
            sampled = _sample(task, fitted, resamples, seed)
            rows.append(_row(task, name, fraction, fitted, sampled, reference, level))
            reference = reference or sampled
            if on_probe is not None:
                on_probe(len(rows), len(fractions) * len(features_by_name))
    settings = {
        "fractions": list(fractions),
        "draws": draws,
        "seed": seed,
        "penalties": list(penalties),
        "folds": folds,
        "resamples": resamples,
        "level": level,
        "uncertain": uncertain,
        "evaluated": evaluated,
    }
    counts = {"train": _counts(task, task.train), evaluated: _counts(task, task.test)}
    first = next(iter(features_by_name))
    return Results(SCHEMA, list(task.names), first, settings, counts, rows)


def _check_features(features_by_name: Mapping[str, NDArray[Any]], studies: int) -> None:
    for name, features in features_by_name.items():
        if np.ndim(features) != 2 or len(features) != studies:
            raise EvaluationError(
                f"the features of '{name}' have shape {list(np.shape(features))} but there are "
                f"{studies} studies: encode the same study set"
            )


def _task(
    truth: Floats,
    patients: Sequence[str],
    splits: NDArray[Any],
    names: tuple[str, ...],
    evaluated: str,
) -> _Task:
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
    return _Task(truth, people, names, train, test)


def _fit(
    task: _Task,
    features: NDArray[Any],
    budgets: Sequence[Indices],
    penalties: Sequence[float],
    folds: int,
    seed: int,
) -> _Draws:
    """One probe a budget; thresholds for decisions from its out-of-fold scores."""
    probes, scores, decisions = [], [], []
    tested = task.patients[task.test].tolist()
    for rows in budgets:
        people, truth = task.patients[rows].tolist(), task.truth[rows]
        probe = fit_probe(features[rows], truth, people, penalties, folds, seed)
        logits = probe.score(features[task.test])
        held_out = probe.cross_fitted
        known = np.where(np.isnan(held_out), np.nan, truth)
        thresholds = choose_thresholds(np.nan_to_num(held_out), known, people, tested)
        probes.append(probe)
        scores.append(logits)
        decisions.append(decide(logits, thresholds))
    return _Draws(probes, np.stack(scores), np.stack(decisions), len(budgets[0]))


def _sample(task: _Task, fitted: _Draws, resamples: int, seed: int) -> dict[str, Resampled]:
    truth, people = task.truth[task.test], task.patients[task.test].tolist()
    inputs = [(RANKED, fitted.scores), (DECIDED, fitted.decisions)]
    return {
        name: resample(metric, runs, truth, people, resamples, seed)
        for metrics, runs in inputs
        for name, metric in metrics.items()
    }


def _row(
    task: _Task,
    model: str,
    fraction: float,
    fitted: _Draws,
    sampled: dict[str, Resampled],
    reference: dict[str, Resampled],
    level: float,
) -> Row:
    metrics = {
        name: metric_result(interval(sample, level), task.names, _macros(task, name, fitted))
        for name, sample in sampled.items()
    }
    differences: dict[str, MetricResult] = {
        name: metric_result(difference(sampled[name], base, level), task.names)
        for name, base in reference.items()
    }
    penalties = {
        name: [float(probe.penalties[index]) for probe in fitted.probes]
        for index, name in enumerate(task.names)
    }
    constant = [
        {"draw": draw, "label": name, "reason": reason}
        for draw, probe in enumerate(fitted.probes)
        for name, reason in zip(task.names, probe.constant, strict=True)
        if reason is not None
    ]
    return Row(
        model,
        float(fraction),
        fitted.studies,
        len(fitted.probes),
        metrics,
        differences,
        penalties,
        constant,
    )


def _macros(task: _Task, name: str, fitted: _Draws) -> list[float]:
    """The mean over defined labels of each draw."""
    metric, runs = (
        (RANKED[name], fitted.scores) if name in RANKED else (DECIDED[name], fitted.decisions)
    )
    values = [metric(run, task.truth[task.test], None) for run in runs]
    return [
        float(value[~np.isnan(value)].mean()) if (~np.isnan(value)).any() else float("nan")
        for value in values
    ]


def _counts(task: _Task, rows: Indices) -> dict[str, Any]:
    positives = (task.truth[rows] == 1).sum(axis=0)
    return {
        "studies": len(rows),
        "patients": len(set(task.patients[rows].tolist())),
        "positives": {name: int(count) for name, count in zip(task.names, positives, strict=True)},
    }
