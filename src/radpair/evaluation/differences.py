"""The test of every difference: the difference over its standard error, against Student's t.

One form for all differences, so that p-values in one column mean the same. The standard error is
that of the resampled patients, together with the spread between draws of labels where there are
several; the degrees of freedom are one less than the patients that the difference effectively
rests on (``radpair.evaluation.intervals.effective_patients``), joined with those of the draws after
Satterthwaite (1946). The patients' variance is widened by ``patients / (patients - 1)``, since a
resample of n scatters as if n - 1 had been drawn.

A p-value counted off the resamples cannot fall below about ``2 / resamples``, so that Holm's
correction over many labels could never find anything; this one has no such floor. The interval
holds 0 exactly where p is above one minus its level.
``benchmarks/coverage.py --part tests`` simulates how often equal models are called different.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from radpair.evaluation.bootstrap import (
    Estimate,
    Interval,
    Resampled,
    combined,
    left_out_note,
    mean_over_labels,
)
from radpair.evaluation.intervals import effective_patients
from radpair.evaluation.statistics import Floats

_NOTHING = 1e-18
"""A variance below this is rounding."""
_LEAST_DF = 1.5
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
    level: float = 0.95,
    runs: Runs | None = None,
    patients: int | None = None,
    spreads: Sequence[Runs] = (),
) -> Estimate:
    """``first - second`` over the same patients and resamples, per label and for their mean.

    ``runs`` where labels were drawn several times; ``spreads`` are further ones that are
    independent of it and of each other: a model's own training runs. ``patients`` stands for the
    effective number of patients where the metrics do not say what each patient adds (``left_out``
    is empty); without either, the number is taken as large.
    """
    both = combined([first, second], [1.0, -1.0])
    left_out = both.left_out if both.left_out.size else np.empty((0, len(both.value)))
    notes = both.notes or (None,) * len(both.value)
    every = [*spreads, *([] if runs is None else [runs])]
    labels = [
        _interval(
            float(both.value[i]),
            both.draws[:, i],
            left_out[:, i],
            level,
            [Runs(one.values[:, i], one.resampled[:, :, i]) for one in every],
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
        [_mean_runs(one) for one in every],
        patients,
        left_out_note(both.value) or (notes[0] if len(notes) == 1 else None),
    )
    return Estimate(macro, tuple(labels))


def runs_of(first: Resampled, second: Resampled) -> Runs | None:
    """The differences run by run, for models whose runs learned from the same draws of labels.

    None where there is one run, or not as many of both.
    """
    if not len(first.run_values) == len(second.run_values) > 1:
        return None
    return Runs(first.run_values - second.run_values, first.run_draws - second.run_draws)


def _mean_runs(runs: Runs) -> Runs:
    return Runs(
        mean_over_labels(runs.values), np.stack([mean_over_labels(one) for one in runs.resampled])
    )


def _interval(
    value: float,
    draws: Floats,
    left_out: Floats,
    level: float,
    spreads: Sequence[Runs],
    patients: int | None,
    note: str | None,
) -> Interval:
    """Of one column: ``draws [resamples]``, ``left_out [groups]``, ``spreads`` without labels."""
    there = ~np.isnan(draws)
    missing = int((~there).sum())
    if np.isnan(value) or there.sum() < 2:
        nothing = float("nan")
        return Interval(nothing, nothing, nothing, None, missing, note)
    count = len(left_out) if len(left_out) else patients
    df = _freedom(value, left_out, patients)
    wider = 1.0 if count is None or count < 2 else count / (count - 1)
    resampled = float(draws[there].var(ddof=1)) * wider
    drawn = [between(one, there) for one in spreads]
    variance = resampled + sum(drawn)
    if variance <= _NOTHING:
        p = 1.0 if abs(value) <= 1e-12 else None
        return Interval(value, value, value, p, missing, note or UNVARIED)
    parts = resampled**2 / df
    for one, part in zip(spreads, drawn, strict=True):
        parts += part**2 / (len(one.values) - 1)
    freedom = variance**2 / parts if parts else float("inf")
    error = float(np.sqrt(variance))
    half = float(student.ppf((1 + level) / 2, freedom)) * error
    p = 2 * float(student.sf(abs(value) / error, freedom))
    return Interval(value, value - half, value + half, p, missing, note)


def _freedom(value: float, left_out: Floats, patients: int | None) -> float:
    """One less than the effective patients, within 1.5 and one less than all of them."""
    if len(left_out):
        count, all_of_them = effective_patients(value, left_out), float(len(left_out))
    elif patients is not None:
        count = all_of_them = float(patients)
    else:
        return float("inf")
    return max(_LEAST_DF, min(count, all_of_them) - 1.0)


def between(runs: Runs, there: NDArray[np.bool_]) -> float:
    """What draws of labels (or training runs, or queries) add to the variance of their mean, beyond
    the patients' part.

    ``runs`` are of one column, ``there [resamples]`` which resamples count.

    Two draws differ also because each errs on patients in its own way; that part is in the
    resampled variance of the mean already, and is taken off here so as not to count twice.
    """
    count, resampled = len(runs.values), runs.resampled[:, there]
    alone = float(resampled.var(axis=1, ddof=1).mean())
    mean = float(resampled.mean(axis=0).var(ddof=1))
    own = max(0.0, alone - mean) * count / (count - 1)
    return max(0.0, float(runs.values.var(ddof=1)) - own) / count
