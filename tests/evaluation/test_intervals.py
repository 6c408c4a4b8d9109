from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from radpair.evaluation.bootstrap import bootstrap, resample
from radpair.evaluation.delong import delong_intervals, delong_test
from radpair.evaluation.differences import difference
from radpair.evaluation.intervals import (
    Shape,
    percentile_bounds,
    shape,
    variance,
    wilson_bounds,
)
from radpair.evaluation.statistics import auroc, f1

REFERENCE = json.loads(
    (Path(__file__).parent / "data" / "statistics_reference.json").read_text(encoding="utf-8")
)


def skewed_mean(seed: int = 0, size: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A skewed sample, its means left-one-out, and its resampled means as SciPy draws them."""
    rng = np.random.default_rng(seed)
    data = rng.exponential(size=size)
    left_out = (data.sum() - data) / (size - 1)
    drawn = stats.bootstrap((data,), np.mean, n_resamples=4000, method="BCa", rng=seed)
    return data, left_out, drawn


def test_without_widening_it_is_scipys_bca() -> None:
    data, left_out, drawn = skewed_mean()
    draws = drawn.bootstrap_distribution
    found = shape(data.mean(), draws, left_out)
    bounds = percentile_bounds(draws, 0.95, Shape(found.bias, found.skew, float("inf")))
    assert bounds == pytest.approx(tuple(drawn.confidence_interval), rel=2e-3)
    wide = percentile_bounds(draws, 0.95, found)
    assert wide[0] < bounds[0] < bounds[1] < wide[1]


def test_the_jackknife_variance_of_a_mean_is_its_standard_error() -> None:
    data, left_out, _ = skewed_mean()
    assert variance(data.mean(), left_out) == pytest.approx(data.var(ddof=1) / len(data))
    assert variance(0.5, np.empty(0)) == 0


def test_few_positives_among_many_patients_count_as_few() -> None:
    rng = np.random.default_rng(1)
    draws = rng.normal(size=500)
    assert shape(0, draws, rng.normal(size=400)).df == pytest.approx(400, rel=0.25)
    rare = np.where(np.arange(400) < 10, rng.normal(size=400), 0.0)
    assert shape(0, draws, rare).df < 15
    still = shape(0, draws, np.full(30, 0.2))
    assert (still.skew, still.df) == (0.0, float("inf"))


@pytest.mark.parametrize("case", REFERENCE["wilson"])
def test_wilson_equals_statsmodels(case) -> None:
    """Values and versions: scripts/statistics_reference.py."""
    found = wilson_bounds(case["share"], case["studies"], 0.95)
    assert found == pytest.approx(case["bounds"], abs=1e-9)


def twelve_positives(rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    truth = rng.permutation(np.arange(90) < 12)[:, None].astype(float)
    return truth, [str(row) for row in range(90)]


def test_intervals_cover_with_few_positives_and_clustered_patients() -> None:
    """benchmarks/coverage.py at length; percentiles alone would hold the truth 85 to 90 %."""
    rng, trials, true = np.random.default_rng(0), 300, 0.7602499
    held = np.zeros((trials, 3))
    for trial in range(trials):
        truth, patients = twelve_positives(rng)
        scores = truth + rng.normal(size=truth.shape)
        found = bootstrap(auroc, scores, truth, patients, 300, trial).macro
        exact = delong_intervals(scores, truth, patients)[0]
        whole = np.repeat(rng.random((25, 1)) < 0.4, 3, axis=0).astype(float)
        effect = np.repeat(rng.normal(size=(25, 1)), 3, axis=0) + rng.normal(size=(75, 1))
        people = [str(row // 3) for row in range(75)]
        alike = bootstrap(auroc, whole + np.sqrt(0.5) * effect, whole, people, 300, trial).macro
        held[trial] = [one.low <= true <= one.high for one in (found, exact, alike)]
    assert (held.mean(axis=0) >= 0.92).all(), held.mean(axis=0)
    assert (held.mean(axis=0) <= 0.985).all(), held.mean(axis=0)


def test_equal_models_are_seldom_called_different() -> None:
    rng, trials = np.random.default_rng(1), 250
    called = np.zeros((trials, 3))
    for trial in range(trials):
        truth, patients = twelve_positives(rng)
        common = rng.normal(size=truth.shape)
        pair = [truth + common + rng.normal(size=truth.shape) for _ in range(2)]
        ranked = difference(*(resample(auroc, s, truth, patients, 300, trial) for s in pair))
        decided = difference(*(resample(f1, s > 0.8, truth, patients, 300, trial) for s in pair))
        exact = delong_test(*pair, truth, patients)[0]
        called[trial] = [one.p < 0.05 for one in (ranked.macro, decided.macro, exact)]
    assert (called.mean(axis=0) >= 0.015).all(), called.mean(axis=0)
    assert (called.mean(axis=0) <= 0.085).all(), called.mean(axis=0)
