from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from radpair.errors import EvaluationError
from radpair.evaluation.statistics import (
    auroc,
    average_precision,
    check_scores,
    f1,
    given_labels,
    mcc,
)

RANKED = [(auroc, oracle.roc_auc_score), (average_precision, oracle.average_precision_score)]
DECIDED = [(mcc, oracle.matthews_corrcoef), (f1, oracle.f1_score)]


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores with many ties, truth with gaps and extreme prevalence, counts with zeros."""
    studies = draw(st.integers(2, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.sampled_from([1, 2, 5, 1000]))
    scores = rng.integers(0, levels, size=(studies, 3)).astype(float) / 7
    truth = (rng.random((studies, 3)) < draw(st.sampled_from([0.02, 0.3, 0.97]))).astype(float)
    truth[rng.random((studies, 3)) < draw(st.sampled_from([0.0, 0.3]))] = np.nan
    return scores, truth, rng.integers(0, 4, size=(studies, 6)).astype(float)


def slow(function, scores, truth, weights):
    """scikit-learn on the studies that a resample holds, one label and resample at a time."""
    found = np.full((weights.shape[1], truth.shape[1]), np.nan)
    for draw in range(weights.shape[1]):
        for label in range(truth.shape[1]):
            kept = ~np.isnan(truth[:, label]) & (weights[:, draw] > 0)
            target = truth[kept, label]
            if len(set(target)) == 2:
                found[draw, label] = function(
                    target, scores[kept, label], sample_weight=weights[kept, draw]
                )
    return found


@pytest.mark.parametrize(("metric", "reference"), RANKED)
@settings(max_examples=60, deadline=None)
@given(case=scored())
def test_ranked_metrics_equal_scikit_learn(metric, reference, case) -> None:
    scores, truth, weights = case
    expected = slow(reference, scores, truth, weights)
    np.testing.assert_allclose(metric(scores, truth, weights), expected, atol=1e-12)


@pytest.mark.parametrize(("metric", "reference"), DECIDED)
@settings(max_examples=60, deadline=None)
@given(case=scored())
def test_decided_metrics_equal_scikit_learn(metric, reference, case) -> None:
    scores, truth, weights = case
    decisions = (scores > 0.3).astype(float)
    expected = slow(reference, decisions, truth, weights)
    np.testing.assert_allclose(metric(decisions, truth, weights), expected, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(case=scored())
def test_a_weight_is_a_repetition(case) -> None:
    scores, truth, weights = case
    for metric in (auroc, average_precision):
        weighted = metric(scores, truth, weights)
        for draw in range(weights.shape[1]):
            rows = np.repeat(np.arange(len(scores)), weights[:, draw].astype(int))
            if len(rows):
                np.testing.assert_allclose(weighted[draw], metric(scores[rows], truth[rows], None))


@settings(max_examples=40, deadline=None)
@given(case=scored())
def test_auroc_mirrors_when_scores_are_negated(case) -> None:
    scores, truth, _ = case
    both = auroc(scores, truth) + auroc(-scores, truth)
    assert both[~np.isnan(both)] == pytest.approx(1.0)


def test_constant_scores_are_a_coin() -> None:
    truth = np.array([[1.0], [0.0], [0.0]])
    assert auroc(np.zeros((3, 1)), truth)[0] == 0.5
    assert average_precision(np.zeros((3, 1)), truth)[0] == pytest.approx(1 / 3)


@pytest.mark.parametrize("metric", [auroc, average_precision, mcc, f1])
@pytest.mark.parametrize("target", [[1, 1, np.nan], [0, 0, np.nan], [np.nan] * 3])
def test_one_class_is_undefined(metric, target) -> None:
    truth = np.array([target], dtype=float).T
    assert np.isnan(metric(np.array([[1.0], [0.0], [1.0]]), truth)).all()


@pytest.mark.parametrize("metric", [auroc, average_precision, mcc, f1])
def test_a_resample_without_a_class_is_undefined_there_only(metric) -> None:
    truth = np.array([[1.0], [0.0], [0.0]])
    weights = np.array([[1.0, 0.0], [1.0, 2.0], [1.0, 1.0]])
    found = metric(np.array([[1.0], [0.0], [0.0]]), truth, weights)
    assert np.isnan(found[:, 0]).tolist() == [False, True]


def test_labels_follow_the_policy_named() -> None:
    labels = np.array([[1.0, -1.0], [0.0, np.nan]])
    ids, names = ["a", "b"], ["Edema", "Mass"]
    assert np.isnan(given_labels(labels, ids, names)[0, 1])
    assert given_labels(labels, ids, names, "ones")[0, 1] == 1
    assert given_labels(labels, ids, names, "zeros")[0, 1] == 0
    with pytest.raises(EvaluationError, match="unknown policy 'both'"):
        given_labels(labels, ids, names, "both")


def test_an_unknown_label_value_names_its_study() -> None:
    with pytest.raises(EvaluationError, match="study 'b' has 2 for 'Edema'"):
        given_labels(np.array([[1.0], [2.0]]), ["a", "b"], ["Edema"])


def test_scores_must_fit_and_be_finite() -> None:
    with pytest.raises(EvaluationError, match=r"scores are \[2, 1\] but labels are \[3, 1\]"):
        check_scores(np.zeros((2, 1)), np.zeros((3, 1)))
    with pytest.raises(EvaluationError, match=r"1 studies have .* first rows \[1\]"):
        auroc(np.array([[0.0], [np.nan]]), np.array([[0.0], [1.0]]))
