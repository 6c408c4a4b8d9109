from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from radpair.comparison.roc import (
    distance,
    false_positive_rate,
    roc_curve,
    sensitivity_at,
    true_positive_rate,
)


@st.composite
def judged(draw: st.DrawFn) -> tuple[np.ndarray, ...]:
    """Tied scores, a reader's decisions, truth with gaps, and counts with zeros."""
    studies = draw(st.integers(2, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = rng.integers(0, draw(st.sampled_from([1, 2, 5, 1000])), size=(studies, 2)) / 7
    decisions = (rng.random((studies, 2)) < 0.4).astype(float)
    truth = (rng.random((studies, 2)) < draw(st.sampled_from([0.05, 0.4, 0.9]))).astype(float)
    truth[rng.random((studies, 2)) < draw(st.sampled_from([0.0, 0.3]))] = np.nan
    return scores, decisions, truth, rng.integers(0, 3, size=(studies, 5)).astype(float)


def kept(truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    rows = np.flatnonzero(~np.isnan(truth) & (weights > 0))
    return rows if len(set(truth[rows])) == 2 else rows[:0]


def height(fpr: np.ndarray, tpr: np.ndarray, at: float) -> float:
    """The curve above a false positive rate, its upper end where it is vertical."""
    exact = np.isclose(fpr, at, atol=1e-12)
    return tpr[exact].max() if exact.any() else float(np.interp(at, fpr, tpr))


@settings(max_examples=60, deadline=None)
@given(case=judged())
def test_rates_equal_scikit_learn(case) -> None:
    _, decisions, truth, weights = case
    for metric, side in ((true_positive_rate, 1), (false_positive_rate, 0)):
        found = metric(decisions, truth, weights)
        for draw in range(weights.shape[1]):
            for label in range(2):
                rows = kept(truth[:, label], weights[:, draw])
                if len(rows):
                    called = oracle.recall_score(
                        truth[rows, label] == side,
                        decisions[rows, label] == 1,
                        sample_weight=weights[rows, draw],
                    )
                    assert found[draw, label] == pytest.approx(called)


@settings(max_examples=60, deadline=None)
@given(case=judged())
def test_curve_is_that_of_scikit_learn_without_its_straight_points(case) -> None:
    scores, _, truth, _ = case
    rows = kept(truth[:, 0], np.ones(len(truth)))
    curve = roc_curve(scores[:, 0], truth[:, 0])
    if not len(rows):
        assert len(curve[0]) == 0
        return
    fpr, tpr, _ = oracle.roc_curve(truth[rows, 0], scores[rows, 0], drop_intermediate=False)
    assert oracle.auc(*curve) == pytest.approx(oracle.auc(fpr, tpr))
    assert set(zip(*np.round(curve, 9), strict=True)) <= set(
        zip(*np.round((fpr, tpr), 9), strict=True)
    )
    for at, up in zip(fpr, tpr, strict=True):
        assert distance(at, up, curve) == pytest.approx(0, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(case=judged())
def test_sensitivity_at_the_reader_is_the_height_of_scikit_learns_curve(case) -> None:
    scores, decisions, truth, weights = case
    found = sensitivity_at(scores)(decisions, truth, weights)
    for draw in range(weights.shape[1]):
        for label in range(2):
            rows = kept(truth[:, label], weights[:, draw])
            if not len(rows):
                assert np.isnan(found[draw, label])
                continue
            count, target = weights[rows, draw], truth[rows, label]
            curve = oracle.roc_curve(
                target, scores[rows, label], sample_weight=count, drop_intermediate=False
            )
            yes = decisions[rows, label] == 1
            fpr = (count * (yes & (target == 0))).sum() / (count * (target == 0)).sum()
            assert found[draw, label] == pytest.approx(height(*curve[:2], fpr), abs=1e-9)


def test_distance_equals_a_dense_walk_along_the_curve() -> None:
    rng = np.random.default_rng(3)
    truth = (rng.random(60) < 0.4).astype(float)
    fpr, tpr = roc_curve(rng.normal(size=60) + truth, truth)
    along = np.linspace(0, len(fpr) - 1, 200_001)
    walk = np.column_stack([np.interp(along, np.arange(len(fpr)), line) for line in (fpr, tpr)])
    for point in rng.random((20, 2)):
        slow = np.linalg.norm(walk - point, axis=1).min()
        assert distance(*point, (fpr, tpr)) == pytest.approx(slow, abs=1e-4)


def test_the_models_own_points_are_not_above_its_curve() -> None:
    rng = np.random.default_rng(4)
    truth = (rng.random((80, 3)) < 0.3).astype(float)
    scores = rng.normal(size=(80, 3)) + truth
    for cut in (-0.5, 0.4, 1.2):
        decisions = (scores > cut).astype(float)
        fpr, tpr = false_positive_rate(decisions, truth), true_positive_rate(decisions, truth)
        assert (sensitivity_at(scores)(decisions, truth) >= tpr).all()
        for label in range(3):
            curve = roc_curve(scores[:, label], truth[:, label])
            assert distance(fpr[label], tpr[label], curve) == pytest.approx(0, abs=1e-12)
    assert (sensitivity_at(scores)(truth, truth) < 1).all()
    assert (sensitivity_at(scores)(1 - truth, truth) == 1).all()
