"""Intervals that hold for labels drawn anew, not only for the draws that happened to be made.

An interval over patients takes the draws of labels as given. Where labels were drawn several times
the spread between the draws is a second, independent source of error; ``total`` counts both. For a
difference, ``radpair.evaluation.differences`` does so with its ``runs``.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import t as student

from radpair.evaluation.bootstrap import Interval
from radpair.evaluation.statistics import Floats


def spread(each: Floats) -> float:
    """The standard deviation of a metric over draws ``[draws]``; NaN for fewer than two."""
    there = each[~np.isnan(each)]
    return float(there.std(ddof=1)) if len(there) > 1 else float("nan")


def total(
    patients: Interval, each: Floats, level: float = 0.95, bounds: tuple[float, float] = (0, 1)
) -> Interval:
    """``patients``, the interval of the mean over draws, widened by the spread of ``each [draws]``.

    The distances from the value are added as squares, side by side (Zou and Donner
    2008): that to the end of the patients' interval, which may be lopsided, and Student's
    quantile times the standard error of the mean over draws. With one draw nothing is added.
    ``bounds`` are the metric's. A draw without a value is left out.
    """
    deviation, count = spread(each), int((~np.isnan(each)).sum())
    if np.isnan(deviation) or np.isnan(patients.value):
        return patients
    between = float(student.ppf((1 + level) / 2, count - 1)) * deviation / count**0.5
    low = patients.value - float(np.hypot(patients.value - patients.low, between))
    high = patients.value + float(np.hypot(patients.high - patients.value, between))
    ends = max(bounds[0], low), min(bounds[1], high)
    return Interval(patients.value, *ends, None, patients.undefined, patients.note)
