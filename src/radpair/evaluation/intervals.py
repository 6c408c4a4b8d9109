"""From resampled values to an interval.

The plain percentile interval is too short with few positives or few patients (simulated in
``benchmarks/coverage.py``). The interval here is BCa (Efron 1987): percentiles moved by the bias
and the skewness of the metric. Its normal quantile is widened to Student's, times
``sqrt((df + 1) / df)`` (Hesterberg 2015, section 4.5), where ``df`` says how many patients the
metric effectively rests on: it is read off the kurtosis of the patients' influence, so that ten
positives among a thousand patients count as about ten. Shares (sensitivity, specificity, accuracy)
get Wilson's interval (Wilson 1927) at the effective number of studies instead, since resampling
says nothing at 0 or 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit

Floats = NDArray[np.float64]

_ROUNDING = 1e-20
"""A sum of squared influences below this is that of a value that never changes."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the percentiles are corrected by."""

    bias: float
    """Normal quantile of the share of resamples below the value."""
    skew: float
    """Efron's acceleration."""
    df: float
    """Effective number of patients, less one."""


def shape(value: float, draws: Floats, left_out: Floats) -> Shape:
    """Of a metric's ``value``, its ``draws [resamples]`` and values ``left_out [groups]``.

    ``left_out`` is the metric without each patient (or group of patients); NaN counts as no
    influence. Without it the shape corrects for bias alone.
    """
    share = _share_below(draws, value)
    influence = _influence(value, left_out)
    second = float((influence**2).sum())
    if second <= _ROUNDING:
        return Shape(float(ndtri(share)), 0.0, float("inf"))
    fourth = float((influence**4).sum()) - second**2 / len(influence)
    df = 2 * second**2 / max(fourth, 1e-9 * second**2)
    skew = float((influence**3).sum()) / (6 * second**1.5)
    return Shape(float(ndtri(share)), skew, float(np.clip(df, 1.5, len(influence) - 1)))


def effective_patients(value: float, left_out: Floats) -> float:
    """The number of patients, all of normal influence, that would make the variance as certain.

    ``3 * sum(influence**2)**2 / sum(influence**4)``: n normal influences count as about n, and so
    do n of them among any number of patients without influence.
    """
    influence = _influence(value, left_out)
    fourth = float((influence**4).sum())
    second = float((influence**2).sum())
    return 3 * second**2 / fourth if second > _ROUNDING else float("inf")


def variance(value: float, left_out: Floats) -> float:
    """The jackknife's variance of a metric."""
    influence = _influence(value, left_out)
    count = len(influence)
    return float((influence**2).sum() * (count - 1) / count) if count else 0.0


def percentile_bounds(draws: Floats, level: float, found: Shape) -> tuple[float, float]:
    """Low and high: percentiles of ``draws [resamples]`` corrected by the shape."""
    reach = _student((1 + level) / 2, found.df) * _widening(found.df)
    shares = [_corrected(side * reach, found) for side in (-1, 1)]
    low, high = np.quantile(draws, shares)
    return float(low), float(high)


def wilson_bounds(value: float, studies: float, level: float) -> tuple[float, float]:
    """Wilson's interval of a share ``value`` of so many (effective) studies."""
    z = float(ndtri((1 + level) / 2))
    shrink = 1 + z**2 / studies
    middle = (value + z**2 / (2 * studies)) / shrink
    half = z / shrink * float(np.sqrt(value * (1 - value) / studies + z**2 / (4 * studies**2)))
    return max(0.0, middle - half), min(1.0, middle + half)


def _share_below(draws: Floats, value: float) -> float:
    """The share of draws below, ties a half, never 0 or 1."""
    close = np.abs(draws - value) <= 1e-12
    below = float(((draws < value) & ~close).sum() + 0.5 * close.sum())
    return min(max(below, 1.0), len(draws) - 1.0) / len(draws) if len(draws) > 1 else 0.5


def _influence(value: float, left_out: Floats) -> Floats:
    filled = np.where(np.isnan(left_out), value, left_out)
    return np.asarray(filled.mean() - filled if len(filled) else filled)


def _student(share: float, df: float) -> float:
    return float(ndtri(share) if np.isinf(df) else stdtrit(df, share))


def _widening(df: float) -> float:
    return 1.0 if np.isinf(df) else float(np.sqrt((df + 1) / df))


def _corrected(quantile: float, found: Shape) -> float:
    moved = found.bias + quantile
    room = 1 - found.skew * moved
    return float(ndtr(found.bias + moved / room)) if room > 0.05 else float(moved > 0)
