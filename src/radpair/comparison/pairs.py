"""Two models on the same tested studies: differences with intervals and tests.

Patients are resampled together for both models, and the difference is held against its standard
error (``radpair.evaluation.differences``). Where labels were drawn several times, both models
learned from the same draws, and the spread between draws counts too: a difference then holds for
labels drawn anew, not only for those that happened to be drawn. The same for training runs, where
both models have several; where only one of them has, there is a difference and no test.
DeLong's test is given beside it where its assumption holds: one study a patient, one run a model.
Holm's correction is over the labels of one difference, and for the mean over labels over all pairs
of models by one protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from radpair.comparison.bench import Bench
from radpair.comparison.kept import Unit
from radpair.comparison.measured import metrics_of, sample_of
from radpair.comparison.methods import own_spread
from radpair.comparison.p_values import with_holm
from radpair.evaluation.differences import Runs, difference
from radpair.evaluation.metrics import RANKED
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
        drawn = runs_of(first, second, metric, names)
        own = (own_spread(first, metric, names), own_spread(second, metric, names))
        gap = difference(ours, theirs, level, drawn, own=own)
        by_label = dict(zip(names, (asdict(one) for one in gap.labels), strict=True))
        metrics[metric] = {"macro": asdict(gap.macro), "labels": with_holm(by_label)}
    return {"labels": names, "metrics": metrics, **_delong(first, second, names, bench, level)}


def runs_of(first: Unit, second: Unit, metric: str, names: Sequence[str]) -> Runs | None:
    """The differences by draw of labels, each the mean over training runs; None where there is one
    draw, or not as many of both."""
    if not len(first.arrays["scores"]) == len(second.arrays["scores"]) > 1:
        return None
    ours, theirs = (
        [_by_draw(unit, metric, part, names) for part in ("run_values", "run_draws")]
        for unit in (first, second)
    )
    return Runs(ours[0] - theirs[0], ours[1] - theirs[1])


def _by_draw(unit: Unit, metric: str, part: str, names: Sequence[str]) -> Floats:
    """The mean over training runs ``[draws, ..., labels]``."""
    places = [unit.facts["labels"].index(name) for name in names]
    each = [one.arrays[f"{metric}.{part}"][..., places] for one in unit.of_runs or (unit,)]
    return np.asarray(np.mean(each, axis=0, dtype=np.float64))


def retrieval_difference(first: Unit, second: Unit, patients: int, level: float) -> dict[str, Any]:
    """Differences of recalls and of the median rank, in the shape of ``label_difference``;
    ``patients`` are those resampled."""
    metrics = {}
    for metric in metrics_of(first):
        samples = (sample_of(first, metric), sample_of(second, metric))
        own = (own_spread(first, metric), own_spread(second, metric))
        gap = difference(*samples, level, patients=patients, own=own)
        metrics[metric] = {"macro": asdict(gap.macro), "labels": {}}
    return {"labels": [], "metrics": metrics, "no_delong": "DeLong's test is for AUROC"}


def correct_means(differences: Sequence[dict[str, Any]], metric: str) -> None:
    """Adds ``holm`` to the mean of each difference by this metric, over all of these."""
    means = [one["metrics"][metric]["macro"] for one in differences]
    for mean, corrected in zip(means, holm([mean["p"] for mean in means]), strict=True):
        mean["holm"] = corrected


def _delong(
    first: Unit, second: Unit, names: Sequence[str], bench: Bench, level: float
) -> dict[str, Any]:
    if not bench.one_study_a_patient:
        return {"no_delong": "patients have several tested studies, so rows are not independent"}
    if first.of_runs or second.of_runs:
        return {"no_delong": "the figures are means over several training runs"}
    if len(first.arrays["scores"]) > 1 or len(second.arrays["scores"]) > 1:
        return {"no_delong": "the figures are means over several draws of labels"}
    ours, theirs = (
        unit.arrays["scores"][0][:, [unit.facts["labels"].index(name) for name in names]]
        for unit in (first, second)
    )
    truth = bench.tested_truth[:, bench.columns(names)]
    found = paired_delong(ours, theirs, truth, bench.tested_patients, names, level=level)
    labels = {name: asdict(one) for name, one in found.labels.items()}
    return {"delong": with_holm(labels)}
