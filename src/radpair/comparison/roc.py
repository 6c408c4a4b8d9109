"""The ROC curve of scores, and where another decision maker's operating point lies to it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.evaluation.statistics import Floats, Metric

ON_THE_CURVE = 1e-12


def true_positive_rate(
    decisions: NDArray[Any], truth: NDArray[Any], weights: Floats | None = None
) -> Floats:
    """Sensitivity, TP / (TP + FN), a ``Metric`` of ``radpair.evaluation.statistics``."""
    return _rate(decisions, truth == 1, weights)


def false_positive_rate(
    decisions: NDArray[Any], truth: NDArray[Any], weights: Floats | None = None
) -> Floats:
    """1 - specificity, FP / (FP + TN), a ``Metric`` of ``radpair.evaluation.statistics``."""
    return _rate(decisions, truth == 0, weights)


def roc_curve(scores: NDArray[Any], truth: NDArray[Any]) -> tuple[Floats, Floats]:
    """False and true positive rates ``[points]`` of one label, from (0, 0) to (1, 1).

    ``scores, truth [studies]``; studies whose truth is NaN are left out, tied scores enter
    together. Both are empty where one class is absent. Points inside a straight stretch are
    dropped.
    """
    given = ~np.isnan(truth)
    positive = truth[given] == 1
    if not positive.any() or positive.all():
        return np.empty(0), np.empty(0)
    fp, tp = (part[:, 0] for part in _climb(scores[given], positive, np.ones((given.sum(), 1))))
    turn = np.diff(fp)[:-1] * np.diff(tp)[1:] != np.diff(fp)[1:] * np.diff(tp)[:-1]
    kept = np.concatenate([[True], turn, [True]])
    return fp[kept] / fp[-1], tp[kept] / tp[-1]


def sensitivity_at(scores: NDArray[Any]) -> Metric:
    """A ``Metric`` of a reader's decisions: the model's sensitivity where the reader stands.

    ``scores [studies, labels]``. The value is the height of the ROC curve of ``scores`` at the
    reader's false positive rate: its upper end where it is vertical, and between two operating
    points of the model the line that joins them.
    """

    def height(
        decisions: NDArray[Any], truth: NDArray[Any], weights: Floats | None = None
    ) -> Floats:
        """The model's sensitivity where it clears as many negatives as the ``decisions`` do."""
        counts = np.ones((len(truth), 1)) if weights is None else weights
        found = np.full((counts.shape[1], truth.shape[1]), np.nan)
        for label in range(truth.shape[1]):
            given = ~np.isnan(truth[:, label])
            positive = truth[given, label] == 1
            yes = decisions[given, label].astype(bool)
            found[:, label] = _height(scores[given, label], yes, positive, counts[given])
        return found[0] if weights is None else found

    return height


def distance(fpr: float, tpr: float, curve: tuple[Floats, Floats]) -> float:
    """The shortest distance in the ROC plane from a point to the curve; 0 on it."""
    path = np.column_stack(curve)
    start, step = path[:-1], np.diff(path, axis=0)
    to_point = np.array([fpr, tpr]) - start
    along = np.clip((to_point * step).sum(axis=1) / (step**2).sum(axis=1), 0, 1)
    return float(np.linalg.norm(to_point - along[:, None] * step, axis=1).min())


def _rate(decisions: NDArray[Any], among: NDArray[np.bool_], weights: Floats | None) -> Floats:
    """The share of positive decisions among the studies of one class, NaN where there are none."""
    counts = np.ones((len(among), 1)) if weights is None else weights
    hits = counts.T @ (decisions.astype(bool) & among).astype(np.float64)
    total = counts.T @ among.astype(np.float64)
    found = np.divide(hits, total, out=np.full_like(total, np.nan), where=total > 0)
    return np.asarray(found[0] if weights is None else found)


def _climb(
    scores: NDArray[Any], positive: NDArray[np.bool_], weights: Floats
) -> tuple[Floats, Floats]:
    """False and true positives ``[points, resamples]`` as the threshold falls, from none to all."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True)) + 1
    parts = []
    for members in (~positive, positive):
        counts = np.zeros((len(scores) + 1, weights.shape[1]))
        np.cumsum(weights[order] * members[order, None], axis=0, out=counts[1:])
        parts.append(counts[np.concatenate([[0], ends])])
    return parts[0], parts[1]


def _height(
    scores: NDArray[Any], yes: NDArray[np.bool_], positive: NDArray[np.bool_], weights: Floats
) -> Floats:
    """``[resamples]``, NaN where a resample lacks one of the classes."""
    if not positive.any() or positive.all():
        return np.full(weights.shape[1], np.nan)
    fp, tp = _climb(scores, positive, weights)
    false = (yes & ~positive) @ weights
    left = (fp <= false).sum(axis=0) - 1  # the upper end where the curve is vertical
    right = np.minimum(left + 1, len(fp) - 1)
    each = np.arange(weights.shape[1])
    width = fp[right, each] - fp[left, each]
    share = np.divide(false - fp[left, each], width, out=np.zeros_like(width), where=width > 0)
    height = tp[left, each] + share * (tp[right, each] - tp[left, each])
    both = (fp[-1] > 0) & (tp[-1] > 0)
    found = np.full(len(each), np.nan)
    np.divide(height, tp[-1], out=found, where=both)
    return found
