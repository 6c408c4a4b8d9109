"""How far predicted probabilities are from what happens: Brier score and calibration error.

Same shape as the metrics of ``statistics``: ``metric(probabilities, truth, weights)``, where
probabilities ``[studies, labels]`` lie in 0 to 1. Both are defined as soon as one study has the
label, whichever its class; smaller is better.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError
from radpair.evaluation.statistics import Floats, Metric, per_label

BINS = 15


def brier(
    probabilities: NDArray[Any], truth: NDArray[Any], weights: Floats | None = None
) -> Floats:
    """Mean squared gap between the probability of present and what is so (Brier 1950), 0 to 1."""
    _check_probabilities(probabilities)
    return per_label(_brier, probabilities, truth, weights, needs="any")


def expected_calibration_error(bins: int = BINS) -> Metric:
    """Mean gap between probability and share of positives, over bins by their studies.

    ``bins`` bins of equal width; bin ``i`` holds the probabilities from ``i / bins`` to below
    ``(i + 1) / bins``, the last one 1 too. Naeini et al. 2015, of the probability of *present* and
    not of the more likely class. The error depends on the bins and grows with fewer studies: state
    the bins, and compare only on the same studies.
    """
    if bins < 1:
        raise EvaluationError(f"a calibration error needs at least 1 bin, not {bins}")

    def calibration_error(
        probabilities: NDArray[Any], truth: NDArray[Any], weights: Floats | None = None
    ) -> Floats:
        """A metric as ``radpair.evaluation.statistics`` has them."""
        _check_probabilities(probabilities)

        def one(scores: Floats, positive: NDArray[np.bool_], counts: Floats) -> Floats:
            """Of one label, under each column of ``counts``."""
            gaps = _bin_sums(scores, (scores - positive)[:, None] * counts, bins)
            return _mean(np.abs(gaps).sum(axis=0), counts)

        return per_label(one, probabilities, truth, weights, needs="any")

    return calibration_error


def _brier(scores: Floats, positive: NDArray[np.bool_], weights: Floats) -> Floats:
    squared: Floats = (scores - positive) ** 2 @ weights
    return _mean(squared, weights)


def _bin_sums(scores: Floats, values: Floats, bins: int) -> Floats:
    """Sums of ``values [studies, columns]`` by bin, ``[bins, columns]``."""
    place = np.searchsorted(np.arange(1, bins) / bins, scores, side="right")
    order = np.argsort(place, kind="stable")
    below = np.zeros((len(scores) + 1, values.shape[1]))
    np.cumsum(values[order], axis=0, out=below[1:])
    ends = np.searchsorted(place[order], np.arange(bins + 1))
    return np.asarray(np.diff(below[ends], axis=0))


def _mean(total: Floats, weights: Floats) -> Floats:
    count = weights.sum(axis=0)
    found: Floats = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return found


def _check_probabilities(values: NDArray[Any]) -> None:
    found = np.asarray(values, dtype=np.float64)
    wrong = np.argwhere(~((found >= 0) & (found <= 1)))
    if len(wrong):
        row = int(wrong[0][0])
        raise EvaluationError(
            f"row {row} holds {found[tuple(wrong[0])]:g}, which is no probability "
            f"({len(wrong)} such values): give values from 0 to 1, for instance a sigmoid of logits"
        )
