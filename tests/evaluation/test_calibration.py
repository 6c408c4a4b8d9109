from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binned_statistic
from sklearn.metrics import brier_score_loss

from radpair.errors import EvaluationError
from radpair.evaluation.bootstrap import resample
from radpair.evaluation.calibration import brier, expected_calibration_error


def sample(seed: int, studies: int, prevalence: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, some repeated and none on the edge of a bin, and truth with gaps."""
    rng = np.random.default_rng(seed)
    values = (np.floor(rng.random((studies, 2)) * 97) + 0.5) / 97
    truth = (rng.random((studies, 2)) < prevalence).astype(float)
    truth[rng.random(truth.shape) < 0.1] = np.nan
    return values, truth


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    studies=st.integers(1, 80),
    prevalence=st.sampled_from([0.01, 0.3, 0.99]),
)
def test_brier_equals_scikit_learn(seed, studies, prevalence) -> None:
    values, truth = sample(seed, studies, prevalence)
    weights = np.random.default_rng(seed).integers(0, 4, size=(studies, 3)).astype(float)
    found = brier(values, truth, weights)
    for label in range(2):
        for draw in range(3):
            kept = ~np.isnan(truth[:, label]) & (weights[:, draw] > 0)
            if kept.any():
                expected = brier_score_loss(
                    truth[kept, label], values[kept, label],
                    sample_weight=weights[kept, draw], pos_label=1,
                )  # fmt: skip
                assert found[draw, label] == pytest.approx(expected)
            else:
                assert np.isnan(found[draw, label])


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), bins=st.sampled_from([1, 7, 10, 15]))
def test_calibration_error_equals_scipys_bins(seed, bins) -> None:
    values, truth = sample(seed, 60)
    found = expected_calibration_error(bins)(values, truth)
    for label in range(2):
        kept = ~np.isnan(truth[:, label])
        chances, given_truth = values[kept, label], truth[kept, label]
        means, counts = (
            binned_statistic(chances, [chances, given_truth], how, bins, (0, 1)).statistic
            for how in ("mean", "count")
        )
        gaps = np.nan_to_num(np.abs(means[0] - means[1]))
        assert found[label] == pytest.approx((counts[0] / kept.sum() * gaps).sum())


@pytest.mark.parametrize("bins", [4, 15])
def test_a_weight_is_a_repetition(bins) -> None:
    values, truth = sample(1, 40)
    metric = expected_calibration_error(bins)
    drawn = resample(metric, values, truth, [str(i) for i in range(40)], 20, seed=2)
    rng = np.random.default_rng(3)
    weights = rng.integers(0, 3, size=(40, 5)).astype(float)
    for draw, found in enumerate(metric(values, truth, weights)):
        rows = np.repeat(np.arange(40), weights[:, draw].astype(int))
        np.testing.assert_allclose(found, metric(values[rows], truth[rows]))
    assert drawn.draws.shape == (20, 2)


def test_the_bins_are_closed_below() -> None:
    """0.5 belongs to the upper of two bins, 1 to the last."""
    values, truth = np.array([0.49, 0.5, 1.0]), np.array([0.0, 0.0, 1.0])
    error = expected_calibration_error(2)(values[:, None], truth[:, None])[0]
    assert error == pytest.approx((0.49 + 2 * 0.25) / 3)


def test_one_class_is_enough_but_no_label_is_not() -> None:
    values = np.array([[0.9, 0.1, 0.4], [0.8, 0.2, 0.4]])
    truth = np.array([[1, 0, np.nan], [1, 0, np.nan]])
    assert brier(values, truth)[:2].tolist() == pytest.approx([0.025, 0.025])
    assert np.isnan(brier(values, truth)[2])
    assert np.isnan(expected_calibration_error()(values, truth)[2])


@pytest.mark.parametrize("value", [-0.1, 1.01, np.nan])
def test_only_probabilities_are_taken(value) -> None:
    values, truth = np.array([[0.5], [value]]), np.array([[1.0], [0.0]])
    for metric in (brier, expected_calibration_error()):
        with pytest.raises(EvaluationError, match=r"row 1 holds .* no probability"):
            metric(values, truth)
    with pytest.raises(EvaluationError, match="at least 1 bin"):
        expected_calibration_error(0)
