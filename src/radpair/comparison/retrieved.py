"""A retrieval's figures with their resamples as arrays of a unit, and their intervals."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from radpair.evaluation.bootstrap import Interval, Resampled, interval
from radpair.evaluation.retrieval import median_interval

MEDIAN = "median_rank"


def parts(metric: str, sample: Resampled) -> dict[str, NDArray[Any]]:
    """The arrays of a metric that ``measured.sample_of`` reads."""
    return {
        f"{metric}.value": sample.value,
        f"{metric}.draws": sample.draws,
        f"{metric}.left_out": sample.left_out,
        f"{metric}.support": sample.support,
    }


def column(sample: Resampled, place: int) -> Resampled:
    """One column of a sample alone."""
    only = [place]
    return Resampled(
        sample.value[only],
        sample.draws[:, only],
        sample.left_out[:, only] if sample.left_out.size else sample.left_out,
        sample.support[only] if sample.support.size else sample.support,
    )


def figure(metric: str, sample: Resampled, patients: int, level: float) -> Interval:
    """As ``radpair evaluate retrieval`` gives it, of so many patients who ask."""
    if metric == MEDIAN:
        return median_interval(sample, patients, level)
    return interval(sample, level).macro
