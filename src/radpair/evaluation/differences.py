"""The test of every difference: the difference over its standard error, against Student's t.

One form for all differences, so that p-values in one column mean the same. The standard error is
that of the resampled patients, together with the spread between draws of labels where there are
several, and between each model's training runs. The degrees of freedom are one less than the
patients that the difference effectively rests on
(``radpair.evaluation.intervals.effective_patients``), joined with those of the draws and runs after
Satterthwaite (1946). The patients' variance is widened by ``patients / (patients - 1)``, since a
resample of n scatters as if n - 1 had been drawn.

A p-value counted off the resamples cannot fall below about ``2 / resamples``, so that Holm's
correction over many labels could never find anything; this one has no such floor. The interval
holds 0 exactly where p is above one minus its level.
``benchmarks/coverage.py --part tests`` and ``benchmarks/compare_tests.py`` simulate how often equal
models are called different.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
LONE_RUN = (
    "not tested: one side has a single run, and nothing says how its runs scatter; the interval "
    "takes them to scatter like the other side's"
)
UNVARIED = "every resample gave the same value, so there is no test"


@dataclass(frozen=True, eq=False)
class Runs:
    """A difference in each draw of labels, both models having learned from the same draws; or one
    model's metric in each of its training runs."""

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
    own: tuple[Runs | None, Runs | None] = (None, None),
) -> Estimate:
    """``first - second`` over the same patients and resamples, per label and for their mean.

    ``runs`` where labels were drawn several times; ``own`` are the training runs of either model,
    None for a single one. Where only one model has several there is no p (``LONE_RUN``).
    ``patients`` stands for the effective number of patients where the metrics do not say what each
    patient adds (``left_out`` is empty); without either, the number is taken as large.
    """
    both = combined([first, second], [1.0, -1.0])
    left_out = both.left_out if both.left_out.size else np.empty((0, len(both.value)))
    notes = both.notes or (None,) * len(both.value)
    lone = (own[0] is None) != (own[1] is None)
    every = [_Spread(one, lone) for one in own if one is not None]
    every += [] if runs is None else [_Spread(runs)]
    labels = [
        _interval(
            float(both.value[i]),
            both.draws[:, i],
            left_out[:, i],
            level,
            [one.of(i) for one in every],
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
        [one.mean for one in every],
        patients,
        left_out_note(both.value) or (notes[0] if len(notes) == 1 else None),
    )
    if lone:
        macro, *labels = [_untested(one) for one in (macro, *labels)]
    return Estimate(macro, tuple(labels))


def runs_of(first: Resampled, second: Resampled) -> Runs | None:
    """The differences run by run, for models whose runs learned from the same draws of labels.

    None where there is one run, or not as many of both.
    """
    if not len(first.run_values) == len(second.run_values) > 1:
        return None
    return Runs(first.run_values - second.run_values, first.run_draws - second.run_draws)


def own_runs(sample: Resampled) -> Runs | None:
    """A model's runs, where nothing pairs them with those of another model; None of one run."""
    if len(sample.run_values) < 2:
        return None
    return Runs(sample.run_values, sample.run_draws)


@dataclass(frozen=True, eq=False)
class _Spread:
    """Runs as a source of error."""

    runs: Runs
    lone: bool = False
    """Whether the other side's single run is taken to scatter alike."""

    def of(self, label: int) -> _Spread:
        """Of one label: ``values [runs]``, ``resampled [runs, resamples]``."""
        one = Runs(self.runs.values[:, label], self.runs.resampled[:, :, label])
        return _Spread(one, self.lone)

    @property
    def mean(self) -> _Spread:
        """Of the mean over labels."""
        drawn = np.stack([mean_over_labels(one) for one in self.runs.resampled])
        return _Spread(Runs(mean_over_labels(self.runs.values), drawn), self.lone)

    def variance(self, there: NDArray[np.bool_]) -> tuple[float, float]:
        """What it adds, and what that counts among the degrees of freedom.

        The runs' variance is that of their scatter and of what each errs on patients. Where two or
        three happen to lie close the first seems 0, but that it is small is then no more certain
        than the whole, so the whole counts.
        """
        scatter, own, count = _scatter(self.runs, there)
        times = (1 + count if self.lone else 1) / count
        added, whole = times * max(0.0, scatter - own), times * max(scatter, own)
        return added, whole**2 / (count - 1)


def _untested(one: Interval) -> Interval:
    return replace(one, p=None, note=f"{one.note}; {LONE_RUN}" if one.note else LONE_RUN)


def _interval(
    value: float,
    draws: Floats,
    left_out: Floats,
    level: float,
    spreads: Sequence[_Spread],
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
    drawn = [one.variance(there) for one in spreads]
    variance = resampled + sum(added for added, _ in drawn)
    if variance <= _NOTHING:
        p = 1.0 if abs(value) <= 1e-12 else None
        return Interval(value, value, value, p, missing, note or UNVARIED)
    parts = resampled**2 / df + sum(uncertain for _, uncertain in drawn)
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


def _scatter(runs: Runs, there: NDArray[np.bool_]) -> tuple[float, float, int]:
    """The variance of single runs, the part of it that is each one's error on patients, and how
    many runs there are.

    ``runs`` are of one column, ``there [resamples]`` which resamples count. Each run errs on
    patients in its own way too; that part is in the resampled variance of the mean already, and
    must not count twice.
    """
    count, resampled = len(runs.values), runs.resampled[:, there]
    alone = float(resampled.var(axis=1, ddof=1).mean())
    mean = float(resampled.mean(axis=0).var(ddof=1))
    own = max(0.0, alone - mean) * count / (count - 1)
    return float(runs.values.var(ddof=1)), own, count
