"""Which metrics results hold, by the name they have there, and which of them a task allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.evaluation.calibration import brier, expected_calibration_error
from radpair.evaluation.statistics import (
    Metric,
    auroc,
    average_precision,
    f1,
    mcc,
    sensitivity,
    specificity,
    top_k_accuracy,
)

RANKED: Mapping[str, Metric] = {"auroc": auroc, "average_precision": average_precision}
"""Of scores."""
DECIDED: Mapping[str, Metric] = {
    "mcc": mcc,
    "f1": f1,
    "sensitivity": sensitivity,
    "specificity": specificity,
}
"""Of decisions at an operating point."""
CALIBRATED: Mapping[str, Metric] = {
    "brier": brier,
    "calibration_error": expected_calibration_error(),
}
"""Of probabilities."""
BOUNDS: Mapping[str, tuple[float, float]] = {"mcc": (-1, 1)}
"""The range of a metric; 0 to 1 for all others."""
TITLES: Mapping[str, str] = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "mcc": "MCC",
    "f1": "F1",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "brier": "Brier",
    "calibration_error": "calibration error",
    "accuracy": "accuracy",
    "top_2_accuracy": "top-2 accuracy",
    "top_3_accuracy": "top-3 accuracy",
    "top_5_accuracy": "top-5 accuracy",
}
"""What people call them."""
ALL_CLASSES = "all classes"
"""The one entry of a metric over all classes together."""
_TOP = (1, 2, 3, 5)


def accuracies(truth: NDArray[Any]) -> dict[str, Metric]:
    """``accuracy`` and ``top_K_accuracy`` for K of 2, 3 and 5 below the number of classes.

    Empty where the labels of ``truth [studies, labels]`` are not classes that exclude each other.
    """
    if not exclude_each_other(truth):
        return {}
    return {
        "accuracy" if k == 1 else f"top_{k}_accuracy": top_k_accuracy(k)
        for k in _TOP
        if k < truth.shape[1]
    }


def exclude_each_other(truth: NDArray[Any]) -> bool:
    """Whether each row of ``truth [studies, labels]`` has exactly one 1, or is NaN throughout."""
    given = ~np.isnan(truth)
    known = given.any(axis=1)
    if truth.shape[1] < 2 or not known.any():
        return False
    rows = truth[known]
    return bool(given[known].all() and ((rows == 1).sum(axis=1) == 1).all())


def columns_of(names: Sequence[str], count: int) -> tuple[str, ...]:
    """What a metric's ``count`` columns are of: each label, or all classes together."""
    return tuple(names) if count == len(names) else (ALL_CLASSES,)
