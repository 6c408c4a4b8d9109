"""Many L2-penalised logistic regressions over one feature matrix, solved together.

Each problem p minimises over a weight vector w and an intercept b (which is not penalised)

    sum_i seen[p, i] * BCE(z_i w + b, target[p, i]) + penalty[p] / 2 * |w|^2

that is, scikit-learn's ``LogisticRegression(C=1 / penalty)``. Labels, penalties and folds differ
only in targets, studies seen and penalties, so one matrix product serves them all. On principal
axes the curvature is nearly diagonal, which makes limited-memory BFGS (Nocedal and Wright,
Numerical Optimization, section 7.2) converge in a dozen steps.

Targets and studies seen are one matrix of signs: 1 present, -1 absent, 0 not seen. Weights, logits
and signs hold one problem a row.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from radpair.evaluation.axes import Table, sample_rows, sample_size

_MEMORY = 12
_BATCH_VALUES = 20_000_000
_SHRINK = 0.5
_SUFFICIENT = 1e-4


def solve(
    table: Table,
    signs: Tensor,
    group: Tensor,
    penalties: Tensor,
    tolerance: float = 1e-13,
    start: Tensor | None = None,
    steps: int = 500,
) -> Tensor:
    """Weights ``[problems, rank + 1]`` float64 of every problem, the intercept last.

    ``signs [groups, studies]`` are 1, -1 or 0; problem p learns ``signs[group[p]]`` under
    ``penalties[p]``. The work is done in the table's type. A problem ends when its next step is
    expected to lower the mean loss by less than ``tolerance`` nats a study. ``start`` are weights
    to begin at. A problem with one class only has no finite intercept: it gets zero weights and the
    intercept of its smoothed base rate.
    """
    signs = signs.to(table.dtype)
    positives, negatives = ((signs == side).sum(dim=1)[group].double() for side in (1, -1))
    base = torch.zeros(len(group), table.rank + 1, dtype=torch.float64)
    base[:, -1] = torch.log((positives + 0.5) / (negatives + 0.5))
    open_ = torch.nonzero((positives > 0) & (negatives > 0)).flatten()
    result = base.clone()
    size = max(1, _BATCH_VALUES // signs.shape[1])
    sample = _Sample(table)
    for first in range(0, len(open_), size):
        part = open_[first : first + size]
        batch = _Batch(table, signs[group[part]], penalties[part].double(), tolerance)
        begun = (base if start is None else start)[part]
        batch.diagonal = sample.inverse_curvature(batch, begun)
        result[part] = batch.run(begun, steps)
    return result


class _Sample:
    """Rotated studies, all or a sample, that stand for all in the first guess of the curvature."""

    def __init__(self, table: Table) -> None:
        self.rows: slice | Tensor = slice(None)
        self.part = table
        if table.turn is not None and len(table.matrix) > 2 * sample_size(table.rank):
            rows = sample_rows(len(table.matrix), sample_size(table.rank))
            self.rows, self.part = torch.from_numpy(rows), table.take(rows)
        if self.part.turn is not None:
            self.part = Table(self.part.matrix @ self.part.turn.astype(self.part.matrix.dtype))
        self.squares = Table(np.square(self.part.matrix))

    def inverse_curvature(self, batch: _Batch, weights: Tensor) -> Tensor:
        """One over the diagonal of the Hessian at ``weights [problems, rank + 1]``."""
        signs = batch.signs[:, self.rows]
        share = torch.sigmoid(self.part.logits(weights))
        share = share * (1 - share) * signs.abs()
        diagonal = self.squares.gradient(share) * (batch.signs.shape[1] / signs.shape[1])
        floor = 1e-9 * diagonal.amax(dim=1, keepdim=True) + 1e-12
        return 1 / (diagonal + batch.ridge + floor)


class _Batch:
    """Limited-memory BFGS over the rows of one weight matrix, converged rows retired."""

    diagonal: Tensor
    """A guess at the inverse of the Hessian's diagonal."""

    def __init__(self, table: Table, signs: Tensor, penalties: Tensor, tolerance: float) -> None:
        self.table, self.signs = table, signs
        self.ridge = penalties[:, None].repeat(1, table.rank + 1)
        self.ridge[:, -1] = 0.0
        self.limit = tolerance * (signs != 0).sum(dim=1).double()
        self.pairs: deque[tuple[Tensor, Tensor]] = deque(maxlen=_MEMORY)

    def run(self, weights: Tensor, steps: int) -> Tensor:
        result = weights.clone()
        places = torch.arange(len(weights))
        logits = self.table.logits(weights)
        gradient = self._gradient(weights, logits)
        for _ in range(steps):
            direction = -self._scaled(gradient)
            slope = (gradient * direction).sum(dim=1)
            moving = slope < -2 * self.limit
            if not moving.any():
                break
            if int(moving.sum()) <= 0.75 * len(moving):
                result[places] = weights
                places, weights, logits, gradient, direction, slope = (
                    part[moving] for part in (places, weights, logits, gradient, direction, slope)
                )
                self._keep(moving)
            weights, logits, gradient = self._step(weights, logits, gradient, direction, slope)
        result[places] = weights
        return result

    def _keep(self, moving: Tensor) -> None:
        self.signs, self.limit = self.signs[moving], self.limit[moving]
        self.ridge, self.diagonal = self.ridge[moving], self.diagonal[moving]
        self.pairs = deque([(s[moving], y[moving]) for s, y in self.pairs], maxlen=_MEMORY)

    def _step(
        self, weights: Tensor, logits: Tensor, gradient: Tensor, direction: Tensor, slope: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        change = self.table.logits(direction)
        size, shifted = self._line_search(weights, direction, logits, change, slope)
        moved = weights + size[:, None] * direction
        fresh = self._gradient(moved, shifted)
        self.pairs.append((moved - weights, fresh - gradient))
        return moved, shifted, fresh

    def _gradient(self, weights: Tensor, logits: Tensor) -> Tensor:
        residual = (self.signs * logits).neg_().sigmoid_().mul_(self.signs).neg_()
        return self.table.gradient(residual) + self.ridge * weights

    def _loss(self, weights: Tensor, logits: Tensor) -> Tensor:
        """What is to be minimised, plus log 2 for every study not seen."""
        each = F.logsigmoid(self.signs * logits).sum(dim=1, dtype=torch.float64)
        return 0.5 * (self.ridge * weights.square()).sum(dim=1) - each

    def _scaled(self, gradient: Tensor) -> Tensor:
        """The two-loop recursion, every row with its own curvature pairs."""
        turned, shares = gradient.clone(), []
        for s, y in reversed(self.pairs):
            rho = _inverse(_dot(s, y))
            share = rho * _dot(s, turned)
            turned -= share * y
            shares.append((s, y, rho, share))
        turned *= self.diagonal * self._rescaling()
        for s, y, rho, share in reversed(shares):
            turned += (share - rho * _dot(y, turned)) * s
        return turned

    def _rescaling(self) -> Tensor:
        """How far the curvature met last is from the diagonal's (equation 7.20 there)."""
        if not self.pairs:
            return torch.ones(len(self.limit), 1, dtype=torch.float64)
        s, y = self.pairs[-1]
        fit = _dot(s, y) / _dot(self.diagonal * y, y).clamp(min=1e-30)
        return torch.where(fit > 0, fit, torch.ones_like(fit))

    def _line_search(
        self, weights: Tensor, direction: Tensor, logits: Tensor, change: Tensor, slope: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Backtracking per row until the loss falls enough; logits are linear in the step."""
        start = self._loss(weights, logits)
        rounding = 8 * torch.finfo(logits.dtype).eps * start.abs()
        size = torch.ones_like(start)
        shifted = logits + change
        for _ in range(30):
            reached = self._loss(weights + size[:, None] * direction, shifted)
            failed = reached > start + _SUFFICIENT * size * slope + rounding
            if not failed.any():
                break
            size = torch.where(failed, size * _SHRINK, size)
            shifted = torch.addcmul(logits, change, size[:, None].to(change.dtype))
        return size, shifted


def _dot(first: Tensor, second: Tensor) -> Tensor:
    """``[problems, 1]``."""
    return (first * second).sum(dim=1, keepdim=True)


def _inverse(products: Tensor) -> Tensor:
    """One over the curvature of a pair, 0 where it is not positive (the pair is then skipped)."""
    usable = products > torch.finfo(products.dtype).tiny
    return torch.where(usable, 1 / products.where(usable, torch.ones_like(products)), 0.0)
