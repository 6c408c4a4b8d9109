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
    one_hot,
    sensitivity,
    specificity,
    top_k_accuracy,
    why_undefined,
)

RANKED = [(auroc, oracle.roc_auc_score), (average_precision, oracle.average_precision_score)]
DECIDED = [(mcc, oracle.matthews_corrcoef), (f1, oracle.f1_score)]
SHARES = [(sensitivity, 1.0), (specificity, 0.0)]


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


def test_an_unknown_label_value_names_its_study() -> None:
    with pytest.raises(EvaluationError, match="study 'b' has 2 for 'Edema'"):
        given_labels(np.array([[1.0], [2.0]]), ["a", "b"], ["Edema"])


def test_scores_must_fit_and_be_finite() -> None:
    with pytest.raises(EvaluationError, match=r"scores are \[2, 1\] but labels are \[3, 1\]"):
        check_scores(np.zeros((2, 1)), np.zeros((3, 1)))
    with pytest.raises(EvaluationError, match=r"1 studies have .* first rows \[1\]"):
        auroc(np.array([[0.0], [np.nan]]), np.array([[0.0], [1.0]]))


@pytest.mark.parametrize(("metric", "side"), SHARES)
@settings(max_examples=30, deadline=None)
@given(case=scored())
def test_shares_equal_scikit_learns_recall_of_one_class(metric, side, case) -> None:
    """Defined as soon as their own class is there."""
    scores, truth, weights = case
    decisions = (scores > 0.3).astype(float)
    found = metric(decisions, truth, weights)
    for draw in range(weights.shape[1]):
        for label in range(3):
            kept = ~np.isnan(truth[:, label]) & (weights[:, draw] > 0)
            if not (truth[kept, label] == side).any():
                assert np.isnan(found[draw, label])
                continue
            expected = oracle.recall_score(
                truth[kept, label], decisions[kept, label],
                pos_label=side, sample_weight=weights[kept, draw],
            )  # fmt: skip
            assert found[draw, label] == pytest.approx(expected, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 3))
def test_top_k_accuracy_equals_scikit_learn(seed, k) -> None:
    rng = np.random.default_rng(seed)
    classes, scores = rng.integers(0, 4, size=30).astype(float), rng.normal(size=(30, 4))
    classes[:4] = range(4)
    classes[-3:] = np.nan
    weights = rng.integers(0, 3, size=(30, 5)).astype(float)
    weights[0] = 1
    found = top_k_accuracy(k)(scores, one_hot(classes, 4), weights)
    assert found.shape == (5, 1)
    for draw in range(5):
        expected = oracle.top_k_accuracy_score(
            classes[:27], scores[:27], k=k, sample_weight=weights[:27, draw], labels=range(4)
        )
        assert found[draw, 0] == pytest.approx(expected)


def test_equal_scores_of_classes_are_a_guess() -> None:
    truth = one_hot(np.array([0, 1, 2, 3]), 4)
    assert top_k_accuracy(2)(np.zeros((4, 4)), truth)[0] == 0.5
    scores = np.array([[1.0, 1.0, 0.0, 2.0]])
    found = [top_k_accuracy(k)(scores, one_hot(np.array([1]), 4))[0] for k in (1, 2, 3, 4)]
    assert found == [0, 0.5, 1, 1]


def test_top_k_accuracy_refuses_what_is_no_class() -> None:
    with pytest.raises(EvaluationError, match="row 1 has class 4: classes are 0 to 3"):
        one_hot(np.array([0, 4]), 4)
    both = np.array([[1.0, 1.0], [0.0, 1.0]])
    with pytest.raises(EvaluationError, match="truth row 0 does not hold exactly one class"):
        top_k_accuracy(1)(both, both)
    with pytest.raises(EvaluationError, match="k from 1 to 2 classes"):
        top_k_accuracy(3)(both, one_hot(np.array([0, 1]), 2))


def test_what_a_truth_lacks_is_said() -> None:
    truth = np.array([[1, 1, 0, np.nan], [0, 1, 0, np.nan], [1, np.nan, 0, np.nan]], dtype=float)
    assert why_undefined(truth) == [
        "",
        "none of the 2 labelled studies is negative",
        "none of the 3 labelled studies is positive",
        "no study has this label",
    ]
    for metric in (auroc, average_precision, mcc, f1):
        assert [bool(text) for text in why_undefined(truth)] == np.isnan(
            metric(np.zeros_like(truth), truth)
        ).tolist()
