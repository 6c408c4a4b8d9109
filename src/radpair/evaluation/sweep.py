"""The penalty of each label, by cross-validation by patient among the labelled studies alone.

Every label has its own folds, so that its positive patients are dealt out evenly, and uses only as
many of them as are needed to hold out ``ENOUGH`` studies of its rarer class: with a few hundred
labels that is every fold; with 200,000 studies one fold tells the penalties apart as well as five.
A large table is swept on some of its patients, who have about ``SAMPLE`` rows: a penalty is the
precision of a prior on the weights, whose best value does not depend on how many studies there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.evaluation.axes import Axes, Table
from radpair.evaluation.budgets import Indices, patient_folds, sample_by_patient
from radpair.evaluation.solver import solve
from radpair.evaluation.statistics import Floats

ENOUGH = 500
"""Studies of a label's rarer class that are held out, where there are so many."""
SAMPLE = 32_768
"""Rows of a large table, at most, that choose its penalties."""
_TOLERANCE = 1e-6
"""Nats a study; float32 reaches it, and it picks the same penalties as float64 in less time."""
_STEPS = 30
"""Of Newton's method, at most."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep found."""

    best: NDArray[np.int64]
    """The chosen penalty's place on the ladder ``[labels]``."""
    held_out: Floats
    """Out-of-fold logits at the chosen penalty ``[studies, labels]``; NaN where not held out."""
    weights: Floats
    """A fold's weights at the chosen penalty ``[labels, rank + 1]``."""


def sweep(
    axes: Axes, truth: NDArray[Any], patients: Sequence[str], ladder: Floats, folds: int, seed: int
) -> Sweep:
    """Tries the penalties ``ladder`` (from strong to weak) on ``truth [studies, labels]``.

    ``truth`` is 1, 0 or NaN, each label with both classes. The lowest ``selection_losses`` wins,
    the stronger penalty of equals. A label whose rarer class is one patient's leaves no two folds:
    the strongest penalty, and no out-of-fold logits.
    """
    rows = np.arange(len(truth))
    if axes.large and len(truth) > SAMPLE:
        rows = sample_by_patient(patients, SAMPLE)
    table = axes.table.take(rows).single()
    people = np.asarray(patients, dtype=str)[rows]
    found = _tried(table, truth[rows], people.tolist(), ladder, folds, seed)
    held_out = np.full(truth.shape, np.nan)
    held_out[rows] = found.held_out
    return Sweep(found.best, held_out, found.weights)


def folds_needed(truth: NDArray[Any], folds: int | Indices) -> Indices:
    """How many of each label's ``folds`` hold ``ENOUGH`` of its rarer class ``[labels]``."""
    rarer = np.minimum((truth == 1).sum(axis=0), (truth == 0).sum(axis=0))
    needed = np.ceil(ENOUGH * folds / np.maximum(rarer, 1))
    return np.asarray(np.clip(needed, 1, folds), dtype=np.int64)


def _tried(
    table: Table,
    truth: NDArray[Any],
    patients: Sequence[str],
    ladder: Floats,
    folds: int,
    seed: int,
) -> Sweep:
    """Every label, fold used and penalty, solved in one batch."""
    labels, steps = truth.shape[1], len(ladder)
    fold = np.stack([patient_folds(column, patients, folds, seed) for column in truth.T])
    made = fold.max(axis=1) + 1
    used = np.where(made > 1, folds_needed(truth, made), 0)
    if not used.any():
        nothing = np.zeros((labels, table.rank + 1))
        return Sweep(np.zeros(labels, dtype=np.int64), np.full(truth.shape, np.nan), nothing)
    groups = [(label, part) for label in range(labels) for part in range(used[label])]
    signs = np.nan_to_num(2 * truth.T - 1, nan=0.0)
    learned = np.stack([signs[label] * (fold[label] != part) for label, part in groups])
    weights = solve(
        table,
        learned.astype(np.float32),
        np.arange(len(groups)).repeat(steps),
        np.tile(ladder, len(groups)),
        _TOLERANCE,
    ).reshape(len(groups), steps, -1)
    held_out = np.full((labels, steps, len(truth)), np.nan)
    for (label, part), found in zip(groups, weights, strict=True):
        rows = np.flatnonzero(fold[label] == part)
        held_out[label][:, rows] = table.take(rows).logits(found)
    best = np.array([_best(held_out[label].T, truth[:, label]) for label in range(labels)])
    start = np.zeros((labels, weights.shape[2]))
    for label in np.flatnonzero(used).tolist():
        start[label] = weights[groups.index((label, 0)), best[label]]
    return Sweep(best, held_out[np.arange(labels), best].T, start)


def _best(held_out: Floats, truth: Floats) -> int:
    """The place of the least loss; the first where one class is held out and nothing is known."""
    rows = np.isfinite(held_out[:, 0]) & ~np.isnan(truth)
    if not rows.any():
        return 0
    losses = selection_losses(held_out[rows][:, None], truth[rows][:, None])[0]
    return int(np.nan_to_num(losses, nan=np.inf).argmin())


def selection_losses(logits: Floats, truth: NDArray[Any]) -> Floats:
    """Mean held-out cross-entropy ``[labels, penalties]`` at the best scale and offset.

    ``logits [studies, labels, penalties]`` are out of fold, ``truth [studies, labels]``. With few
    labels a weak penalty ranks well but is far too sure of itself; plain cross-entropy then picks
    the strongest penalty. So each column is standardised to x and judged by the least cross-entropy
    of a x + b over a >= 0 and b (plus a² / 2, which keeps a separable column finite), found by a
    projected Newton method.
    """
    given = ~np.isnan(truth)[..., None] * np.ones_like(logits)
    target, counts = np.nan_to_num(truth)[..., None], given.sum(axis=0)
    centred = (logits - (logits * given).sum(axis=0) / counts) * given
    spread = np.sqrt(np.square(centred).sum(axis=0) / counts)
    x = centred / np.where(spread > 1e-9, spread, 1.0)
    rate = (target * given).sum(axis=0) / counts
    scale, offset = np.zeros_like(rate), np.log(rate / (1 - rate))
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-(scale * x + offset)))
        residual, curve = (p - target) * given, p * (1 - p) * given
        slope, lift = (residual * x).sum(axis=0) + scale, residual.sum(axis=0)
        held = (scale <= 0) & (slope >= 0)
        slope, cross = np.where(held, 0, slope), np.where(held, 0, (curve * x).sum(axis=0))
        bend, level = (curve * x * x).sum(axis=0) + 1, curve.sum(axis=0) + 1e-9
        det = bend * level - cross**2
        last = scale, offset
        scale = np.maximum(0, scale - np.clip((level * slope - cross * lift) / det, -2, 2))
        offset = offset - np.clip((bend * lift - cross * slope) / det, -2, 2)
        if max(np.abs(scale - last[0]).max(), np.abs(offset - last[1]).max()) < 1e-9:
            break
    fitted = scale * x + offset
    each = (np.logaddexp(0, fitted) - target * fitted) * given
    return np.asarray(each.sum(axis=0) / counts)
