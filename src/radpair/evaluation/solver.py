"""Many L2-penalised logistic regressions over one feature matrix, solved together.

Each problem p minimises over a weight vector w and an intercept b (which is not penalised)

    sum_i mask[i, p] * BCE(z_i w + b, target[i, p]) + penalty[p] / 2 * |w|^2

that is, scikit-learn's ``LogisticRegression(C=1 / penalty)``. Labels, penalties and folds differ
only in targets, masks and penalties, so one matrix product serves them all. The features are
rotated to their principal axes first: with fewer studies than dimensions this is the dual form, and
on these axes the curvature is nearly diagonal, which makes limited-memory BFGS (Nocedal and Wright,
Numerical Optimization, section 7.2) converge in a few dozen steps.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor

_MEMORY = 12
_BATCH_VALUES = 20_000_000
_SHRINK = 0.5
_SUFFICIENT = 1e-4


@dataclass(frozen=True, slots=True)
class Axes:
    """Standardised features on their principal axes."""

    mean: Tensor
    scale: Tensor
    directions: Tensor
    """``[dim, rank]``, orthonormal columns."""
    values: Tensor
    """``[studies, rank]`` float64."""

    def apply(self, features: Tensor) -> Tensor:
        """Other studies' features ``[studies, dim]`` on the same axes ``[studies, rank]``."""
        return ((features.double() - self.mean) / self.scale) @ self.directions


def principal_axes(features: Tensor) -> Axes:
    """Standardises ``features [studies, dim]`` by their own mean and deviation, then rotates."""
    table = features.double()
    mean = table.mean(dim=0)
    scale = table.std(dim=0, correction=0)
    flat = scale <= 1e-7 * (1 + mean.abs())
    scale = torch.where(flat, torch.ones_like(scale), scale)
    centred = torch.where(flat, torch.zeros_like(table), (table - mean) / scale)
    if len(table) < table.shape[1]:
        _, sizes, turned = torch.linalg.svd(centred, full_matrices=False)
        spread, directions = sizes.square(), turned.T
    else:
        spread, directions = torch.linalg.eigh(centred.T @ centred)
    kept = spread > 1e-12 * spread.max().clamp(min=1.0)
    directions = directions[:, kept] * ~flat[:, None]
    return Axes(mean, scale, directions.contiguous(), (centred @ directions).contiguous())


