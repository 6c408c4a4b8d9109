"""Metrics of scores against labels, weighted by how often a resample drew each study.

Every metric has one shape, ``metric(scores, truth, weights)``:

- ``scores [studies, labels]``: higher means more likely present; F1 and MCC take decisions (0, 1);
- ``truth [studies, labels]``: 1 present, 0 absent, NaN not given (that study is left out for that
  label only);
- ``weights [studies, resamples]``: how often each study counts in each resample, or None for once.

It returns ``[resamples, labels]``, or ``[labels]`` without weights. A value is NaN, never a guess,
where the truth lacks a class that the metric needs; ``why_undefined`` says which.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError
from radpair.evaluation.policies import given_labels as given_labels

Floats = NDArray[np.float64]
Metric = Callable[[NDArray[Any], NDArray[Any], Floats | None], Floats]


def auroc(scores: NDArray[Any], truth: NDArray[Any], weights: Floats | None = None) -> Floats:
    """Area under the ROC curve: the chance that a positive outranks a negative, ties a half."""
    return per_label(_auroc, scores, truth, weights)


def average_precision(
    scores: NDArray[Any], truth: NDArray[Any], weights: Floats | None = None
) -> Floats:
    """Mean precision over the positives, tied scores entering together (no interpolation)."""
    return per_label(_average_precision, scores, truth, weights)


def f1(decisions: NDArray[Any], truth: NDArray[Any], weights: Floats | None = None) -> Floats:
    """2 TP / (2 TP + FP + FN)."""
    return per_label(_f1, decisions, truth, weights)


def mcc(decisions: NDArray[Any], truth: NDArray[Any], weights: Floats | None = None) -> Floats:
    """Matthews' correlation of decisions and truth; 0 where every decision is the same."""
    return per_label(_mcc, decisions, truth, weights)


def sensitivity(
    decisions: NDArray[Any], truth: NDArray[Any], weights: Floats | None = None
) -> Floats:
    """TP / (TP + FN), the share of positives called present; needs no negatives."""
    return per_label(_sensitivity, decisions, truth, weights, needs="positives")


def specificity(
    decisions: NDArray[Any], truth: NDArray[Any], weights: Floats | None = None
) -> Floats:
    """TN / (TN + FP), the share of negatives called absent; needs no positives."""
    return per_label(_specificity, decisions, truth, weights, needs="negatives")


def top_k_accuracy(k: int = 1) -> Metric:
    """The share of studies whose class is among the ``k`` that score highest; 1 is accuracy.

    For classes that exclude each other: ``scores, truth [studies, classes]``, one 1 in each row of
    the truth (``one_hot``), or NaN throughout where the class is not given. The metric returns one
    column. Where classes tie across the k-th place, a study counts by its chance under random
    order, so that equal scores for all give ``k / classes``. Raises ``EvaluationError`` for another
    truth and for ``k`` outside 1 to classes.
    """

    def accuracy(
        scores: NDArray[Any], truth: NDArray[Any], weights: Floats | None = None
    ) -> Floats:
        """``[1]``, or with ``weights`` ``[draws, 1]``."""
        check_scores(scores, truth)
        given = _one_class_each(truth)
        if not 1 <= k <= truth.shape[1]:
            raise EvaluationError(f"top-{k} accuracy needs k from 1 to {truth.shape[1]} classes")
        hits = _top_hits(scores[given].astype(np.float64), truth[given] == 1, k)
        counts = np.ones((len(truth), 1)) if weights is None else weights
        found = _ratio(hits @ counts[given], counts[given].sum(axis=0))[:, None]
        return found[0] if weights is None else found

    return accuracy


def one_hot(classes: NDArray[Any], count: int) -> Floats:
    """Truth ``[studies, count]`` of class numbers ``[studies]``; a NaN number gives a NaN row.

    Raises ``EvaluationError`` naming the row of a number that is no class.
    """
    numbers = np.asarray(classes, dtype=np.float64)
    wrong = np.flatnonzero(~(np.isnan(numbers) | np.isin(numbers, np.arange(count))))
    if len(wrong):
        raise EvaluationError(
            f"row {wrong[0]} has class {numbers[wrong[0]]:g}: classes are 0 to {count - 1}, or NaN"
        )
    table = (numbers[:, None] == np.arange(count)).astype(np.float64)
    return np.where(np.isnan(numbers)[:, None], np.nan, table)


def why_undefined(truth: NDArray[Any]) -> list[str]:
    """What the truth ``[studies, labels]`` of each label lacks, in words; empty when nothing."""
    given = (~np.isnan(truth)).sum(axis=0)
    positives = (truth == 1).sum(axis=0)
    return [_lack(int(rows), int(found)) for rows, found in zip(given, positives, strict=True)]


def _lack(rows: int, positives: int) -> str:
    if rows == 0:
        return "no study has this label"
    if positives == 0:
        return f"none of the {rows} labelled studies is positive"
    return f"none of the {rows} labelled studies is negative" if positives == rows else ""


def check_scores(scores: NDArray[Any], truth: NDArray[Any]) -> None:
    """Raises ``EvaluationError`` unless scores are finite and of the truth's shape.

    ``scores [..., studies, labels]``, ``truth [studies, labels]``.
    """
    if scores.shape[-2:] != truth.shape:
        raise EvaluationError(
            f"scores are {list(scores.shape[-2:])} but labels are {list(truth.shape)} "
            "(studies, labels): score exactly the labelled studies, in their order"
        )
    bad = ~np.isfinite(scores).all(axis=tuple(range(scores.ndim - 2)))
    if bad.any():
        rows = np.flatnonzero(bad.any(axis=1))
        raise EvaluationError(
            f"{len(rows)} studies have a score that is not a finite number, first rows "
            f"{rows[:5].tolist()}: mend the predictions"
        )
    wrong = ~(np.isnan(truth) | (truth == 0) | (truth == 1))
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        raise EvaluationError(
            f"truth row {row} is neither 1, 0 nor NaN: apply a label policy first"
        )


