"""Standardised features on their principal axes, as the matrix of many regressions.

Up to a few million values, the rotated features are kept as they are, in float64: with fewer
studies than dimensions this is the dual form. A larger table is never copied: its blocks are
centred in float32 whenever they are read, and the weights are rotated instead. Its axes come from a
random sample of its studies, which costs little and gives the solver nearly the same curvature.

Matrices of problems hold one problem a row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.evaluation.blocks import over_blocks
from radpair.evaluation.statistics import Floats

LARGE = 4_000_000
"""Values of a table from which it stays unrotated in float32, where it also has enough studies."""


@dataclass(frozen=True, slots=True)
class Table:
    """Studies on axes, and an intercept as the last column of all weights."""

    matrix: NDArray[Any]
    """``[studies, width]``; of a large table the features as they were given."""
    spread: Floats
    """Mean square on every axis ``[rank]``; of a large table, a sample's."""
    turn: Floats | None = None
    """``[width, rank]``: the standardised axes, where the matrix is not rotated."""
    centre: NDArray[Any] | None = None
    """``[width]``: what is still to be subtracted from the matrix, before it becomes float32."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type that passes over the table are done in."""
        return self.matrix.dtype if self.centre is None else np.dtype(np.float32)

    @property
    def rank(self) -> int:
        """How many axes there are."""
        return len(self.spread)

    def logits(self, weights: Floats) -> NDArray[Any]:
        """``[problems, studies]`` of ``weights [problems, rank + 1]``."""
        slopes, lift = self._on_columns(weights)
        parts = over_blocks(lambda rows: slopes @ self._part(rows).T + lift, len(self.matrix))
        return np.concatenate(list(parts), axis=1)

    def losses(
        self, weights: Floats, signs: NDArray[Any], group: NDArray[np.int64]
    ) -> tuple[Floats, Floats]:
        """Cross-entropy ``[problems]`` and its gradient ``[problems, rank + 1]``, one pass.

        Problem p has ``weights[p]`` and the targets ``signs[group[p]]``, of ``signs [groups,
        studies]``: 1 present, -1 absent, 0 not seen, which adds log 2 to the loss.
        """
        slopes, lift = self._on_columns(weights)

        def part(rows: slice) -> tuple[Floats, NDArray[Any], Floats]:
            """Of a block of studies: losses, and their derivatives by slopes and lift."""
            sign, studies = signs[:, rows][group], self._part(rows)
            margin = (slopes @ studies.T + lift) * sign
            odds = np.exp(-np.abs(margin))
            loss = np.log1p(odds) - np.minimum(margin, 0)
            residual = np.where(margin > 0, odds, 1) / (1 + odds) * -sign
            return _totals(loss), residual @ studies, _totals(residual)

        loss, tilt = np.zeros((2, len(weights)))
        gradient = np.zeros((len(weights), self.matrix.shape[1]))
        for here, slope, lean in over_blocks(part, len(self.matrix)):
            loss, gradient, tilt = loss + here, gradient + slope, tilt + lean
        gradient = gradient if self.turn is None else gradient @ self.turn
        return loss, np.column_stack([gradient, tilt])

    def take(self, rows: NDArray[np.int64]) -> Table:
        """The same for some of the studies."""
        return Table(self._part(rows), self.spread, self.turn)

    def single(self) -> Table:
        """The same in float32."""
        return replace(self, matrix=self.matrix.astype(np.float32))

    def _part(self, rows: slice | NDArray[np.int64]) -> NDArray[Any]:
        """Some studies, centred, in the type of the work."""
        part = self.matrix[rows]
        return (
            part
            if self.centre is None
            else _centred(part, self.centre).astype(self.dtype, copy=False)
        )

    def _on_columns(self, weights: Floats) -> tuple[NDArray[Any], NDArray[Any]]:
        """Slopes ``[problems, width]`` and intercepts ``[problems, 1]`` in the matrix's type."""
        slopes = weights[:, :-1] if self.turn is None else weights[:, :-1] @ self.turn.T
        return slopes.astype(self.dtype), weights[:, -1:].astype(self.dtype)


