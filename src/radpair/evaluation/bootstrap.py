"""Intervals by resampling patients, not studies and not rows.

A patient's studies look alike, so patients are drawn with replacement and bring all of theirs
along. Several runs (label draws, seeds) of one model are never pooled: inside each resample the
metric is computed per run and averaged, so more runs do not feign more patients. What turns
resamples into an interval is in ``intervals``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError
from radpair.evaluation.intervals import (
    percentile_bounds,
    shape,
    variance,
    wilson_bounds,
)
from radpair.evaluation.statistics import Floats, Metric, check_scores, why_undefined

_CHUNK_VALUES = 100_000
_LEAST_COLUMNS = 32
_KEPT_VALUES = 4_000_000
_GROUPS = 500
_NOTHING = 1e-18
"""A variance below this is rounding."""
_ALONE = "a class rests on one patient: the interval is not to be trusted"
_COUNTED = {
    "sensitivity": "positives",
    "specificity": "negatives",
    "true_positive_rate": "positives",
    "false_positive_rate": "negatives",
    "accuracy": "given",
    "hit_rate": "given",
}
"""The metrics that are shares of studies, by name, and which studies they are shares of."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its interval; all three NaN where the value is undefined."""

    value: float
    low: float
    high: float
    p: float | None = None
    """Two-sided p-value of a difference against 0; None for a plain metric."""
    undefined: int = 0
    """Resamples left out because one class of the label was not drawn."""
    note: str | None = None
    """Why the value is undefined, what its mean leaves out, or why its interval is doubtful."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric over labels: their mean, and each alone."""

    macro: Interval
    """Mean over the labels that are defined (in a resample: defined in that resample)."""
    labels: tuple[Interval, ...]


def _nothing() -> Floats:
    return np.empty((0, 0))


@dataclass(frozen=True, slots=True)
class Resampled:
    """A metric in the whole evaluation set and in each resample, averaged over runs."""

    value: Floats
    """``[labels]``."""
    draws: Floats
    """``[resamples, labels]``."""
    left_out: Floats = field(default_factory=_nothing)
    """Without each patient, ``[groups, labels]`` (groups of patients where they are many)."""
    support: Floats = field(default_factory=_nothing)
    """Patients and studies that a share is taken of, ``[labels, 2]``; empty for other metrics.

    Patients with unequal numbers of studies ``n`` count as ``kish(n)``. Without ``left_out`` the
    variance is that of the draws.
    """
    notes: tuple[str | None, ...] = ()
    """Per label why it is undefined or doubtful, None where it is not."""
    run_values: Floats = field(default_factory=_nothing)
    """Each run's own ``[runs, labels]``; empty for one run."""
    run_draws: Floats = field(default_factory=_nothing)
    """Each run's own ``[runs, resamples, labels]``; empty for one run."""


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

    def measured(weights: Floats | None) -> Floats:
        """``[runs, labels]``, or with ``weights`` ``[runs, draws, labels]``."""
        return np.stack([metric(run, truth, weights) for run in stacked])

    values = measured(None)
    drawn, without = _weights(patients, resamples, seed)
    draws = np.concatenate([measured(weights) for weights in drawn], axis=1)
    left_out = np.concatenate([measured(weights).mean(axis=0) for weights in without])
    value = np.asarray(values.mean(axis=0))
    several = len(stacked) > 1
    return Resampled(
        value,
        np.asarray(draws.mean(axis=0)),
        left_out,
        _support(metric, truth, patients, len(value)),
        _notes(value, left_out, truth),
        values if several else _nothing(),
        draws if several else _nothing(),
    )


def combined(samples: Sequence[Resampled], factors: Sequence[float]) -> Resampled:
    """The sum of metrics, each times its factor, in the whole set and resample by resample.

    ``[1, -1]`` is a difference, ``[1 / n] * n`` a mean over readers or models. All must come from
    the same patients and seed. Raises ``EvaluationError`` for unequal shapes.
    """
    if len({sample.draws.shape for sample in samples}) != 1:
        raise EvaluationError("a paired difference needs the same studies, labels and resamples")
    both = all(len(sample.left_out) == len(samples[0].left_out) for sample in samples)
    notes = [sample.notes or (None,) * len(sample.value) for sample in samples]
    return Resampled(
        _weighted([sample.value for sample in samples], factors),
        _weighted([sample.draws for sample in samples], factors),
        _weighted([sample.left_out for sample in samples], factors) if both else _nothing(),
        notes=tuple(next(filter(None, column), None) for column in zip(*notes, strict=True)),
    )


