"""Two models on the same tested studies: differences with intervals and tests.

The paired bootstrap resamples patients together for both models. Where labels were drawn several
times, both models learned from the same draws, and the spread between draws counts too: a
difference then holds for labels drawn anew, not only for those that happened to be drawn.
DeLong's test is given beside it where its assumption holds: one study a patient, one run a model.
Holm's correction is over the labels of one difference, and for the mean over labels over all pairs
of models by one protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from scipy.stats import t as student

from radpair.comparison.bench import Bench
from radpair.comparison.kept import Unit
from radpair.comparison.measured import RANKED, mean_over_labels, metrics_of, sample_of
from radpair.evaluation.bootstrap import Estimate, Interval, combined, difference
from radpair.evaluation.intervals import shape, symmetric
from radpair.evaluation.paired import holm, paired_delong
from radpair.evaluation.statistics import Floats


def label_difference(first: Unit, second: Unit, bench: Bench, level: float) -> dict[str, Any]:
    """The first's AUROC and average precision minus the second's, over the labels that both have.

    Keys: ``labels``, ``metrics`` (each ``{"macro": INTERVAL, "labels": {label: INTERVAL +
    "holm"}}``), ``delong`` (by label) or ``no_delong`` (why not).
    """
    names = [name for name in first.facts["labels"] if name in second.facts["labels"]]
    metrics = {}
    for metric in RANKED:
        ours, theirs = (sample_of(unit, metric, names) for unit in (first, second))
        gap = difference(ours, theirs, level)
        if len(first.arrays["scores"]) == len(second.arrays["scores"]) > 1:
            gap = _over_draws(first, second, metric, names, level)
        by_label = dict(zip(names, (asdict(one) for one in gap.labels), strict=True))
        metrics[metric] = {"macro": asdict(gap.macro), "labels": _with_holm(by_label)}
    return {"labels": names, "metrics": metrics, **_delong(first, second, names, bench, level)}


def _over_draws(
    first: Unit, second: Unit, metric: str, names: Sequence[str], level: float
) -> Estimate:
    """The difference where labels were drawn several times, the same draws for both models.

    The variance of the mean over draws is that of resampled patients plus that between draws
    (which counts their interaction twice and so errs towards no difference); the interval is
    Student's with degrees of freedom after Satterthwaite (1946).
    """
    places = [[unit.facts["labels"].index(name) for name in names] for unit in (first, second)]
    both = combined([sample_of(unit, metric, names) for unit in (first, second)], [1.0, -1.0])
    ours, theirs = (
        unit.arrays[f"{metric}.run_values"][:, place]
        for unit, place in zip((first, second), places, strict=True)
    )
    each = ours - theirs
    columns = [
        _crossed(both.value[i], each[:, i], both.draws[:, i], both.left_out[:, i], level)
        for i in range(len(names))
    ]
    noted = [replace(one, note=note) for one, note in zip(columns, both.notes, strict=True)]
    macro = _crossed(
        mean_over_labels(both.value[None])[0],
        mean_over_labels(each),
        mean_over_labels(both.draws),
        mean_over_labels(both.left_out),
        level,
    )
    return Estimate(macro, tuple(noted))


def _crossed(
    value: float, each: Floats, resampled: Floats, left_out: Floats, level: float
) -> Interval:
    """``each [runs]``, ``resampled [resamples]`` and ``left_out [groups]`` are differences too."""
    kept = resampled[~np.isnan(resampled)]
    missing = len(resampled) - len(kept)
    if np.isnan(value) or len(kept) == 0:
        return Interval(float("nan"), float("nan"), float("nan"), None, missing)
    patients, draws = float(kept.var()), float(each.var(ddof=1)) / len(each)
    variance = patients + draws
    if variance <= 1e-18:
        return Interval(float(value), float(value), float(value), 1.0 if value == 0 else None)
    df = symmetric(shape(float(value), kept, left_out)).df
    pooled = variance**2 / (patients**2 / df + draws**2 / (len(each) - 1))
    error = variance**0.5
    half = float(student.ppf((1 + level) / 2, pooled)) * error
    p = 2 * float(student.sf(abs(value) / error, pooled))
    return Interval(float(value), float(value) - half, float(value) + half, p, missing)


def retrieval_difference(first: Unit, second: Unit, level: float) -> dict[str, Any]:
    """Differences of recalls and of the median rank, in the shape of ``label_difference``."""
    metrics = {}
    for metric in metrics_of(first):
        gap = difference(sample_of(first, metric), sample_of(second, metric), level)
        metrics[metric] = {"macro": asdict(gap.macro), "labels": {}}
    return {"labels": [], "metrics": metrics, "no_delong": "DeLong's test is for AUROC"}


def correct_means(differences: Sequence[dict[str, Any]], metric: str) -> None:
    """Adds ``holm`` to the mean of each difference by this metric, over all of these."""
    means = [one["metrics"][metric]["macro"] for one in differences]
    for mean, corrected in zip(means, holm([mean["p"] for mean in means]), strict=True):
        mean["holm"] = corrected


def _with_holm(labels: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    corrected = holm([one["p"] for one in labels.values()])
    for one, value in zip(labels.values(), corrected, strict=True):
        one["holm"] = value
    return labels


def _delong(
    first: Unit, second: Unit, names: Sequence[str], bench: Bench, level: float
) -> dict[str, Any]:
    if not bench.one_study_a_patient:
        return {"no_delong": "patients have several tested studies, so rows are not independent"}
    if len(first.arrays["scores"]) > 1 or len(second.arrays["scores"]) > 1:
        return {"no_delong": "the figures are means over several draws of labels"}
    ours, theirs = (
        unit.arrays["scores"][0][:, [unit.facts["labels"].index(name) for name in names]]
        for unit in (first, second)
    )
    truth = bench.tested_truth[:, bench.columns(names)]
    found = paired_delong(ours, theirs, truth, bench.tested_patients, names, level=level)
    labels = {name: asdict(one) for name, one in found.labels.items()}
    return {"delong": _with_holm(labels)}