@dataclass(frozen=True, slots=True)
class Axes:
    """Where a set of features lies, and its studies on those axes."""

    mean: Floats
    """What is subtracted from features; of a large table, near their mean."""
    scale: Floats
    directions: Floats
    """``[dim, rank]``, orthonormal columns."""
    table: Table

    @property
    def large(self) -> bool:
        """Whether the table is too large to be kept rotated."""
        return self.table.turn is not None

    def score(self, features: NDArray[Any], weights: Floats) -> Floats:
        """Logits ``[studies, problems]`` of other studies' ``features [studies, dim]``."""
        slopes = (self.directions @ weights[:, :-1].T) / self.scale[:, None]

        def part(rows: slice) -> Floats:
            """Of a block of studies."""
            return _centred(features[rows], self.mean) @ slopes + weights[:, -1]

        parts = list(over_blocks(part, len(features)))
        return np.concatenate([np.empty((0, len(weights))), *parts])


def principal_axes(features: NDArray[Any]) -> Axes:
    """Standardises ``features [studies, dim]`` by their own mean and deviation, then rotates."""
    studies, dim = features.shape
    if studies * dim >= LARGE and studies >= 2 * sample_size(dim):
        return _large(features)
    table = features.astype(np.float64)
    mean, scale = table.mean(axis=0), table.std(axis=0)
    flat = _flat(mean, scale)
    scale = np.where(flat, 1.0, scale)
    centred = np.where(flat, 0.0, (table - mean) / scale)
    if studies < dim:
        _, sizes, turned = np.linalg.svd(centred, full_matrices=False)
        spread, directions = sizes**2 / studies, turned.T
    else:
        spread, directions = _eigen(centred)
    kept = spread > 1e-12 * max(spread.max(), 1.0 / studies)
    directions = np.ascontiguousarray(directions[:, kept] * ~flat[:, None])
    rotated = np.concatenate(list(over_blocks(lambda rows: centred[rows] @ directions, studies)))
    return Axes(mean, scale, directions, Table(rotated, spread[kept]))


def sample_size(dim: int) -> int:
    """Studies from which the axes of a large table are guessed."""
    return max(4096, 16 * dim)


def sample_rows(studies: int, size: int) -> NDArray[np.int64]:
    """Sorted rows of a random sample, the same in every call."""
    drawn = np.random.default_rng(0).permutation(studies)[:size]
    return np.sort(drawn).astype(np.int64)


def _large(features: NDArray[Any]) -> Axes:
    """Centred by the mean of the sample, exact in scale."""
    studies, dim = features.shape
    kind = np.float64 if features.dtype == np.float64 else np.float32
    drawn = features[sample_rows(studies, sample_size(dim))]
    centre = drawn.mean(axis=0, dtype=np.float64).astype(kind)

    def part(rows: slice) -> tuple[NDArray[Any], NDArray[Any]]:
        """Sums over a block, and sums of squares."""
        centred = _centred(features[rows], centre)
        ones = np.ones(len(centred), dtype=kind)
        return ones @ centred, ones @ np.square(centred)

    shift, square = np.zeros((2, dim))
    for total, squares in over_blocks(part, studies):
        shift, square = shift + total, square + squares
    mean, scale = (
        centre.astype(np.float64),
        np.sqrt(np.maximum(square / studies - np.square(shift / studies), 0)),
    )
    flat = _flat(mean, scale)
    scale = np.where(flat, 1.0, scale)
    spread, directions = _eigen((_centred(drawn, centre) / scale).astype(np.float32))
    directions = directions * ~flat[:, None]
    table = Table(features, spread, directions / scale[:, None], centre)
    return Axes(mean, scale, directions, table)


def _eigen(centred: NDArray[Any]) -> tuple[Floats, Floats]:
    """Mean squares and directions of the principal axes of ``centred [studies, dim]``."""
    parts = over_blocks(lambda rows: centred[rows].T @ centred[rows], len(centred))
    products = sum(parts, np.zeros((centred.shape[1],) * 2))
    spread, directions = np.linalg.eigh(products / len(centred))
    return np.maximum(spread, 0), directions


def _totals(values: NDArray[Any]) -> Floats:
    return np.asarray(values.sum(axis=1, dtype=np.float64))


def _flat(mean: Floats, scale: Floats) -> NDArray[np.bool_]:
    return np.asarray(scale <= 1e-7 * (1 + np.abs(mean)))


def _centred(features: NDArray[Any], centre: NDArray[Any]) -> NDArray[Any]:
    """Half-precision features are subtracted from in the precision of ``centre``."""
    kind = np.result_type(features, centre)
    return np.asarray(np.subtract(features, centre, dtype=kind))
