"""Few-shot evaluation: K patients with each finding and K without (IGC, section 4, with K = 5).

The probe is that of the linear evaluation. Its penalty, its standardisation and its operating point
come from the labelled studies alone; a study that was drawn for one label gives nothing to another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError
from radpair.evaluation.budgets import few_shot
from radpair.evaluation.probe import PENALTIES, fit_probe
from radpair.evaluation.protocol import Budget, Level, OnProbe, Task, make_task, run_levels
from radpair.evaluation.results import Results
from radpair.evaluation.statistics import Floats

SCHEMA = "radpair.few-shot/1"
SHOTS = (1, 2, 4, 5, 8, 16, 32)


def few_shot_probe(
    features_by_name: Mapping[str, NDArray[Any]],
    labels: NDArray[Any],
    patients: Sequence[str],
    splits: Sequence[str] | NDArray[Any],
    label_names: Sequence[str],
    shots: Sequence[int] = SHOTS,
    draws: int = 5,
    seed: int = 0,
    *,
    evaluated: str = "test",
    penalties: Sequence[float] = PENALTIES,
    folds: int = 5,
    resamples: int = 1000,
    level: float = 0.95,
    uncertain: str = "ignore",
    on_probe: OnProbe | None = None,
) -> Results:
    """As ``linear_probe``, with ``shots`` positives and as many negatives a label in each draw.

    The positives of a smaller draw lie inside the larger one of the same number. Raises
    ``EvaluationError`` also for a label with fewer training patients of a class than the most
    shots.
    """
    if draws < 1 or not features_by_name or not shots:
        raise EvaluationError("few-shot evaluation needs at least one encoder, K and draw")
    task = make_task(labels, patients, splits, label_names, evaluated, uncertain)
    levels = [shot_level(task, count, draws, seed) for count in sorted(set(shots))]

    def fit(features: NDArray[Any], truth: Floats, people: Sequence[str]) -> Any:
        return fit_probe(features, truth, people, penalties, folds, seed)

    rows = run_levels(task, features_by_name, levels, fit, resamples, seed, level, on_probe)
    settings = {
        "shots": sorted(set(shots)),
        "draws": draws,
        "seed": seed,
        "penalties": list(penalties),
        "folds": folds,
        "resamples": resamples,
        "level": level,
        "uncertain": uncertain,
        "evaluated": evaluated,
    }
    first = next(iter(features_by_name))
    return Results(SCHEMA, list(task.names), first, settings, task.counts(), rows)


def shot_level(task: Task, shots: int, draws: int, seed: int) -> Level:
    """Draws of ``shots`` patients a class for every label, among the training studies."""
    people = task.patients[task.train].tolist()
    budgets = []
    for draw in range(draws):
        kept = few_shot(task.truth[task.train], people, task.names, shots, seed, draw)
        used = np.flatnonzero(~np.isnan(kept).all(axis=1))
        budgets.append(Budget(np.asarray(task.train[used], dtype=np.int64), kept[used]))
    drawn = float(np.mean([len(budget.rows) for budget in budgets]))
    return Level(drawn / len(task.train), budgets, shots)
