"""One linear probe: a logistic regression per label, its penalty chosen inside the label budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError
from radpair.evaluation.axes import Axes, principal_axes
from radpair.evaluation.blocks import row_threads
from radpair.evaluation.solver import solve
from radpair.evaluation.statistics import Floats
from radpair.evaluation.sweep import Sweep, sweep

PENALTIES = tuple(10.0**power for power in range(-1, 6))
"""Penalties swept, on standardised features; scikit-learn's ``C`` is one over these."""
_LARGE_TOLERANCE = 1e-6
"""Nats a study that the last step of a float32 fit may still gain: about as near the optimum as
scikit-learn's default tolerance comes."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A fitted probe; labels with one class in the budget score 0 everywhere."""

    axes: Axes
    weights: Floats
    """``[labels, rank]``."""
    intercepts: Floats
    """``[labels]``."""
    penalties: Floats
    """The penalty chosen for each label ``[labels]``; NaN for a constant label."""
    constant: tuple[str | None, ...]
    """Why a label has a constant score, or None, for each label."""
    cross_fitted: Floats
    """Out-of-fold logits of the training studies ``[studies, labels]``; NaN where a label is not
    given, or lies in a fold that a large budget had no need of."""

    @property
    def chosen(self) -> Floats:
        """What was chosen inside the budget for each label: the penalty."""
        return self.penalties

    @row_threads()
    def score(self, features: NDArray[Any]) -> Floats:
        """Logits ``[studies, labels]`` of ``features [studies, dim]``."""
        return self.axes.score(features, np.column_stack([self.weights, self.intercepts]))


@row_threads()
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
    check_training(features, truth)
    if len(penalties) == 0 or min(penalties) <= 0:
        raise EvaluationError("the penalties to sweep must be one or more positive numbers")
    axes = principal_axes(np.asarray(features))
    constant = tuple(why_constant(column) for column in truth.T)
    fitted = np.flatnonzero([reason is None for reason in constant])
    weights = np.zeros((truth.shape[1], axes.table.rank + 1))
    chosen, cross_fitted = np.full(truth.shape[1], np.nan), np.full(truth.shape, np.nan)
    if len(fitted):
        ladder = np.sort(np.asarray(penalties, dtype=np.float64))[::-1].copy()
        found = sweep(axes, truth[:, fitted], patients, ladder, folds, seed)
        chosen[fitted] = ladder[found.best]
        cross_fitted[:, fitted] = found.held_out
        cross_fitted[np.isnan(truth)] = np.nan
        weights[fitted] = _final(axes, truth[:, fitted], chosen[fitted], found)
    return Probe(axes, weights[:, :-1], weights[:, -1], chosen, constant, cross_fitted)


def _final(axes: Axes, truth: NDArray[Any], penalties: Floats, found: Sweep) -> Floats:
    signs, group = np.nan_to_num(2 * truth.T - 1, nan=0.0), np.arange(truth.shape[1])
    if not axes.large:
        return solve(axes.table, signs, group, penalties)
    return solve(axes.table, signs, group, penalties, _LARGE_TOLERANCE, found.weights)


def check_training(features: NDArray[Any], truth: NDArray[Any]) -> None:
    """Raises ``EvaluationError`` unless ``features`` are finite, a row for each labelled study."""
    if len(features) != len(truth):
        raise EvaluationError(f"{len(features)} rows of features but {len(truth)} labelled studies")
    table = np.asarray(features)
    if np.isfinite(table @ np.ones(table.shape[1], dtype=table.dtype)).all():
        return
    bad = np.flatnonzero(~np.isfinite(table).all(axis=1))
    if len(bad):
        raise EvaluationError(
            f"the features of {len(bad)} studies are not finite numbers, first row {bad[0]}: "
            "encode them again"
        )


def why_constant(column: NDArray[Any]) -> str | None:
    """Why nothing can be learned from one label's ``column``, or None."""
    given = column[~np.isnan(column)]
    if len(given) == 0:
        return "no label given"
    if not (given == 1).any():
        return "no positive"
    return None if (given == 0).any() else "no negative"
