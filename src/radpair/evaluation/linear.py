"""Linear evaluation of frozen encoders at several label budgets.

ConVIRT (Zhang et al. 2022, section 4.1) and IGC both report a linear classifier on frozen features
with 1, 10 and 100 % of the training labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError
from radpair.evaluation.budgets import label_budget
from radpair.evaluation.probe import PENALTIES, fit_probe
from radpair.evaluation.protocol import (
    Budget,
    Level,
    OnProbe,
    OnScores,
    Task,
    make_task,
    run_levels,
)
from radpair.evaluation.results import Results
from radpair.evaluation.statistics import Floats

SCHEMA = "radpair.linear/1"


def linear_probe(
    features_by_name: Mapping[str, NDArray[Any]],
    labels: NDArray[Any],
    patients: Sequence[str],
    splits: Sequence[str] | NDArray[Any],
    label_names: Sequence[str],
    fractions: Sequence[float] = (0.01, 0.1, 1.0),
    draws: int = 5,
    seed: int = 0,
    *,
    evaluated: str = "test",
    penalties: Sequence[float] = PENALTIES,
    folds: int = 5,
    resamples: int = 1000,
    level: float = 0.95,
    uncertain: str = "ignore",
    calibration: bool = False,
    on_probe: OnProbe | None = None,
    on_scores: OnScores | None = None,
) -> Results:
    """Trains on ``train`` at every fraction and draw, evaluates on the split ``evaluated``.

    ``features_by_name`` maps each encoder to its study features ``[studies, dim]``, the first being
    the reference of all differences (the random encoder); ``labels [studies, labels]`` holds 1, 0,
    -1 uncertain, NaN not given. Fraction 1 has one draw, as there is only one way to take all.
    A label with one class in a draw scores a constant there (AUROC 0.5) and is named in
    ``constant``. ``calibration`` adds the metrics ``brier`` and ``calibration_error`` of the
    probabilities. ``on_probe(done, total)`` is called after each encoder and fraction,
    ``on_scores`` with its logits.

    Raises ``EvaluationError`` for an empty split, a patient on both sides, features that do not fit
    the studies, and unknown label values.
    """
    if draws < 1 or not features_by_name or not fractions:
        raise EvaluationError("a linear probe needs at least one encoder, fraction and draw")
    task = make_task(labels, patients, splits, label_names, evaluated, uncertain)
    levels = [fraction_level(task, fraction, draws, seed) for fraction in fractions]

    def fit(features: NDArray[Any], truth: Floats, people: Sequence[str]) -> Any:
        return fit_probe(features, truth, people, penalties, folds, seed)

    rows = run_levels(
        *(task, features_by_name, levels, fit, resamples, seed, level, on_probe, on_scores),
        calibration=calibration,
    )
    settings = {
        "fractions": list(fractions),
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


def fraction_level(task: Task, fraction: float, draws: int, seed: int) -> Level:
    """Draws of a share of the training studies; all of them can be drawn in one way only."""
    budgets = []
    for draw in range(1 if fraction >= 1 else draws):
        chosen = label_budget(task.patients[task.train].tolist(), fraction, seed, draw)
        rows = np.asarray(task.train[chosen], dtype=np.int64)
        budgets.append(Budget(rows, task.truth[rows]))
    return Level(float(fraction), budgets)
