"""Scores of every run into metrics with intervals, in the form of the linear probe's results.

Schema ``radpair.fine-tune/1`` is ``radpair.linear/1`` (see ``radpair.evaluation.results``) with the
metrics of the task, ``penalties`` empty, and ``runs`` beside the rows: what each run chose inside
its budget. Exclusive classes have ``accuracy`` and ``top_K_accuracy`` too, with one entry for all
classes; the decision is the likeliest class, and F1, MCC, sensitivity and specificity are each
class's against the rest, so that ``macro`` of ``f1`` is the macro F1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.evaluation.bootstrap import Resampled, resample
from radpair.evaluation.fine_tune.runs import Learned
from radpair.evaluation.fine_tune.tasks import Task
from radpair.evaluation.metrics import DECIDED, RANKED, accuracies
from radpair.evaluation.operating import resample_decided
from radpair.evaluation.over_draws import figures_over_draws
from radpair.evaluation.results import Row
from radpair.evaluation.statistics import Floats, Metric
from radpair.evaluation.thresholds import decide
from radpair.evaluation.untaught import untaught

SCHEMA = "radpair.fine-tune/1"
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Measured:
    """The studies that figures are taken on."""

    task: Task
    truth: Floats
    """``[tested studies, outputs]``."""
    patients: list[str]
    resamples: int
    seed: int


def decisions(task: Task, learned: Learned) -> NDArray[np.bool_]:
    """``[studies, outputs]``: the likeliest class alone, or every label at its threshold."""
    if not task.exclusive:
        return decide(learned.scores, learned.thresholds)
    best = learned.scores.argmax(axis=1)
    return np.asarray(best[:, None] == np.arange(learned.scores.shape[1]))


def row(
    measured: Measured,
    model: str,
    fraction: float,
    studies: int,
    runs: Sequence[Learned],
    reference: Mapping[str, Resampled],
) -> tuple[Row, dict[str, Resampled]]:
    """One model at one fraction, beside the reference's resamples (empty for the reference)."""
    task = measured.task
    inputs = _inputs(measured, runs)
    constant = [
        {"draw": run.facts["draw"], "label": name, "reason": reason}
        for run in runs
        for name, reason in run.facts["constant"].items()
    ]
    why_not = untaught(constant, task.names, len(runs))
    among = (measured.patients, measured.resamples, measured.seed)
    sampled = {
        name: resample(metric, values, measured.truth, *among)
        if task.exclusive
        else resample_decided(metric, values, measured.truth, why_not, *among)
        for name, (metric, values) in inputs.items()
    }
    metrics, differences = figures_over_draws(task.names, sampled, reference, LEVEL)
    found = Row(model, float(fraction), studies, len(runs), metrics, differences, {}, constant)
    return found, sampled


def _inputs(measured: Measured, runs: Sequence[Learned]) -> dict[str, tuple[Metric, NDArray[Any]]]:
    scores = np.stack([run.scores for run in runs])
    decided = np.stack([decisions(measured.task, run) for run in runs])
    exclusive = accuracies(measured.truth) if measured.task.exclusive else {}
    return {
        **{name: (metric, scores) for name, metric in RANKED.items()},
        **{name: (metric, decided) for name, metric in DECIDED.items()},
        **{name: (metric, scores) for name, metric in exclusive.items()},
    }
