"""Linear evaluation of frozen encoders at several label budgets.

ConVIRT (Zhang et al. 2022, section 4.1) and IGC both report a linear classifier on frozen features
with 1, 10 and 100 % of the training labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError
from radpair.evaluation.budgets import label_budget
from radpair.evaluation.operating import STANDARD
from radpair.evaluation.probe import PENALTIES, fit_probe
from radpair.evaluation.protocol import (
    Budget,
    Features,
    Fit,
    Level,
    OnProbe,
    OnScores,
    Task,
    make_task,
    run_levels,
    views_of,
)
from radpair.evaluation.results import Results

SCHEMA = "radpair.linear/1"


def linear_probe(
    features_by_name: Mapping[str, Features],
    labels: NDArray[Any],
    patients: Sequence[str],
    splits: Sequence[str] | NDArray[Any],
    label_names: Sequence[str],
    fractions: Sequence[float] = (0.01, 0.1, 1.0),
    draws: int = 5,
    seed: int = 0,
    *,
    penalties: Sequence[float] = PENALTIES,
    folds: int = 5,
    **asked: Any,
) -> Results:
    """Trains on ``train`` at every fraction and draw, evaluates on the split ``evaluated``.

    ``features_by_name`` maps each encoder to its study features ``[studies, dim]`` (or to
    ``radpair.evaluation.views.Views``), the first being the reference of all differences (the
    random encoder); ``labels [studies, labels]`` holds 1, 0, -1 uncertain, NaN not given. Fraction
    1 has one draw, as there is only one way to take all. A label with one class in a draw scores a
    constant there (AUROC 0.5) and is named in ``constant``. ``asked`` are the further arguments of
    ``fraction_probe``.

    Raises ``EvaluationError`` for an empty split, a patient on both sides, features that do not fit
    the studies, and unknown label values.
    """
    fit = partial(fit_probe, penalties=penalties, folds=folds, seed=seed)
    swept = {"penalties": list(penalties), "folds": folds}
    given = (features_by_name, labels, patients, splits, label_names, fractions, draws, seed)
    return fraction_probe(SCHEMA, fit, swept, *given, **asked)


def fraction_probe(
    schema: str,
    fit: Fit,
    swept: Mapping[str, Any],
    features_by_name: Mapping[str, Features],
    labels: NDArray[Any],
    patients: Sequence[str],
    splits: Sequence[str] | NDArray[Any],
    label_names: Sequence[str],
    fractions: Sequence[float],
    draws: int,
    seed: int,
    *,
    evaluated: str = "test",
    resamples: int = 1000,
    level: float = 0.95,
    uncertain: str = "ignore",
    operating_point: str = STANDARD,
    calibration: bool = False,
    on_probe: OnProbe | None = None,
    on_scores: OnScores | None = None,
) -> Results:
    """Any probe at shares of the training labels; ``swept`` says what ``fit`` chooses from.

    ``calibration`` adds the metrics ``brier`` and ``calibration_error`` of the probabilities, for
    scores that are logits. ``operating_point`` is what thresholds are best at
    (``radpair.evaluation.operating``). ``on_probe(done, total)`` is called after each encoder and
    fraction, ``on_scores`` with its scores.
    """
    if draws < 1 or not features_by_name or not fractions:
        raise EvaluationError("a probe needs at least one encoder, fraction and draw")
    task = make_task(labels, patients, splits, label_names, evaluated, uncertain)
    levels = [fraction_level(task, fraction, draws, seed) for fraction in fractions]
    rows = run_levels(
        *(task, features_by_name, levels, fit, resamples, seed, level, on_probe, on_scores),
        calibration=calibration,
        operating_point=operating_point,
    )
    settings = {
        "fractions": list(fractions),
        "draws": draws,
        "seed": seed,
        **swept,
        "resamples": resamples,
        "level": level,
        "uncertain": uncertain,
        "views": views_of(features_by_name),
        "operating_point": operating_point,
        "evaluated": evaluated,
    }
    first = next(iter(features_by_name))
    return Results(schema, list(task.names), first, settings, task.counts(), rows)


def fraction_level(task: Task, fraction: float, draws: int, seed: int) -> Level:
    """Draws of a share of the training studies; all of them can be drawn in one way only."""
    budgets = []
    for draw in range(1 if fraction >= 1 else draws):
        chosen = label_budget(task.patients[task.train].tolist(), fraction, seed, draw)
        rows = np.asarray(task.train[chosen], dtype=np.int64)
        budgets.append(Budget(rows, task.truth[rows]))
    return Level(float(fraction), budgets)
