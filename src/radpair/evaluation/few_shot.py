"""Few-shot evaluation: K patients with each finding and K without (IGC, section 4, with K = 5).

The probe is that of the linear evaluation. Its penalty, its standardisation and its operating point
come from the labelled studies alone; a study that was drawn for one label gives nothing to another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError
from radpair.evaluation.budgets import few_shot, too_few
from radpair.evaluation.operating import STANDARD
from radpair.evaluation.probe import PENALTIES, fit_probe
from radpair.evaluation.protocol import (
    Budget,
    Features,
    Level,
    OnProbe,
    OnScores,
    Task,
    make_task,
    run_levels,
    views_of,
)
from radpair.evaluation.results import Results, Row
from radpair.evaluation.statistics import Floats

SCHEMA = "radpair.few-shot/1"
SHOTS = (1, 2, 4, 5, 8, 16, 32)


def few_shot_probe(
    features_by_name: Mapping[str, Features],
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
    operating_point: str = STANDARD,
    on_probe: OnProbe | None = None,
    on_scores: OnScores | None = None,
) -> Results:
    """As ``linear_probe``, with ``shots`` positives and as many negatives a label in each draw.

    The positives of a smaller draw lie inside the larger one of the same number. A label with
    fewer training patients of a class than the shots is left out of those rows, which name it in
    ``left_out``. Raises ``EvaluationError`` also for shots that no label has patients enough for.
    """
    if draws < 1 or not features_by_name or not shots or min(shots) < 1:
        raise EvaluationError(
            "few-shot evaluation needs at least one encoder, K and draw, and K of 1"
        )
    task = make_task(labels, patients, splits, label_names, evaluated, uncertain)
    fit = partial(fit_probe, penalties=penalties, folds=folds, seed=seed)
    asked = sorted(set(shots))
    parts = [possible(task, count) for count in asked]
    rows: list[Row] = []
    for count, (part, left_out) in zip(asked, parts, strict=True):

        def told(done: int, total: int, before: int = len(rows)) -> None:
            """Counts on from one number of shots to the next."""
            if on_probe is not None:
                on_probe(before + done, total * len(asked))

        point = shot_level(part, count, draws, seed)
        found = run_levels(
            *(part, features_by_name, [point], fit, resamples, seed, level, told),
            on_scores=None if on_scores is None else _whole(on_scores, task, part),
            operating_point=operating_point,
        )
        rows += [replace(row, left_out=left_out) for row in found]
    settings = {
        "shots": asked,
        "draws": draws,
        "seed": seed,
        "penalties": list(penalties),
        "folds": folds,
        "resamples": resamples,
        "level": level,
        "uncertain": uncertain,
        "views": views_of(features_by_name),
        "operating_point": operating_point,
        "evaluated": evaluated,
    }
    first = next(iter(features_by_name))
    return Results(SCHEMA, list(task.names), first, settings, task.counts(), rows)


def _whole(on_scores: OnScores, task: Task, part: Task) -> OnScores:
    """Hands scores on with a column for every label of the task; NaN where one is left out."""
    places = [task.names.index(name) for name in part.names]

    def take(model: str, level: Level, scores: Floats) -> None:
        """Fills in the labels that the part has not."""
        every = np.full((*scores.shape[:2], len(task.names)), np.nan)
        every[:, :, places] = scores
        on_scores(model, level, every)

    return take


def possible(task: Task, shots: int) -> tuple[Task, dict[str, str]]:
    """The task with the labels that have ``shots`` training patients of either class, and why not
    for each other label. Raises ``EvaluationError`` where no label is left."""
    people = task.patients[task.train]
    columns = zip(task.names, task.truth[task.train].T, strict=True)
    left_out = {name: why for name, column in columns if (why := too_few(column, people, shots))}
    names = [name for name in task.names if name not in left_out]
    if not names:
        most = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise EvaluationError(
            f"no label has {shots} training patients with it and {shots} others without ({most}): "
            "lower the shots"
        )
    truth = task.truth[:, [task.names.index(name) for name in names]]
    return replace(task, truth=truth, names=tuple(names)), left_out


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