def per_label(
    one: Callable[[Floats, NDArray[np.bool_], Floats], Floats],
    scores: NDArray[Any],
    truth: NDArray[Any],
    weights: Floats | None,
    needs: str = "both",
) -> Floats:
    """``one(scores, positive, weights)`` of each label's labelled studies, ``[resamples]`` each.

    ``needs`` is what the truth must hold for a value: ``both`` classes, ``positives``,
    ``negatives``, or ``any`` labelled study.
    """
    check_scores(scores, truth)
    counts = np.ones((len(truth), 1)) if weights is None else weights
    result = np.full((counts.shape[1], truth.shape[1]), np.nan)
    for label in range(truth.shape[1]):
        given = np.flatnonzero(~np.isnan(truth[:, label]))
        positive = truth[given, label] == 1
        if _has(positive, needs):
            chosen = counts if len(given) == len(truth) else counts[given]
            result[:, label] = one(scores[given, label].astype(np.float64), positive, chosen)
    return result[0] if weights is None else result


def _has(positive: NDArray[np.bool_], needs: str) -> bool:
    found = {"positives": bool(positive.any()), "negatives": bool((~positive).any())}
    return {**found, "both": all(found.values()), "any": len(positive) > 0}[needs]


def _auroc(scores: Floats, positive: NDArray[np.bool_], weights: Floats) -> Floats:
    raised, hits, _ = _sorted(scores[positive], weights[positive])
    lowered, _, below = _sorted(scores[~positive], weights[~positive])
    first, last = (np.searchsorted(lowered, raised, side=side) for side in ("left", "right"))
    beaten = below[first]
    if (first != last).any():
        beaten = 0.5 * (beaten + below[last])
    return _ratio(np.einsum("nb,nb->b", hits, beaten), hits.sum(axis=0) * below[-1])


def _average_precision(scores: Floats, positive: NDArray[np.bool_], weights: Floats) -> Floats:
    raised, hits, under = _sorted(scores[positive], weights[positive])
    lowered, _, below = _sorted(scores[~positive], weights[~positive])
    true = under[-1] - under[np.searchsorted(raised, raised)]
    false = below[-1] - below[np.searchsorted(lowered, raised)]
    precision = np.divide(true, true + false, out=np.zeros_like(true), where=true > 0)
    found = _ratio(np.einsum("nb,nb->b", hits, precision), under[-1])
    return np.where(below[-1] > 0, found, np.nan)


def _sorted(scores: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Scores and weights in ascending order, and the weight below each place, one row longer."""
    order = np.argsort(scores, kind="stable")
    ordered = weights[order]
    below = np.zeros((len(scores) + 1, weights.shape[1]))
    np.cumsum(ordered, axis=0, out=below[1:])
    return scores[order], ordered, below


def _f1(decisions: Floats, positive: NDArray[np.bool_], weights: Floats) -> Floats:
    tp, fp, fn, tn = _confusion(decisions, positive, weights)
    found = _ratio(2 * tp, 2 * tp + fp + fn)
    return np.where((tp + fn > 0) & (fp + tn > 0), found, np.nan)


def _mcc(decisions: Floats, positive: NDArray[np.bool_], weights: Floats) -> Floats:
    tp, fp, fn, tn = _confusion(decisions, positive, weights)
    spread = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    found = np.where(spread > 0, _ratio(tp * tn - fp * fn, np.sqrt(spread)), 0.0)
    return np.where((tp + fn > 0) & (fp + tn > 0), found, np.nan)


def _sensitivity(decisions: Floats, positive: NDArray[np.bool_], weights: Floats) -> Floats:
    tp, _, fn, _ = _confusion(decisions, positive, weights)
    return _ratio(tp, tp + fn)


def _specificity(decisions: Floats, positive: NDArray[np.bool_], weights: Floats) -> Floats:
    _, fp, _, tn = _confusion(decisions, positive, weights)
    return _ratio(tn, tn + fp)


def _one_class_each(truth: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows have their class given; every other row must be NaN throughout."""
    given = (truth == 1).sum(axis=1) == 1
    given &= ~np.isnan(truth).any(axis=1)
    wrong = np.flatnonzero(~given & ~np.isnan(truth).all(axis=1))
    if len(wrong):
        raise EvaluationError(
            f"truth row {wrong[0]} does not hold exactly one class: top-k accuracy is for classes "
            "that exclude each other"
        )
    return np.asarray(given)


def _top_hits(scores: Floats, truth: NDArray[np.bool_], k: int) -> Floats:
    own = scores[truth][:, None]
    above, level = (scores > own).sum(axis=1), (scores == own).sum(axis=1)
    return np.asarray(np.clip((k - above) / level, 0.0, 1.0))


def _confusion(
    decisions: Floats, positive: NDArray[np.bool_], weights: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    yes = decisions.astype(bool)
    cells = np.stack([yes & positive, yes & ~positive, ~yes & positive, ~yes & ~positive])
    tp, fp, fn, tn = cells.astype(np.float64) @ weights
    return tp, fp, fn, tn


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
