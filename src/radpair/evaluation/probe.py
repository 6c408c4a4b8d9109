"""One linear probe: a logistic regression per label, its penalty chosen inside the label budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radpair.errors import EvaluationError
from radpair.evaluation.budgets import patient_folds
from radpair.evaluation.solver import Axes, principal_axes, solve
from radpair.evaluation.statistics import Floats

PENALTIES = tuple(10.0**power for power in range(-1, 6))
"""Penalties swept, on standardised features; scikit-learn's ``C`` is one over these."""
_SWEEP_TOLERANCE = 1e-5
_SWEEP_TYPE = torch.float32


@dataclass(frozen=True, slots=True)
class Probe:
    """A fitted probe; labels with one class in the budget score 0 everywhere."""

    axes: Axes
    weights: Tensor
    """``[rank, labels]``."""
    intercepts: Tensor
    """``[labels]``."""
    penalties: Floats
    """The penalty chosen for each label ``[labels]``; NaN for a constant label."""
    constant: tuple[str | None, ...]
    """Why a label has a constant score, or None, for each label."""
    cross_fitted: Floats
    """Out-of-fold logits of the training studies ``[studies, labels]``; NaN where not given."""

    def score(self, features: NDArray[Any]) -> Floats:
        """Logits ``[studies, labels]`` of ``features [studies, dim]``."""
        turned = self.axes.apply(torch.as_tensor(np.asarray(features)))
        return (turned @ self.weights + self.intercepts).numpy()


def fit_probe(
    features: NDArray[Any],
    truth: NDArray[Any],
    patients: Sequence[str],
    penalties: Sequence[float] = PENALTIES,
    folds: int = 5,
    seed: int = 0,
) -> Probe:
    """Fits ``features [studies, dim]`` to ``truth [studies, labels]`` (1, 0, NaN not given).

    Loss: binary cross-entropy per label plus an L2 penalty. Each label's penalty has the lowest
    ``selection_losses`` in cross-validation by patient among these studies alone (the stronger one
    of equals); features are standardised by these studies' statistics. Raises ``EvaluationError``
    for features that are not finite or penalties that are not positive.
    """
    _check(features, truth, penalties)
    axes = principal_axes(torch.as_tensor(np.asarray(features)))
    constant = tuple(_constant(column) for column in truth.T)
    fitted = np.flatnonzero([reason is None for reason in constant])
    weights = torch.zeros(axes.values.shape[1], truth.shape[1], dtype=torch.float64)
    intercepts = torch.zeros(truth.shape[1], dtype=torch.float64)
    chosen, cross_fitted = np.full(truth.shape[1], np.nan), np.full(truth.shape, np.nan)
    if len(fitted):
        ladder = np.sort(np.asarray(penalties, dtype=np.float64))[::-1]
        held_out = _held_out(axes, truth[:, fitted], patients, ladder, folds, seed)
        best = selection_losses(held_out, truth[:, fitted]).argmin(axis=1)
        chosen[fitted] = ladder[best]
        cross_fitted[:, fitted] = held_out[:, np.arange(len(fitted)), best]
        cross_fitted[np.isnan(truth)] = np.nan
        targets, given = _tensors(truth[:, fitted])
        solved = solve(axes.values, targets, given, torch.from_numpy(chosen[fitted]))
        weights[:, fitted], intercepts[fitted] = solved
    return Probe(axes, weights, intercepts, chosen, constant, cross_fitted)


def _check(features: NDArray[Any], truth: NDArray[Any], penalties: Sequence[float]) -> None:
    if len(features) != len(truth):
        raise EvaluationError(f"{len(features)} rows of features but {len(truth)} labelled studies")
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(bad):
        raise EvaluationError(
            f"the features of {len(bad)} studies are not finite numbers, first row {bad[0]}: "
            "encode them again"
        )
    if len(penalties) == 0 or min(penalties) <= 0:
        raise EvaluationError("the penalties to sweep must be one or more positive numbers")


def _constant(column: NDArray[Any]) -> str | None:
    given = column[~np.isnan(column)]
    if len(given) == 0:
        return "no label given"
    if not (given == 1).any():
        return "no positive"
    return None if (given == 0).any() else "no negative"


def _held_out(
    axes: Axes,
    truth: NDArray[Any],
    patients: Sequence[str],
    penalties: Floats,
    folds: int,
    seed: int,
) -> Floats:
    """Out-of-fold logits ``[studies, labels, penalties]``; 0 where a single patient leaves no fold.

    Every label has its own folds, so that its positive patients are dealt out evenly. The weights
    of all labels, folds and penalties are solved in one batch, in float32: it picks the same
    penalties as float64 in less time. The final fit is float64.
    """
    count = min(folds, len(set(map(str, patients))))
    if count < 2:
        return np.zeros((*truth.shape, len(penalties)))
    fold = np.stack(
        [patient_folds(column, patients, count, seed) for column in truth.T], axis=1
    )  # [studies, labels]
    outside = torch.from_numpy(fold[:, :, None] != np.arange(count)).double()
    targets, given = _tensors(truth)
    shape = (*truth.shape, count, len(penalties))
    masks = (given[:, :, None] * outside)[..., None].expand(shape).reshape(len(truth), -1)
    goals = targets[:, :, None, None].expand(shape).reshape(len(truth), -1)
    sweep = torch.from_numpy(penalties.copy()).expand(shape[1:]).reshape(-1)
    values, goals, masks, sweep = (
        part.to(_SWEEP_TYPE) for part in (axes.values, goals, masks, sweep)
    )
    weights, intercepts = solve(values, goals, masks, sweep, tolerance=_SWEEP_TOLERANCE)
    logits = (axes.values @ weights.double() + intercepts.double()).reshape(shape)
    return ((1 - outside)[..., None] * logits).sum(dim=2).numpy()


def selection_losses(logits: Floats, truth: NDArray[Any], steps: int = 30) -> Floats:
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
    for _ in range(steps):
        p = 1 / (1 + np.exp(-(scale * x + offset)))
        residual, curve = (p - target) * given, p * (1 - p) * given
        slope, lift = (residual * x).sum(axis=0) + scale, residual.sum(axis=0)
        held = (scale <= 0) & (slope >= 0)
        slope, cross = np.where(held, 0, slope), np.where(held, 0, (curve * x).sum(axis=0))
        bend, level = (curve * x * x).sum(axis=0) + 1, curve.sum(axis=0) + 1e-9
        det = bend * level - cross**2
        scale = np.maximum(0, scale - np.clip((level * slope - cross * lift) / det, -2, 2))
        offset = offset - np.clip((bend * lift - cross * slope) / det, -2, 2)
    fitted = scale * x + offset
    each = (np.logaddexp(0, fitted) - target * fitted) * given
    return np.asarray(each.sum(axis=0) / counts)


def _tensors(truth: NDArray[Any]) -> tuple[Tensor, Tensor]:
    """Targets with 0 for not given, and the mask of what is given, float64."""
    targets = torch.from_numpy(np.nan_to_num(truth).astype(np.float64))
    return targets, torch.from_numpy((~np.isnan(truth)).astype(np.float64))
