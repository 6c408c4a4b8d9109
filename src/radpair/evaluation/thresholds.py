"""Operating points, chosen from scores that the evaluation never sees.

The released implementations took thresholds from the test set itself. Here a threshold comes from
validation scores, or from cross-fitted (out-of-fold) scores of the training labels, and it knows
the patients that it was chosen on: neither choosing nor applying it goes through where the
evaluated studies share a patient with those.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError
from radpair.evaluation.budgets import assert_disjoint
from radpair.evaluation.statistics import Floats, check_scores

OBJECTIVES = ("mcc", "f1", "youden", "sensitivity", "specificity")
"""What is best at the threshold; the last two need the ``least`` that is to be reached."""

_CHOOSING = "the studies that choose thresholds"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Thresholds per label, with where they come from."""

    values: Floats
    """``[labels]``; a score from the threshold up is present. NaN: no threshold could be chosen."""
    objective: str
    least: float | None
    patients: frozenset[str]
    """Who they were chosen on."""

    @property
    def source(self) -> str:
        """SHA-256 of the sorted patient ids, for the record of a result."""
        return hashlib.sha256("\n".join(sorted(self.patients)).encode()).hexdigest()

    def decide(self, scores: NDArray[Any], patients: Sequence[str]) -> NDArray[np.bool_]:
        """Decisions ``[..., studies, labels]`` on the studies of other ``patients [studies]``.

        Raises ``EvaluationError`` naming a patient that the thresholds were chosen on, and for
        scores of other labels or studies.
        """
        if np.shape(scores)[-2:] != (len(patients), len(self.values)):
            raise EvaluationError(
                f"scores are {list(np.shape(scores))} but there are {len(patients)} studies and "
                f"{len(self.values)} thresholds: score the same labels in the same order"
            )
        assert_disjoint(sorted(self.patients), patients, _CHOOSING)
        return decide(scores, self.values)


def operating_points(
    scores: NDArray[Any],
    truth: NDArray[Any],
    patients: Sequence[str],
    objective: str = "mcc",
    least: float | None = None,
) -> Thresholds:
    """The threshold per label at which ``objective`` is best on these studies.

    ``scores, truth [studies, labels]`` and ``patients`` are those of the validation or training
    studies, never the evaluated ones. ``youden`` is sensitivity + specificity. ``sensitivity`` is
    the best specificity that still finds at least the share ``least`` of positives,
    ``specificity`` the best sensitivity that still clears at least that share of negatives. A label
    with one class only has no threshold: NaN.
    """
    _check_objective(objective, least)
    check_scores(scores, truth)
    if len(patients) != len(truth):
        raise EvaluationError(f"{len(truth)} studies but {len(patients)} patient ids were given")
    found = [_best(scores[:, i], truth[:, i], objective, least) for i in range(truth.shape[1])]
    return Thresholds(np.array(found), objective, least, frozenset(map(str, patients)))


def choose_thresholds(
    scores: NDArray[Any],
    truth: NDArray[Any],
    patients: Sequence[str],
    evaluated: Sequence[str],
    objective: str = "mcc",
    least: float | None = None,
) -> Floats:
    """``operating_points`` as plain values ``[labels]``, for the patients ``evaluated``.

    Raises ``EvaluationError`` when a patient stands on both sides.
    """
    assert_disjoint(patients, evaluated, _CHOOSING)
    return operating_points(scores, truth, patients, objective, least).values


def decide(scores: NDArray[Any], thresholds: Floats) -> NDArray[np.bool_]:
    """Decisions ``[studies, labels]``; a label without a threshold is decided absent."""
    return np.asarray(scores >= np.where(np.isnan(thresholds), np.inf, thresholds))


def _check_objective(objective: str, least: float | None) -> None:
    if objective not in OBJECTIVES:
        raise EvaluationError(f"unknown objective '{objective}' for thresholds: use {OBJECTIVES}")
    if (objective in ("sensitivity", "specificity")) != (least is not None):
        raise EvaluationError(
            f"the objective '{objective}' with least={least}: 'sensitivity' and 'specificity' "
            "need the share to reach, the others take none"
        )
    if least is not None and not 0 < least <= 1:
        raise EvaluationError(
            f"the least {objective} must lie above 0 and at most 1, not {least:g}"
        )


def _best(scores: NDArray[Any], truth: NDArray[Any], objective: str, least: float | None) -> float:
    given = ~np.isnan(truth)
    order = np.argsort(-scores[given], kind="stable")
    ordered, positive = scores[given][order].astype(np.float64), truth[given][order] == 1
    if not positive.any() or positive.all():
        return float("nan")
    tp, fp = np.cumsum(positive), np.cumsum(~positive)
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    gains = _objective(tp[ends], fp[ends], int(tp[-1]), int(fp[-1]), objective, least)
    best = int(np.argmax(gains))
    if gains[best] < 0:
        return float(np.nextafter(ordered[0], np.inf))
    last = float(ordered[ends[best]])
    lower = float(ordered[ends[best] + 1]) if best + 1 < len(ends) else last
    middle = lower + 0.5 * (last - lower)
    return middle if middle > lower else last


def _objective(
    tp: NDArray[Any],
    fp: NDArray[Any],
    positives: int,
    negatives: int,
    objective: str,
    least: float | None,
) -> Floats:
    """What is gained by calling present down to each score ``[scores]``; below 0 is no choice."""
    true, false = tp.astype(np.float64), fp.astype(np.float64)
    if objective == "f1":
        return 2 * true / (true + false + positives)
    sensitivity, specificity = true / positives, 1 - false / negatives
    if objective == "youden":
        return sensitivity + specificity
    if objective == "sensitivity":
        return np.where(sensitivity >= _just(least), specificity, -1.0)
    if objective == "specificity":
        return np.where(specificity >= _just(least), sensitivity, -1.0)
    called = true + false
    spread = called * positives * negatives * (positives + negatives - called)
    cross = true * (negatives - false) - false * (positives - true)
    return 1 + np.divide(cross, np.sqrt(spread), out=np.zeros_like(cross), where=spread > 0)


def _just(least: float | None) -> float:
    """The share to reach, less the rounding of a quotient."""
    return (least or 0.0) - 1e-12
