"""Is one model better than another on the same studies? Tests per label, corrected over labels.

``paired_bootstrap`` answers for every metric and resamples patients, so it holds where patients
have several studies and where a model was trained several times. ``paired_delong`` answers for
AUROC without resampling and refuses repeated patients. Both correct the labels' p-values by Holm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError
from radpair.evaluation.bootstrap import Interval, resample
from radpair.evaluation.delong import delong_test
from radpair.evaluation.differences import difference, own_runs
from radpair.evaluation.statistics import Floats, Metric


@dataclass(frozen=True, slots=True)
class Paired:
    """The first model's metric minus the second's."""

    test: str
    """``bootstrap`` or ``delong``."""
    macro: Interval | None
    """The mean over labels; None with DeLong, whose covariance is within a label."""
    labels: dict[str, Interval]
    """By label, each with the p-value of that label alone."""
    holm: dict[str, float | None]
    """The labels' p-values corrected for testing all of them; None where there is no p."""


def paired_bootstrap(
    metric: Metric,
    first: NDArray[Any],
    second: NDArray[Any],
    truth: NDArray[Any],
    patients: Sequence[str],
    names: Sequence[str],
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Paired:
    """The difference of two models, patients resampled together for both.

    ``first, second`` are ``[studies, labels]``, or ``[runs, studies, labels]`` of several training
    runs, ``truth [studies, labels]`` 1, 0 or NaN. Metrics are averaged over runs, and what a
    model's runs differ by counts as error too; where only one model has several there is no p.
    Negative differences favour the first model where smaller is better (Brier score).
    """
    _check_names(names, truth)
    ours, theirs = (
        resample(metric, model, truth, patients, resamples, seed) for model in (first, second)
    )
    gap = difference(ours, theirs, level, own=(own_runs(ours), own_runs(theirs)))
    shown = names if len(gap.labels) == len(names) else ["all"]
    labels = dict(zip(shown, gap.labels, strict=True))
    return Paired("bootstrap", gap.macro, labels, _corrected(labels))


def paired_delong(
    first: NDArray[Any],
    second: NDArray[Any],
    truth: NDArray[Any],
    patients: Sequence[str],
    names: Sequence[str],
    *,
    level: float = 0.95,
    student: bool = True,
) -> Paired:
    """The difference of AUROCs by DeLong's test; ``first, second, truth [studies, labels]``.

    ``student`` as in ``delong.delong_test``; False is DeLong's own form, as other packages have it.

    Raises ``EvaluationError`` naming a patient with several studies.
    """
    _check_names(names, truth)
    tested = delong_test(first, second, truth, patients, level, student)
    labels = dict(zip(names, tested, strict=True))
    return Paired("delong", None, labels, _corrected(labels))


def holm(p_values: Sequence[float | None] | Floats) -> list[float | None]:
    """Holm's corrected p-values (1979): each may be held against the level of all together.

    None and NaN (nothing was tested) stay None and do not count as tests. Raises
    ``EvaluationError`` for a value outside 0 to 1.
    """
    values = np.array([np.nan if p is None else p for p in p_values], dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(values))
    outside = tested[(values[tested] < 0) | (values[tested] > 1)]
    if len(outside):
        raise EvaluationError(f"p-value {values[outside[0]]:g} (number {outside[0]}) is not 0 to 1")
    order = tested[np.argsort(values[tested], kind="stable")]
    steps = values[order] * np.arange(len(order), 0, -1)
    values[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if len(order) else steps
    return [None if np.isnan(value) else float(value) for value in values]


def _corrected(labels: Mapping[str, Interval]) -> dict[str, float | None]:
    return dict(zip(labels, holm([one.p for one in labels.values()]), strict=True))


def _check_names(names: Sequence[str], truth: NDArray[Any]) -> None:
    if len(names) != truth.shape[1] or len(set(names)) != len(names):
        raise EvaluationError(
            f"{truth.shape[1]} labels need as many different names, not {list(names)}"
        )
