"""DeLong's covariance of correlated AUROCs: intervals and tests without resampling.

DeLong, DeLong and Clarke-Pearson 1988, in the midrank form of Sun and Xu 2014 (n log n). The
theory takes every row as independent, so each patient may stand in the data once: with repeated
patients everything here refuses, and ``paired.paired_bootstrap`` answers the same questions.

DeLong's normal quantile is too short with few positives (``benchmarks/coverage.py``). Unless
``student=False`` it is Student's, at Satterthwaite's degrees of freedom of the two classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from scipy.stats import t as student_t

from radpair.errors import EvaluationError
from radpair.evaluation.bootstrap import Interval
from radpair.evaluation.statistics import Floats, check_scores, why_undefined

_TOO_FEW = "DeLong's variance needs at least two positives and two negatives"
_NO_SPREAD = "DeLong's variance is 0 here: every placement is the same (perfect or constant scores)"


@dataclass(frozen=True, slots=True)
class DeLong:
    """AUROCs of several models on the same studies, with their covariance."""

    aurocs: Floats
    """``[labels, models]``; NaN where undefined."""
    covariance: Floats
    """``[labels, models, models]``; NaN where undefined."""
    parts: Floats
    """The covariance that comes from positives, and from negatives: ``[labels, 2, models,
    models]``."""
    sizes: NDArray[np.int64]
    """Positives and negatives, ``[labels, 2]``."""
    notes: tuple[str | None, ...]
    """Per label: why nothing is defined, or None."""


def delong(models: NDArray[Any], truth: NDArray[Any], patients: Sequence[str]) -> DeLong:
    """AUROCs and their covariance of ``models [models, studies, labels]``.

    ``truth [studies, labels]`` holds 1, 0 or NaN (left out for that label only). Raises
    ``EvaluationError`` naming a patient with several studies.
    """
    stacked = np.asarray(models)
    check_scores(stacked, truth)
    _one_study_each(patients, len(truth))
    count, labels = len(stacked), truth.shape[1]
    aurocs, parts = np.full((labels, count), np.nan), np.full((labels, 2, count, count), np.nan)
    sizes = np.stack([(truth == value).sum(axis=0) for value in (1, 0)], axis=1)
    lacks = why_undefined(truth)
    notes: list[str | None] = []
    for label in range(labels):
        positive, negative = (stacked[:, truth[:, label] == value, label] for value in (1, 0))
        few = sizes[label].min() < 2
        notes.append(lacks[label] or (_TOO_FEW if few else None))
        if not lacks[label]:
            aurocs[label], over_negatives, over_positives = _placements(positive, negative)
            if not few:
                parts[label] = _cov(over_negatives), _cov(over_positives)
    return DeLong(aurocs, parts.sum(axis=1), parts, sizes, tuple(notes))


def delong_intervals(
    scores: NDArray[Any],
    truth: NDArray[Any],
    patients: Sequence[str],
    level: float = 0.95,
    logit: bool = True,
    student: bool = True,
) -> tuple[Interval, ...]:
    """The AUROC of each label with its interval; ``scores, truth [studies, labels]``.

    With ``logit`` the interval is symmetric on the logit scale (Pepe 2003, section 5.2), so that
    it stays in 0 to 1 and covers better near 1; without, value ± quantile · standard error, within
    0 to 1.
    """
    found = delong(np.asarray(scores)[None], truth, patients)
    freedom = _freedom(found, np.ones(1), student)
    halves = student_t.ppf((1 + level) / 2, freedom)
    rows = zip(found.aurocs[:, 0], found.covariance[:, 0, 0], found.notes, halves, strict=True)
    return tuple(
        _around(float(value), float(variance), note, float(half), logit)
        for value, variance, note, half in rows
    )


def delong_test(
    first: NDArray[Any],
    second: NDArray[Any],
    truth: NDArray[Any],
    patients: Sequence[str],
    level: float = 0.95,
    student: bool = True,
) -> tuple[Interval, ...]:
    """AUROC of ``first`` minus that of ``second`` per label, interval and two-sided p.

    ``first, second, truth [studies, labels]``. Models that order the studies alike differ by 0
    with p 1; a difference without any variance has no p, and its note says so.
    """
    check_scores(np.asarray(first), truth)
    check_scores(np.asarray(second), truth)
    found = delong(np.stack([first, second]), truth, patients)
    contrast = np.array([1.0, -1.0])
    freedom = _freedom(found, contrast, student)
    gaps = found.aurocs @ contrast
    variances = np.einsum("i,lij,j->l", contrast, found.covariance, contrast)
    return tuple(
        _tested(float(gap), float(variance), note, level, float(df))
        for gap, variance, note, df in zip(gaps, variances, found.notes, freedom, strict=True)
    )


def _placements(positive: Floats, negative: Floats) -> tuple[Floats, Floats, Floats]:
    """AUROC of each model, and the share of the other class that each study beats, ties a half.

    ``positive [models, m]``, ``negative [models, n]``; returns ``[models], [models, m],
    [models, n]``. Sun and Xu 2014, equations 5 to 7.
    """
    m, n = positive.shape[1], negative.shape[1]
    joint = rankdata(np.concatenate([positive, negative], axis=1), axis=1)
    beaten = (joint[:, :m] - rankdata(positive, axis=1)) / n
    beating = 1 - (joint[:, m:] - rankdata(negative, axis=1)) / m
    return beaten.mean(axis=1), beaten, beating


def _freedom(found: DeLong, contrast: Floats, student: bool) -> Floats:
    """Satterthwaite's degrees of freedom of the contrast's variance, per label."""
    parts = np.einsum("i,lcij,j->lc", contrast, found.parts, contrast)
    below = (parts**2 / np.maximum(found.sizes - 1, 1)).sum(axis=1)
    endless = np.full(len(parts), np.inf)
    if not student:
        return endless
    freedom: Floats = np.divide(parts.sum(axis=1) ** 2, below, out=endless, where=below > 0)
    return freedom


def _cov(placements: Floats) -> Floats:
    found: Floats = np.atleast_2d(np.cov(placements)) / placements.shape[1]
    return found


def _around(value: float, variance: float, note: str | None, half: float, logit: bool) -> Interval:
    if note is None and not variance > 0:
        note = _NO_SPREAD
    if note is not None:
        return Interval(value, float("nan"), float("nan"), note=note)
    error = half * float(np.sqrt(variance))
    if not logit:
        return Interval(value, max(0.0, value - error), min(1.0, value + error))
    middle, scaled = np.log(value / (1 - value)), error / (value * (1 - value))
    low, high = (1 / (1 + np.exp(-(middle + side * scaled))) for side in (-1, 1))
    return Interval(value, float(low), float(high))


def _tested(gap: float, variance: float, note: str | None, level: float, df: float) -> Interval:
    if note is None and variance <= 1e-15:
        if abs(gap) < 1e-12:
            return Interval(0.0, 0.0, 0.0, 1.0)
        note = _NO_SPREAD
    if note is not None:
        return Interval(gap, float("nan"), float("nan"), None, note=note)
    error = float(np.sqrt(variance))
    half = float(student_t.ppf((1 + level) / 2, df))
    p = 2 * float(student_t.sf(abs(gap) / error, df))
    return Interval(gap, gap - half * error, gap + half * error, p)


def _one_study_each(patients: Sequence[str], studies: int) -> None:
    if len(patients) != studies:
        raise EvaluationError(f"{studies} studies but {len(patients)} patient ids were given")
    names, counts = np.unique(np.asarray(patients, dtype=str), return_counts=True)
    if (counts > 1).any():
        worst = int(counts.argmax())
        raise EvaluationError(
            f"patient '{names[worst]}' has {counts[worst]} studies ({(counts > 1).sum()} patients "
            "have several), and DeLong's test takes every study as independent: use the bootstrap "
            "over patients (paired_bootstrap), or keep one study a patient"
        )