def patient_weights(patients: Sequence[str], resamples: int, seed: int) -> Iterator[Floats]:
    """How often each study counts in each resample, in chunks ``[studies, some resamples]``.

    One draw of patients with replacement per resample; the chunks' size never changes the draws.
    """
    _, member = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    count = int(member.max()) + 1
    rng = np.random.default_rng(seed)
    step = max(_LEAST_COLUMNS, _CHUNK_VALUES // len(member))
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = rng.integers(0, count, size=(size, count))
        flat = (drawn * size + np.arange(size)[:, None]).ravel()
        weights = np.bincount(flat, minlength=count * size).reshape(count, size)
        yield weights[member].astype(np.float64)


def left_out_weights(patients: Sequence[str], seed: int) -> Iterator[Floats]:
    """1 for the studies that stay when a patient is left out, in chunks ``[studies, groups]``.

    Above 500 patients, whole groups of patients are left out, dealt at random by the seed.
    """
    names, member = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    groups = min(len(names), _GROUPS)
    order = np.random.default_rng([seed, 2]).permutation(len(names))
    group = (order % groups if groups < len(names) else np.arange(groups))[member]
    step = max(_LEAST_COLUMNS, _CHUNK_VALUES // len(member))
    for start in range(0, groups, step):
        chosen = np.arange(start, min(groups, start + step))
        yield (group[:, None] != chosen).astype(np.float64)


def _weights(
    patients: Sequence[str], resamples: int, seed: int
) -> tuple[Iterable[Floats], Iterable[Floats]]:
    """Both kinds of weights; those of the last small set are kept for its next metric or model."""
    if len(patients) * (resamples + _GROUPS) > _KEPT_VALUES:
        return patient_weights(patients, resamples, seed), left_out_weights(patients, seed)
    return _kept(tuple(map(str, patients)), resamples, seed)


@lru_cache(maxsize=1)
def _kept(
    patients: tuple[str, ...], resamples: int, seed: int
) -> tuple[tuple[Floats, ...], tuple[Floats, ...]]:
    drawn = tuple(patient_weights(patients, resamples, seed))
    without = tuple(left_out_weights(patients, seed))
    for weights in (*drawn, *without):
        weights.flags.writeable = False
    return drawn, without


def interval(sample: Resampled, level: float = 0.95) -> Estimate:
    """Intervals of a resampled metric, per label and for the mean over labels."""
    count = len(sample.value)
    left_out = sample.left_out if sample.left_out.size else np.empty((0, count))
    notes = sample.notes or (None,) * count
    labels = []
    for label in range(count):
        columns = (float(sample.value[label]), sample.draws[:, label], left_out[:, label])
        share = sample.support[label] if len(sample.support) else None
        labels.append(_interval(*columns, level, share, notes[label]))
    defined = ~np.isnan(sample.value)
    value = float(sample.value[defined].mean()) if defined.any() else float("nan")
    note = left_out_note(sample.value) or (notes[0] if count == 1 else None)
    draws, without = (mean_over_labels(one[:, defined]) for one in (sample.draws, left_out))
    macro = _interval(value, draws, without, level, None, note)
    if len(sample.support) and defined.any():
        shares = [labels[place] for place in np.flatnonzero(defined)]
        macro = _mean_of_shares(replace(macro, note=note), shares)
    return Estimate(macro, tuple(labels))


def _mean_of_shares(macro: Interval, shares: Sequence[Interval]) -> Interval:
    """Of one share, and of shares that no resample varies: the means of the shares' own ends.

    Resamples of 12 right out of 12 would say that it is always 1, also as a mean over labels.
    """
    if len(shares) > 1 and macro.low < macro.high:
        return macro
    low, high = (float(np.mean([getattr(one, end) for one in shares])) for end in ("low", "high"))
    return replace(macro, low=low, high=high)


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


def _interval(
    value: float,
    draws: Floats,
    left_out: Floats,
    level: float,
    share: Floats | None,
    note: str | None,
) -> Interval:
    kept = draws[~np.isnan(draws)]
    missing = len(draws) - len(kept)
    if np.isnan(value) or len(kept) == 0:
        return Interval(float("nan"), float("nan"), float("nan"), None, missing, note)
    if share is not None:
        spread = variance(value, left_out) if len(left_out) else float(kept.var())
        low, high = wilson_bounds(value, _effective(value, spread, share), level)
        return Interval(value, low, high, None, missing, note)
    if kept.min() == kept.max():
        note = note or "every resample gave the same value"
    low, high = percentile_bounds(kept, level, shape(value, kept, left_out))
    return Interval(value, low, high, None, missing, note)


def _effective(value: float, spread: float, share: Floats) -> float:
    """So many independent studies would give the share's variance: patients up to studies."""
    patients, studies = share
    if spread <= _NOTHING or not 0 < value < 1:
        return float(patients)
    return float(np.clip(value * (1 - value) / spread, patients, studies))


def mean_over_labels(values: Floats) -> Floats:
    """The mean of the defined labels of each row ``[rows, labels]``; NaN where none is."""
    there = ~np.isnan(values)
    counts = there.sum(axis=1)
    total = np.where(there, values, 0.0).sum(axis=1)
    found: Floats = np.divide(total, counts, out=np.full(len(values), np.nan), where=counts > 0)
    return found


def _support(metric: Metric, truth: NDArray[Any], patients: Sequence[str], labels: int) -> Floats:
    counted = _COUNTED.get(getattr(metric, "__name__", ""))
    if counted is None:
        return _nothing()
    rows = {"positives": truth == 1, "negatives": truth == 0, "given": ~np.isnan(truth)}[counted]
    _, member = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    each = [np.bincount(member[chosen]).astype(np.float64) for chosen in rows.T[:labels]]
    found = [(kish(one), one.sum()) for one in each]
    return np.array(found, dtype=np.float64)


def _notes(value: Floats, left_out: Floats, truth: NDArray[Any]) -> tuple[str | None, ...]:
    alone = np.any(np.isnan(left_out), axis=0)
    found: list[str | None] = []
    for label, lack in enumerate(why_undefined(truth)[: len(value)]):
        doubtful = _ALONE if alone[label] else None
        found.append((lack or "undefined") if np.isnan(value[label]) else doubtful)
    return tuple(found)


def kish(counts: Floats) -> float:
    """So many equal patients have studies ``counts [patients]`` in unequal numbers (Kish 1965)."""
    return float(counts.sum() ** 2 / max(1.0, float((counts**2).sum())))


def left_out_note(value: Floats) -> str | None:
    """What a mean over the labels ``[labels]`` leaves out, None where nothing."""
    lost = int(np.isnan(value).sum())
    return f"{lost} of {len(value)} labels are undefined and left out" if lost else None


def _weighted(arrays: Sequence[Floats], factors: Sequence[float]) -> Floats:
    return np.asarray(sum(f * array for f, array in zip(factors, arrays, strict=True)))
