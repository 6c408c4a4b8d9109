"""Metrics of scores against labels, weighted by how often a resample drew each study.

Every metric has one shape, ``metric(scores, truth, weights)``:

- ``scores [studies, labels]``: higher means more likely present; F1 and MCC take decisions (0, 1);
- ``truth [studies, labels]``: 1 present, 0 absent, NaN not given (that study is left out for that
  label only);
- ``weights [studies, resamples]``: how often each study counts in each resample, or None for once.

It returns ``[resamples, labels]``, or ``[labels]`` without weights. A value is NaN, never a guess,
where the truth of a label holds only one class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError

Floats = NDArray[np.float64]
Metric = Callable[[NDArray[Any], NDArray[Any], Floats | None], Floats]


def auroc(scores: NDArray[Any], truth: NDArray[Any], weights: Floats | None = None) -> Floats:
    """Area under the ROC curve: the chance that a positive outranks a negative, ties a half."""
    return _per_label(_auroc, scores, truth, weights)


def average_precision(
    scores: NDArray[Any], truth: NDArray[Any], weights: Floats | None = None
) -> Floats:
    """Mean precision over the positives, tied scores entering together (no interpolation)."""
    return _per_label(_average_precision, scores, truth, weights)


def f1(decisions: NDArray[Any], truth: NDArray[Any], weights: Floats | None = None) -> Floats:
    """2 TP / (2 TP + FP + FN)."""
    return _per_label(_f1, decisions, truth, weights)


def mcc(decisions: NDArray[Any], truth: NDArray[Any], weights: Floats | None = None) -> Floats:
    """Matthews' correlation of decisions and truth; 0 where every decision is the same."""
    return _per_label(_mcc, decisions, truth, weights)


def given_labels(
    labels: NDArray[Any], ids: Sequence[str], names: Sequence[str], uncertain: str = "ignore"
) -> Floats:
    """Labels as 1, 0 or NaN ``[studies, labels]``, uncertain ones (-1) by the policy named.

    ``uncertain`` is ``ignore`` (they become NaN), ``ones`` or ``zeros`` (U-Ones and U-Zeros of
    Irvin et al. 2019, section 3). Raises ``EvaluationError`` naming the study and label of any
    other value.
    """
    values = {"ignore": np.nan, "ones": 1.0, "zeros": 0.0}
    if uncertain not in values:
        raise EvaluationError(f"unknown policy '{uncertain}' for uncertain labels: use {[*values]}")
    found = np.asarray(labels, dtype=np.float64)
    wrong = ~(np.isnan(found) | np.isin(found, (0.0, 1.0, -1.0)))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise EvaluationError(
            f"study '{ids[row]}' has {found[row, column]:g} for '{names[column]}': "
            "labels are 1, 0, -1 (uncertain) or blank"
        )
    return np.where(found == -1.0, values[uncertain], found)


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


def _per_label(
    one: Callable[[Floats, NDArray[np.bool_], Floats], Floats],
    scores: NDArray[Any],
    truth: NDArray[Any],
    weights: Floats | None,
) -> Floats:
    check_scores(scores, truth)
    counts = np.ones((len(truth), 1)) if weights is None else weights
    result = np.full((counts.shape[1], truth.shape[1]), np.nan)
    for label in range(truth.shape[1]):
        given = np.flatnonzero(~np.isnan(truth[:, label]))
        positive = truth[given, label] == 1
        if positive.any() and not positive.all():
            chosen = counts if len(given) == len(truth) else counts[given]
            result[:, label] = one(scores[given, label].astype(np.float64), positive, chosen)
    return result[0] if weights is None else result


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


def _confusion(
    decisions: Floats, positive: NDArray[np.bool_], weights: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    yes = decisions.astype(bool)
    cells = np.stack([yes & positive, yes & ~positive, ~yes & positive, ~yes & ~positive])
    tp, fp, fn, tn = cells.astype(np.float64) @ weights
    return tp, fp, fn, tn


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
