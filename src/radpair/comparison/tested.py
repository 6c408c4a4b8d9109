"""The test of every difference: the difference over its standard error, against Student's t.

One form for all differences, so that p-values in one column mean the same. The standard error is
that of the resampled patients, together with the spread between draws of labels where there are
several; the degrees of freedom are the patients that the metric effectively rests on (``df`` of
``radpair.evaluation.intervals.shape``), joined with those of the draws after Satterthwaite (1946).
The patients' variance is widened by ``(df + 1) / df`` as in ``radpair.evaluation.intervals``.

A p-value counted off the resamples cannot fall below about ``2 / resamples``, so that Holm's
correction over many labels could never find anything; this one has no such floor. The interval
holds 0 exactly where p is above one minus its level.
``benchmarks/compare_tests.py`` simulates how often equal models are called different.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from radpair.comparison.measured import mean_over_labels
from radpair.evaluation.bootstrap import Estimate, Interval, Resampled, combined
from radpair.evaluation.intervals import shape
from radpair.evaluation.statistics import Floats

_NOTHING = 1e-18
"""A variance below this is rounding."""
UNVARIED = "every resample gave the same value, so there is no test"


@dataclass(frozen=True, eq=False)
class Runs:
    """The difference in each draw of labels, both models having learned from the same draws."""

    values: Floats
    """``[runs, labels]``."""
    resampled: Floats
    """``[runs, resamples, labels]``."""


def difference(
    first: Resampled,
    second: Resampled,
    level: float,
    runs: Runs | None = None,
    patients: int | None = None,
) -> Estimate:
    """``first - second`` over the same patients and resamples, per label and for their mean.

    ``runs`` where labels were drawn several times. ``patients`` stands for the effective number
    of patients where the metrics do not say what each patient adds (``left_out`` is empty).
    """
    both = combined([first, second], [1.0, -1.0])
    left_out = both.left_out if both.left_out.size else np.empty((0, len(both.value)))
    notes = both.notes or (None,) * len(both.value)
    labels = [
        _interval(
            float(both.value[i]),
            both.draws[:, i],
            left_out[:, i],
            level,
            None if runs is None else Runs(runs.values[:, i], runs.resampled[:, :, i]),
            patients,
            notes[i],
        )
        for i in range(len(both.value))
    ]
    macro = _interval(
        float(mean_over_labels(both.value[None])[0]),
        mean_over_labels(both.draws),
        mean_over_labels(left_out),
        level,
        None if runs is None else _mean_runs(runs),
        patients,
        _left_out_note(both.value) or (notes[0] if len(notes) == 1 else None),
    )
    return Estimate(macro, tuple(labels))


def _mean_runs(runs: Runs) -> Runs:
    return Runs(
        mean_over_labels(runs.values), np.stack([mean_over_labels(one) for one in runs.resampled])
    )


def _interval(
    value: float,
    draws: Floats,
    left_out: Floats,
    level: float,
    runs: Runs | None,
    patients: int | None,
    note: str | None,
) -> Interval:
    """Of one column: ``draws [resamples]``, ``left_out [groups]``, ``runs`` without labels."""
    there = ~np.isnan(draws)
    missing = int((~there).sum())
    if np.isnan(value) or there.sum() < 2:
        nothing = float("nan")
        return Interval(nothing, nothing, nothing, None, missing, note)
    df = shape(value, draws[there], left_out).df
    if not len(left_out) and patients is not None:
        df = max(1.5, patients - 1.0)
    wider = 1.0 if np.isinf(df) else (df + 1) / df
    resampled = float(draws[there].var(ddof=1)) * wider
    drawn = 0.0 if runs is None else _between(runs, draws, there)
    variance = resampled + drawn
    if variance <= _NOTHING:
        p = 1.0 if abs(value) <= 1e-12 else None
        return Interval(value, value, value, p, missing, note or UNVARIED)
    parts = resampled**2 / df
    if runs is not None:
        parts += drawn**2 / (len(runs.values) - 1)
    freedom = variance**2 / parts if parts else float("inf")
    error = float(np.sqrt(variance))
    half = float(student.ppf((1 + level) / 2, freedom)) * error
    p = 2 * float(student.sf(abs(value) / error, freedom))
    return Interval(value, value - half, value + half, p, missing, note)


def _between(runs: Runs, draws: Floats, there: Floats) -> float:
    """What draws of labels add to the variance of their mean, beyond the patients' part.

    Two draws differ also because each errs on patients in its own way; that part is in the
    resampled variance of the mean already, and is taken off here so as not to count twice.
    """
    count = len(runs.values)
    alone = float(runs.resampled[:, there].var(axis=1, ddof=1).mean())
    own = max(0.0, alone - float(draws[there].var(ddof=1))) * count / (count - 1)
    return max(0.0, float(runs.values.var(ddof=1)) - own) / count


def _left_out_note(value: Floats) -> str | None:
    lost = int(np.isnan(value).sum())
    return f"{lost} of {len(value)} labels are undefined and left out" if lost else None