def solve(
    axes: Tensor,
    targets: Tensor,
    masks: Tensor,
    penalties: Tensor,
    tolerance: float = 1e-7,
    steps: int = 500,
) -> tuple[Tensor, Tensor]:
    """Weights ``[rank, problems]`` and intercepts ``[problems]`` of every problem.

    ``axes [studies, rank]``, ``targets, masks [studies, problems]``, ``penalties [problems]``, all
    of one type, float64 or float32, in which the work is done. The gradient ends below
    ``tolerance`` times the number of studies of the problem. A problem with one class only has no
    finite intercept: it gets zero weights and the intercept of its smoothed base rate.
    """
    counts = masks.sum(dim=0)
    positives = (masks * targets).sum(dim=0)
    rate = (positives + 0.5) / (counts + 1)
    weights = torch.zeros(axes.shape[1] + 1, len(penalties), dtype=axes.dtype)
    weights[-1] = torch.logit(rate)
    open_ = torch.nonzero((positives > 0) & (positives < counts)).flatten()
    size = max(1, _BATCH_VALUES // len(axes))
    for start in range(0, len(open_), size):
        part = open_[start : start + size]
        batch = _Batch(axes, targets[:, part], masks[:, part], penalties[part], tolerance)
        weights[:, part] = batch.run(weights[:, part], steps)
    return weights[:-1], weights[-1]


class _Batch:
    """Limited-memory BFGS over the columns of one weight matrix, converged columns retired."""

    def __init__(
        self, axes: Tensor, targets: Tensor, masks: Tensor, penalties: Tensor, tolerance: float
    ) -> None:
        self.axes = torch.cat([axes, torch.ones(len(axes), 1, dtype=axes.dtype)], dim=1)
        self.targets, self.masks = targets, masks
        self.ridge = penalties.repeat(self.axes.shape[1], 1)
        self.ridge[-1] = 0.0
        self.limit = tolerance * masks.sum(dim=0)
        self.pairs: deque[tuple[Tensor, Tensor]] = deque(maxlen=_MEMORY)
        self.diagonal = self._inverse_curvature()

    def _inverse_curvature(self) -> Tensor:
        """One over the diagonal of the Hessian at the base rate ``[rank + 1, problems]``."""
        counts = self.masks.sum(dim=0)
        rate = (self.masks * self.targets).sum(dim=0) / counts
        share = rate * (1 - rate) * counts / len(self.axes)
        return 1 / (self.axes.square().sum(dim=0)[:, None] * share + self.ridge)

    def run(self, weights: Tensor, steps: int) -> Tensor:
        result = weights.clone()
        columns = torch.arange(weights.shape[1])
        logits = self.axes @ weights
        gradient = self._gradient(weights, logits)
        for _ in range(steps):
            moving = gradient.abs().amax(dim=0) > self.limit
            if not moving.any():
                break
            if int(moving.sum()) <= 0.75 * len(moving):
                result[:, columns] = weights
                columns, weights, logits, gradient = (
                    part[..., moving] for part in (columns, weights, logits, gradient)
                )
                self._keep(moving)
            weights, logits, gradient = self._step(weights, logits, gradient)
        result[:, columns] = weights
        return result

    def _keep(self, moving: Tensor) -> None:
        self.targets, self.masks = self.targets[:, moving], self.masks[:, moving]
        self.ridge, self.diagonal = self.ridge[:, moving], self.diagonal[:, moving]
        self.limit = self.limit[moving]
        kept = [(s[:, moving], y[:, moving]) for s, y in self.pairs]
        self.pairs = deque(kept, maxlen=_MEMORY)

    def _step(
        self, weights: Tensor, logits: Tensor, gradient: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        direction = -self._scaled(gradient)
        change = self.axes @ direction
        size = self._line_search(weights, direction, logits, change, gradient)
        moved, shifted = weights + size * direction, logits + size * change
        fresh = self._gradient(moved, shifted)
        self.pairs.append((moved - weights, fresh - gradient))
        return moved, shifted, fresh

    def _gradient(self, weights: Tensor, logits: Tensor) -> Tensor:
        residual = (torch.sigmoid(logits) - self.targets) * self.masks
        return self.axes.T @ residual + self.ridge * weights

    def _loss(self, weights: Tensor, logits: Tensor) -> Tensor:
        each = torch.nn.functional.softplus(logits, threshold=50) - self.targets * logits
        return (each * self.masks).sum(dim=0) + 0.5 * (self.ridge * weights.square()).sum(dim=0)

    def _scaled(self, gradient: Tensor) -> Tensor:
        """The two-loop recursion, every column with its own curvature pairs."""
        turned, shares = gradient.clone(), []
        for s, y in reversed(self.pairs):
            rho = _inverse((s * y).sum(dim=0))
            share = rho * (s * turned).sum(dim=0)
            turned -= share * y
            shares.append((s, y, rho, share))
        turned *= self.diagonal * self._rescaling()
        for s, y, rho, share in reversed(shares):
            turned += (share - rho * (y * turned).sum(dim=0)) * s
        return turned

    def _rescaling(self) -> Tensor:
        """How far the curvature met last is from the diagonal's (equation 7.20 there)."""
        if not self.pairs:
            return torch.ones_like(self.limit)
        s, y = self.pairs[-1]
        fit = (s * y).sum(dim=0) / (self.diagonal * y * y).sum(dim=0).clamp(min=1e-30)
        return torch.where(fit > 0, fit, torch.ones_like(fit))

    def _line_search(
        self, weights: Tensor, direction: Tensor, logits: Tensor, change: Tensor, gradient: Tensor
    ) -> Tensor:
        """Backtracking per column until the loss falls enough; logits are linear in the step."""
        start = self._loss(weights, logits)
        rounding = 8 * torch.finfo(start.dtype).eps * start.abs()
        slope = (gradient * direction).sum(dim=0)
        size = torch.ones_like(start)
        for _ in range(30):
            reached = self._loss(weights + size * direction, logits + size * change)
            failed = reached > start + _SUFFICIENT * size * slope + rounding
            if not failed.any():
                break
            size = torch.where(failed, size * _SHRINK, size)
        return size


def _inverse(products: Tensor) -> Tensor:
    """One over the curvature of a pair, 0 where it is not positive (the pair is then skipped)."""
    usable = products > torch.finfo(products.dtype).tiny
    return torch.where(usable, 1 / products.where(usable, torch.ones_like(products)), 0.0)
