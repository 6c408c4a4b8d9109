"""DeLong's covariance of correlated AUROCs: intervals and tests without resampling.

DeLong, DeLong and Clarke-Pearson 1988, in the midrank form of Sun and Xu 2014 (n log n). The
theory takes every row as independent, so each patient may stand in the data once: with repeated
patients everything here refuses, and ``paired.paired_bootstrap`` answers the same questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

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
    aurocs, covariance = np.full((labels, count), np.nan), np.full((labels, count, count), np.nan)
    lacks = why_undefined(truth)
    notes: list[str | None] = []
    for label in range(labels):
        positive, negative = (stacked[:, truth[:, label] == value, label] for value in (1, 0))
        few = min(positive.shape[1], negative.shape[1]) < 2
        notes.append(lacks[label] or (_TOO_FEW if few else None))
        if not lacks[label]:
            aurocs[label], over_negatives, over_positives = _placements(positive, negative)
            if not few:
                covariance[label] = _cov(over_negatives) + _cov(over_positives)
    return DeLong(aurocs, covariance, tuple(notes))


def delong_intervals(
    scores: NDArray[Any],
    truth: NDArray[Any],
    patients: Sequence[str],
    level: float = 0.95,
    logit: bool = True,
) -> tuple[Interval, ...]:
    """The AUROC of each label with its interval; ``scores, truth [studies, labels]``.

    With ``logit`` the interval is symmetric on the logit scale (Pepe 2003, section 5.2), so that
    it stays in 0 to 1 and covers better near 1; without, value ± z · standard error within 0 to 1.
    """
    found = delong(np.asarray(scores)[None], truth, patients)
    half = float(norm.ppf((1 + level) / 2))
    rows = zip(found.aurocs[:, 0], found.covariance[:, 0, 0], found.notes, strict=True)
    return tuple(
        _around(float(value), float(variance), note, half, logit) for value, variance, note in rows
    )


def delong_test(
    first: NDArray[Any],
    second: NDArray[Any],
    truth: NDArray[Any],
    patients: Sequence[str],
    level: float = 0.95,
) -> tuple[Interval, ...]:
    """AUROC of ``first`` minus that of ``second`` per label, interval and two-sided p.

    ``first, second, truth [studies, labels]``. Models that order the studies alike differ by 0
    with p 1; a difference without any variance has no p, and its note says so.
    """
    check_scores(np.asarray(first), truth)
    check_scores(np.asarray(second), truth)
    found = delong(np.stack([first, second]), truth, patients)
    half = float(norm.ppf((1 + level) / 2))
    contrast = np.array([1.0, -1.0])
    gaps = found.aurocs @ contrast
    variances = np.einsum("i,lij,j->l", contrast, found.covariance, contrast)
    return tuple(
        _tested(float(gap), float(variance), note, half)
        for gap, variance, note in zip(gaps, variances, found.notes, strict=True)
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


def _tested(gap: float, variance: float, note: str | None, half: float) -> Interval:
    if note is None and variance <= 1e-15:
        if abs(gap) < 1e-12:
            return Interval(0.0, 0.0, 0.0, 1.0)
        note = _NO_SPREAD
    if note is not None:
        return Interval(gap, float("nan"), float("nan"), None, note=note)
    error = float(np.sqrt(variance))
    p = 2 * float(norm.sf(abs(gap) / error))
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
