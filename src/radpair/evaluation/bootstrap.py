"""Intervals and differences by resampling patients, not studies and not rows.

A patient's studies look alike, so patients are drawn with replacement and bring all of theirs
along. Several runs (label draws, seeds) of one model are never pooled: inside each resample the
metric is computed per run and averaged, so more runs do not feign more patients.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError
from radpair.evaluation.statistics import Floats, Metric, check_scores

_CHUNK_VALUES = 2_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its percentile interval; all three NaN where the value is undefined."""

    value: float
    low: float
    high: float
    p: float | None = None
    """Two-sided bootstrap p-value of a difference against 0; None for a plain metric."""
    undefined: int = 0
    """Resamples left out because one class of the label was not drawn."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric over labels: their mean, and each alone."""

    macro: Interval
    """Mean over the labels that are defined (in a resample: defined in that resample)."""
    labels: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Resampled:
    """A metric in the whole evaluation set and in each resample, averaged over runs."""

    value: Floats
    """``[labels]``."""
    draws: Floats
    """``[resamples, labels]``."""


def resample(
    metric: Metric,
    runs: NDArray[Any],
    truth: NDArray[Any],
    patients: Sequence[str],
    resamples: int = 1000,
    seed: int = 0,
) -> Resampled:
    """The metric of ``runs [runs, studies, labels]`` (or one run ``[studies, labels]``).

    ``truth [studies, labels]`` holds 1, 0 or NaN. The same patients, resamples and seed give the
    same resamples for every model, which is what makes differences paired.
    """
    stacked = np.asarray(runs)[None] if np.ndim(runs) == 2 else np.asarray(runs)
    check_scores(stacked, truth)
    if len(patients) != len(truth):
        raise EvaluationError(f"{len(truth)} studies but {len(patients)} patient ids were given")
    value = np.mean([metric(run, truth, None) for run in stacked], axis=0)
    parts = [
        np.mean([metric(run, truth, weights) for run in stacked], axis=0)
        for weights in patient_weights(patients, resamples, seed)
    ]
    return Resampled(value, np.concatenate(parts))


def patient_weights(patients: Sequence[str], resamples: int, seed: int) -> Iterator[Floats]:
    """How often each study counts in each resample, in chunks ``[studies, some resamples]``.

    One draw of patients with replacement per resample; the chunks' size never changes the draws.
    """
    _, member = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    count = int(member.max()) + 1
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK_VALUES // len(member))
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = rng.integers(0, count, size=(size, count))
        flat = (drawn * size + np.arange(size)[:, None]).ravel()
        weights = np.bincount(flat, minlength=count * size).reshape(count, size)
        yield weights[member].astype(np.float64)


def interval(sample: Resampled, level: float = 0.95) -> Estimate:
    """Percentile intervals of a resampled metric, per label and for the mean over labels."""
    labels = tuple(
        _interval(float(value), draws, level)
        for value, draws in zip(sample.value, sample.draws.T, strict=True)
    )
    return Estimate(_interval(*_macro(sample), level), labels)


def bootstrap(
    metric: Metric,
    runs: NDArray[Any],
    truth: NDArray[Any],
    patients: Sequence[str],
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """``interval(resample(...))``: a metric with its interval over patients."""
    return interval(resample(metric, runs, truth, patients, resamples, seed), level)


def difference(first: Resampled, second: Resampled, level: float = 0.95) -> Estimate:
    """``first - second`` resample by resample; both must come from the same patients and seed."""
    if first.draws.shape != second.draws.shape:
        raise EvaluationError("a paired difference needs the same studies, labels and resamples")
    gap = Resampled(first.value - second.value, first.draws - second.draws)
    labels = tuple(
        _interval(float(value), draws, level, tested=True)
        for value, draws in zip(gap.value, gap.draws.T, strict=True)
    )
    return Estimate(_interval(*_macro(gap), level, tested=True), labels)


def _macro(sample: Resampled) -> tuple[float, Floats]:
    """The mean over labels of the whole set and of each resample, undefined labels left out."""
    defined = ~np.isnan(sample.value)
    if not defined.any():
        return float("nan"), np.full(len(sample.draws), np.nan)
    draws = sample.draws[:, defined]
    there = ~np.isnan(draws)
    total = np.where(there, draws, 0.0).sum(axis=1)
    counts = there.sum(axis=1)
    means = np.divide(total, counts, out=np.full(len(draws), np.nan), where=counts > 0)
    return float(sample.value[defined].mean()), means


def _interval(value: float, draws: Floats, level: float, tested: bool = False) -> Interval:
    kept = draws[~np.isnan(draws)]
    left_out = len(draws) - len(kept)
    if np.isnan(value) or len(kept) == 0:
        return Interval(float("nan"), float("nan"), float("nan"), None, left_out)
    low, high = np.quantile(kept, [(1 - level) / 2, (1 + level) / 2])
    p = _two_sided(kept) if tested else None
    return Interval(value, float(low), float(high), p, left_out)


def _two_sided(draws: Floats) -> float:
    """Twice the smaller tail at 0, each tail counted with one added so that it is never 0."""
    tails = (1 + np.sum(draws <= 0), 1 + np.sum(draws >= 0))
    return float(min(1.0, 2 * min(tails) / (len(draws) + 1)))
