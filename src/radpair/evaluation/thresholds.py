"""Operating points, chosen from scores that the evaluation never sees.

The released implementations took thresholds from the test set itself. Here a threshold comes from
validation scores, or from cross-fitted (out-of-fold) scores of the training labels, and choosing it
needs the patient ids of both sides, so that a shared patient is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError
from radpair.evaluation.budgets import assert_disjoint
from radpair.evaluation.statistics import Floats, check_scores

OBJECTIVES = ("mcc", "f1")


def choose_thresholds(
    scores: NDArray[Any],
    truth: NDArray[Any],
    patients: Sequence[str],
    evaluated: Sequence[str],
    objective: str = "mcc",
) -> Floats:
    """The threshold per label ``[labels]`` at which ``objective`` is best; present is ``>=``.

    ``scores, truth [studies, labels]`` and ``patients`` are those of the validation or training
    studies, ``evaluated`` the patients that the thresholds will be applied to. A label with one
    class only has no threshold: NaN. Raises ``EvaluationError`` when a patient stands on both
    sides.
    """
    if objective not in OBJECTIVES:
        raise EvaluationError(f"unknown objective '{objective}' for thresholds: use {OBJECTIVES}")
    assert_disjoint(patients, evaluated, "the studies that choose thresholds")
    check_scores(scores, truth)
    return np.array([_best(scores[:, i], truth[:, i], objective) for i in range(truth.shape[1])])


def decide(scores: NDArray[Any], thresholds: Floats) -> NDArray[np.bool_]:
    """Decisions ``[studies, labels]``; a label without a threshold is decided absent."""
    return np.asarray(scores >= np.where(np.isnan(thresholds), np.inf, thresholds))


def _best(scores: NDArray[Any], truth: NDArray[Any], objective: str) -> float:
    given = ~np.isnan(truth)
    order = np.argsort(-scores[given], kind="stable")
    ordered, positive = scores[given][order].astype(np.float64), truth[given][order] == 1
    if not positive.any() or positive.all():
        return float("nan")
    tp, fp = np.cumsum(positive), np.cumsum(~positive)
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    gains = _objective(tp[ends], fp[ends], int(tp[-1]), int(fp[-1]), objective)
    best = int(np.argmax(gains))
    last = float(ordered[ends[best]])
    lower = float(ordered[ends[best] + 1]) if best + 1 < len(ends) else last
    middle = lower + 0.5 * (last - lower)
    return middle if middle > lower else last


def _objective(
    tp: NDArray[Any], fp: NDArray[Any], positives: int, negatives: int, objective: str
) -> Floats:
    true, false = tp.astype(np.float64), fp.astype(np.float64)
    if objective == "f1":
        return 2 * true / (true + false + positives)
    called = true + false
    spread = called * positives * negatives * (positives + negatives - called)
    cross = true * (negatives - false) - false * (positives - true)
    return np.divide(cross, np.sqrt(spread), out=np.zeros_like(cross), where=spread > 0)
