"""Standardised features on their principal axes, as the matrix of many regressions.

Up to a few million values, the rotated features are kept as they are, in float64: with fewer
studies than dimensions this is the dual form. A larger table stays unrotated in float32 and the
weights are rotated instead; its axes come from a random sample of its studies, which costs little
and gives the solver nearly the same curvature.

Matrices of problems hold one problem a row. Products are NumPy's, whose BLAS is much faster than
PyTorch's on AMD processors where few problems meet many studies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LARGE = 20_000_000
"""Values of a table from which it stays unrotated in float32, where it also has enough studies."""
_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Table:
    """Studies on axes, and an intercept as the last column of all weights."""

    matrix: NDArray[Any]
    """``[studies, width]``, float64 or float32."""
    turn: NDArray[np.float64] | None = None
    """``[width, rank]``: the standardised axes, where the matrix is only centred."""

    @property
    def rank(self) -> int:
        return int(self.matrix.shape[1] if self.turn is None else self.turn.shape[1])

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32 if self.matrix.dtype == np.float32 else torch.float64

    def logits(self, weights: Tensor) -> Tensor:
        """``[problems, studies]`` of ``weights [problems, rank + 1]``."""
        slopes = weights[:, :-1].numpy()
        slopes = slopes if self.turn is None else slopes @ self.turn.T
        found = torch.from_numpy(slopes.astype(self.matrix.dtype) @ self.matrix.T)
        return found.add_(weights[:, -1:].to(self.dtype))

    def gradient(self, residual: Tensor) -> Tensor:
        """``[problems, rank + 1]`` float64 of ``residual [problems, studies]``."""
        slopes = (residual.numpy() @ self.matrix).astype(np.float64)
        slopes = slopes if self.turn is None else slopes @ self.turn
        lift = residual.sum(dim=1, keepdim=True, dtype=torch.float64)
        return torch.cat([torch.from_numpy(slopes), lift], dim=1)

    def take(self, rows: NDArray[np.int64]) -> Table:
        """The same for some of the studies."""
        return Table(self.matrix[rows], self.turn)

    def single(self) -> Table:
        """The same in float32."""
        return Table(self.matrix.astype(np.float32, copy=False), self.turn)


@dataclass(frozen=True, slots=True)
class Axes:
    """Where a set of features lies, and its studies on those axes."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    directions: NDArray[np.float64]
    """``[dim, rank]``, orthonormal columns."""
    table: Table

    @property
    def large(self) -> bool:
        return self.table.turn is not None

    def score(self, features: NDArray[Any], weights: Tensor) -> NDArray[np.float64]:
        """Logits ``[studies, problems]`` of other studies' ``features [studies, dim]``."""
        slopes = (self.directions @ weights[:, :-1].numpy().T) / self.scale[:, None]
        lift = weights[:, -1].numpy()
        return np.concatenate([(part - self.mean) @ slopes + lift for part in _chunks(features)])


def principal_axes(features: NDArray[Any]) -> Axes:
    """Standardises ``features [studies, dim]`` by their own mean and deviation, then rotates."""
    studies, dim = features.shape
    if studies * dim >= LARGE and studies >= 2 * sample_size(dim):
        return _large(features)
    table = torch.from_numpy(features.astype(np.float64))
    mean, scale = table.mean(dim=0), table.std(dim=0, correction=0)
    flat = _flat(mean, scale)
    scale = torch.where(flat, torch.ones_like(scale), scale)
    centred = torch.where(flat, torch.zeros_like(table), (table - mean) / scale)
    if studies < dim:
        _, sizes, turned = torch.linalg.svd(centred, full_matrices=False)
        spread, directions = sizes.square(), turned.T
    else:
        spread, directions = torch.linalg.eigh(centred.T @ centred)
    kept = spread > 1e-12 * spread.max().clamp(min=1.0)
    directions = (directions[:, kept] * ~flat[:, None]).contiguous()
    values = (centred @ directions).contiguous().numpy()
    return Axes(mean.numpy(), scale.numpy(), directions.numpy(), Table(values))


def sample_size(dim: int) -> int:
    """Studies from which the axes and the curvature of a large table are guessed."""
    return max(4096, 16 * dim)


def sample_rows(studies: int, size: int) -> NDArray[np.int64]:
    """Sorted rows of a random sample, the same in every call."""
    drawn = np.random.default_rng(0).permutation(studies)[:size]
    return np.sort(drawn).astype(np.int64)


def _large(features: NDArray[Any]) -> Axes:
    """Centred before it becomes float32, so that digits far from zero are kept."""
    studies, dim = features.shape
    total = np.zeros(dim)
    for part in _chunks(features):
        total += part.sum(axis=0)
    mean = (total / studies).astype(part.dtype).astype(np.float64)
    matrix, start = np.empty((studies, dim), dtype=np.float32), 0
    shift, square = np.zeros((2, dim))
    for part in _chunks(features):
        centred = part - mean.astype(part.dtype)
        shift += centred.sum(axis=0)
        square += np.einsum("nd,nd->d", centred, centred)
        matrix[start : start + len(part)] = centred
        start += len(part)
    scale = np.sqrt(np.maximum(square / studies - np.square(shift / studies), 0))
    flat = _flat(torch.from_numpy(mean), torch.from_numpy(scale)).numpy()
    scale = np.where(flat, 1.0, scale)
    sample = matrix[sample_rows(studies, sample_size(dim))] / scale.astype(np.float32)
    _, directions = np.linalg.eigh((sample.T @ sample).astype(np.float64))
    directions = directions * ~flat[:, None]
    return Axes(mean, scale, directions, Table(matrix, directions / scale[:, None]))


def _flat(mean: Tensor, scale: Tensor) -> Tensor:
    return scale <= 1e-7 * (1 + mean.abs())


def _chunks(features: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for start in range(0, max(1, len(features)), _CHUNK):
        part = features[start : start + _CHUNK]
        yield part if part.dtype == np.float64 else part.astype(np.float32, copy=False)
