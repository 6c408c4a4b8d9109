"""Intervals that hold for labels drawn anew, not only for the draws that happened to be made.

An interval over patients takes the draws of labels as given. Where labels were drawn several times
the spread between the draws is a second, independent source of error; ``total`` counts both. For a
difference, ``radpair.evaluation.differences`` does so with its ``runs``. ``figures_over_draws`` are
what the results of every probe and of fine-tuning hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.stats import t as student

from radpair.evaluation.bootstrap import Interval, Resampled, interval, mean_over_labels
from radpair.evaluation.differences import difference, runs_of
from radpair.evaluation.metrics import BOUNDS, columns_of
from radpair.evaluation.paired import holm
from radpair.evaluation.results import MetricResult, Total, metric_result
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


def figures_over_draws(
    labels: Sequence[str],
    sampled: Mapping[str, Resampled],
    reference: Mapping[str, Resampled],
    level: float,
) -> tuple[dict[str, MetricResult], dict[str, MetricResult]]:
    """Every metric of a model, by its name, and the differences to those of ``reference``."""
    columns = {name: columns_of(labels, len(one.value)) for name, one in sampled.items()}
    metrics = {
        name: _metric(name, columns[name], sample, level) for name, sample in sampled.items()
    }
    differences = {
        name: _difference(columns[name], sampled[name], base, level)
        for name, base in reference.items()
    }
    return metrics, differences


def _metric(metric: str, names: Sequence[str], sample: Resampled, level: float) -> MetricResult:
    """A metric over patients, its spread over draws of labels, and both together."""
    each = sample.run_values if len(sample.run_values) else sample.value[None]
    macros = mean_over_labels(each)
    estimate = interval(sample, level)
    found = metric_result(estimate, names, macros.tolist())
    if len(macros) < 2:
        return found
    bounds = BOUNDS.get(metric, (0.0, 1.0))
    whole = Total(
        total(estimate.macro, macros, level, bounds),
        {
            label: total(one, each[:, place], level, bounds)
            for place, (label, one) in enumerate(found.labels.items())
        },
    )
    return replace(found, spread=spread(macros), total=whole)


def _difference(
    names: Sequence[str], ours: Resampled, theirs: Resampled, level: float
) -> MetricResult:
    """The same for a difference of two models, which learned from the same draws.

    The p-values, also corrected over the labels (Holm), are in ``total`` where there are several
    draws.
    """
    found = metric_result(difference(ours, theirs, level), names)
    runs = runs_of(ours, theirs)
    if runs is None:
        return replace(found, holm=_corrected(found.labels))
    macros = mean_over_labels(runs.values)
    whole = metric_result(difference(ours, theirs, level, runs), names)
    return replace(
        found,
        macro=replace(found.macro, p=None),
        labels={name: replace(one, p=None) for name, one in found.labels.items()},
        draws=macros.tolist(),
        spread=spread(macros),
        total=Total(whole.macro, whole.labels, _corrected(whole.labels)),
    )


def _corrected(labels: dict[str, Interval]) -> dict[str, float | None]:
    return dict(zip(labels, holm([one.p for one in labels.values()]), strict=True))
