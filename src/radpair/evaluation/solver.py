"""Many L2-penalised logistic regressions over one feature matrix, solved together.

Each problem p minimises over a weight vector w and an intercept b (which is not penalised)

    sum_i seen[p, i] * BCE(z_i w + b, target[p, i]) + penalty[p] / 2 * |w|^2

that is, scikit-learn's ``LogisticRegression(C=1 / penalty)``. Labels, penalties and folds differ
only in targets, studies seen and penalties, so one pass over the matrix serves them all. On
principal axes the curvature is nearly diagonal, which makes limited-memory BFGS (Nocedal and
Wright, Numerical Optimization, section 7.2) converge in a few steps of one pass each.

Targets and studies seen are one matrix of signs: 1 present, -1 absent, 0 not seen. Weights and
signs hold one problem a row.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.evaluation.axes import Table
from radpair.evaluation.statistics import Floats

_MEMORY = 12
_STEPS = 500
_BATCH_VALUES = 50_000_000
"""Weights, gradients and curvature pairs kept at a time."""
_SHRINK = 0.5
_SUFFICIENT = 1e-4


def solve(
    table: Table,
    signs: NDArray[Any],
    group: NDArray[np.int64],
    penalties: Floats,
    tolerance: float = 1e-13,
    start: Floats | None = None,
) -> Floats:
    """Weights ``[problems, rank + 1]`` of every problem, the intercept last.

    ``signs [groups, studies]`` are 1, -1 or 0; problem p learns ``signs[group[p]]`` under
    ``penalties[p]``. Passes are done in the table's type. A problem ends when its next step is
    expected to lower the mean loss by less than ``tolerance`` nats a study. ``start`` are weights
    to begin at. A problem with one class only has no finite intercept: it gets zero weights and the
    intercept of its smoothed base rate.
    """
    signs = signs.astype(table.dtype, copy=False)
    positives, negatives = ((signs == side).sum(axis=1)[group] for side in (1, -1))
    result = np.zeros((len(group), table.rank + 1))
    result[:, -1] = np.log((positives + 0.5) / (negatives + 0.5))
    open_ = np.flatnonzero((positives > 0) & (negatives > 0))
    size = max(1, _BATCH_VALUES // (2 * _MEMORY * (table.rank + 1)))
    for first in range(0, len(open_), size):
        part = open_[first : first + size]
        batch = _Batch(table, signs, group[part], penalties[part], tolerance)
        result[part] = batch.run((result if start is None else start)[part])
    return result


class _Batch:
    """Limited-memory BFGS over the rows of one weight matrix, converged rows retired."""

    def __init__(
        self,
        table: Table,
        signs: NDArray[Any],
        group: NDArray[np.int64],
        penalties: Floats,
        tolerance: float,
    ) -> None:
        self.table, self.signs, self.group = table, signs, group
        self.ridge = np.repeat(penalties[:, None], table.rank + 1, axis=1)
        self.ridge[:, -1] = 0.0
        seen = np.abs(signs).sum(axis=1, dtype=np.float64)
        positives = (signs == 1).sum(axis=1)
        weight = (positives * (1 - positives / np.maximum(seen, 1)))[group, None]
        curvature = weight * np.append(table.spread, 1.0)
        floor = 1e-9 * curvature.max(axis=1, keepdims=True) + 1e-12
        self.diagonal = 1 / (curvature + self.ridge + floor)
        """A guess at the inverse of the Hessian: the axes', as if all studies were alike."""
        self.limit = tolerance * seen[group]
        self.pairs: deque[tuple[Floats, Floats]] = deque(maxlen=_MEMORY)

    def run(self, weights: Floats) -> Floats:
        """Weights ``[problems, rank + 1]``, moved until no step promises more than the limit."""
        result, places = weights.copy(), np.arange(len(weights))
        loss, gradient = self._losses(weights, places)
        for _ in range(_STEPS):
            direction = -self._scaled(gradient)
            slope = (gradient * direction).sum(axis=1)
            moving = slope < -2 * self.limit
            if not moving.any():
                break
            if moving.sum() <= 0.75 * len(moving):
                result[places] = weights
                places = places[moving]
                weights, loss, gradient, direction, slope = (
                    part[moving] for part in (weights, loss, gradient, direction, slope)
                )
                self._keep(moving)
            moved, loss, fresh = self._line_search(weights, loss, gradient, direction, slope)
            self.pairs.append((moved - weights, fresh - gradient))
            weights, gradient = moved, fresh
        result[places] = weights
        return result

    def _keep(self, moving: NDArray[np.bool_]) -> None:
        self.group, self.limit = self.group[moving], self.limit[moving]
        self.ridge, self.diagonal = self.ridge[moving], self.diagonal[moving]
        self.pairs = deque([(s[moving], y[moving]) for s, y in self.pairs], maxlen=_MEMORY)

    def _losses(self, weights: Floats, rows: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """What is to be minimised and its gradient, for some rows of the batch."""
        loss, gradient = self.table.losses(weights, self.signs, self.group[rows])
        pull = self.ridge[rows] * weights
        return loss + 0.5 * (pull * weights).sum(axis=1), gradient + pull

    def _scaled(self, gradient: Floats) -> Floats:
        """The two-loop recursion, every row with its own curvature pairs."""
        turned, shares = gradient.copy(), []
        for s, y in reversed(self.pairs):
            rho = _inverse(_dot(s, y))
            share = rho * _dot(s, turned)
            turned -= share * y
            shares.append((s, y, rho, share))
        turned *= self.diagonal * self._rescaling()
        for s, y, rho, share in reversed(shares):
            turned += (share - rho * _dot(y, turned)) * s
        return turned

    def _rescaling(self) -> Floats:
        """How far the curvature met last is from the diagonal's (equation 7.20 there)."""
        if not self.pairs:
            return np.ones((len(self.limit), 1))
        s, y = self.pairs[-1]
        fit = _dot(s, y) / np.maximum(_dot(self.diagonal * y, y), 1e-30)
        return np.asarray(np.where(fit > 0, fit, 1.0))

    def _line_search(
        self, weights: Floats, start: Floats, gradient: Floats, direction: Floats, slope: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Moved weights, their loss and gradient: shorter steps until the loss falls enough."""
        rounding = 8 * np.finfo(self.table.dtype).eps * np.abs(start)
        moved, reached, fresh = weights + direction, start.copy(), gradient.copy()
        size, rows = np.ones_like(start), np.arange(len(weights))
        for _ in range(30):
            reached[rows], fresh[rows] = self._losses(moved[rows], rows)
            rows = np.flatnonzero(reached > start + _SUFFICIENT * size * slope + rounding)
            if len(rows) == 0:
                break
            size[rows] *= _SHRINK
            moved[rows] = weights[rows] + size[rows, None] * direction[rows]
        return moved, reached, fresh


def _dot(first: Floats, second: Floats) -> Floats:
    """``[problems, 1]``."""
    return np.asarray((first * second).sum(axis=1, keepdims=True))


def _inverse(products: Floats) -> Floats:
    """One over the curvature of a pair, 0 where it is not positive (the pair is then skipped)."""
    usable = products > np.finfo(np.float64).tiny
    return np.asarray(np.where(usable, 1 / np.where(usable, products, 1.0), 0.0))
