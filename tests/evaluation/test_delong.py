from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, t, ttest_ind

from radpair.errors import EvaluationError
from radpair.evaluation.delong import delong, delong_intervals, delong_test
from radpair.evaluation.statistics import auroc

REFERENCE = json.loads(
    (Path(__file__).parent / "data" / "statistics_reference.json").read_text(encoding="utf-8")
)
SINGLE = 2e-6  # the reference package works in single precision


def ids(studies: int) -> list[str]:
    return [f"p{index}" for index in range(studies)]


def slow(models: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """DeLong et al. 1988 as written: every positive against every negative."""
    positive, negative = models[:, truth == 1], models[:, truth == 0]
    gaps = positive[:, :, None] - negative[:, None, :]
    wins = (gaps > 0) + 0.5 * (gaps == 0)
    v10, v01 = wins.mean(axis=2), wins.mean(axis=1)
    covariance = np.cov(v10) / v10.shape[1] + np.cov(v01) / v01.shape[1]
    return wins.mean(axis=(1, 2)), covariance


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    studies=st.integers(4, 60),
    levels=st.sampled_from([2, 5, 10_000]),
    rare=st.booleans(),
)
def test_equals_every_pair_compared(seed, studies, levels, rare) -> None:
    rng = np.random.default_rng(seed)
    positives = 2 if rare else int(rng.integers(2, studies - 1))
    truth = rng.permutation(np.arange(studies) < positives).astype(float)
    models = rng.integers(0, levels, size=(3, studies, 1)).astype(float)
    found = delong(models, truth[:, None], ids(studies))
    aurocs, covariance = slow(models[:, :, 0], truth)
    np.testing.assert_allclose(found.aurocs[0], aurocs, atol=1e-12)
    np.testing.assert_allclose(found.covariance[0], covariance, atol=1e-12)
    assert found.notes == (None,)


@pytest.mark.parametrize("case", REFERENCE["delong"])
def test_equals_the_confidenceinterval_package(case) -> None:
    """Values and versions: scripts/statistics_reference.py."""
    truth, scores = np.array(case["truth"], dtype=float)[:, None], np.array(case["scores"])
    people = ids(len(truth))
    found = delong(scores[:, :, None], truth, people)
    np.testing.assert_allclose(found.aurocs[0], case["aurocs"], atol=SINGLE)
    np.testing.assert_allclose(found.covariance[0], case["covariance"], atol=SINGLE)
    for one, bounds in zip(scores, case["intervals"], strict=True):
        plain = delong_intervals(one[:, None], truth, people, logit=False, student=False)[0]
        assert (plain.low, plain.high) == pytest.approx(np.clip(bounds, 0, 1), abs=1e-5)
    tested = delong_test(scores[0][:, None], scores[1][:, None], truth, people, student=False)[0]
    assert tested.p == pytest.approx(case["p"], abs=1e-4)


def test_a_label_takes_its_own_studies_and_negating_mirrors() -> None:
    rng = np.random.default_rng(3)
    truth = (rng.random((80, 3)) < 0.4).astype(float)
    truth[rng.random(truth.shape) < 0.3] = np.nan
    models = rng.normal(size=(2, 80, 3))
    found = delong(models, truth, ids(80))
    np.testing.assert_allclose(found.aurocs.T, [auroc(one, truth) for one in models])
    mirrored = delong(-models, truth, ids(80))
    np.testing.assert_allclose(found.aurocs + mirrored.aurocs, 1)
    np.testing.assert_allclose(found.covariance, mirrored.covariance, atol=1e-15)


def test_the_logit_interval_is_symmetric_in_the_odds() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((60, 1)) < 0.3).astype(float)
    found = delong_intervals(2 * truth + rng.normal(size=(60, 1)), truth, ids(60))[0]
    low, value, high = (np.log(x / (1 - x)) for x in (found.low, found.value, found.high))
    assert value - low == pytest.approx(high - value)
    assert 0 < found.low < found.value < found.high < 1


def test_the_p_value_and_the_interval_of_a_difference_agree() -> None:
    rng = np.random.default_rng(1)
    truth = (rng.random((90, 4)) < 0.4).astype(float)
    first, second = (truth + rng.normal(size=truth.shape) for _ in range(2))
    for one in delong_test(first, second, truth, ids(90), student=False):
        error = (one.high - one.low) / (2 * norm.ppf(0.975))
        assert one.p == pytest.approx(2 * norm.sf(abs(one.value) / error))
    swapped = delong_test(second, first, truth, ids(90))
    assert [one.p for one in swapped] == pytest.approx(
        [one.p for one in delong_test(first, second, truth, ids(90))]
    )


def test_students_quantile_is_welchs() -> None:
    """Satterthwaite's degrees of freedom of placements are those of Welch's test on them."""
    rng = np.random.default_rng(4)
    truth = np.repeat([1.0, 0.0], [8, 50])[:, None]
    scores = truth + rng.normal(size=truth.shape)
    beaten = (scores[:8] > scores[8:].T).mean(axis=1)
    beating = (scores[:8] > scores[8:].T).mean(axis=0)
    df = ttest_ind(beaten, beating, equal_var=False).df
    found, plain = (delong_intervals(scores, truth, ids(58), student=s)[0] for s in (True, False))
    spans = [np.log(one.high / (1 - one.high) / one.low * (1 - one.low)) for one in (found, plain)]
    assert spans[0] / spans[1] == pytest.approx(t.ppf(0.975, df) / norm.ppf(0.975))


def test_repeated_patients_are_refused_by_name() -> None:
    scores, truth = np.arange(4.0)[:, None], np.array([[0.0], [1.0], [0.0], [1.0]])
    with pytest.raises(EvaluationError, match=r"patient 'b' has 2 studies .*paired_bootstrap"):
        delong_test(scores, scores, truth, ["a", "b", "b", "c"])
    with pytest.raises(EvaluationError, match="4 studies but 3 patient ids"):
        delong_intervals(scores, truth, ["a", "b", "c"])


def test_what_cannot_be_tested_says_why() -> None:
    truth = np.array([[1, 1, 1, np.nan, 1]] * 3 + [[0, 1, np.nan, np.nan, 0]] * 3, dtype=float)
    truth[3:5, 2] = 0
    truth[0:2, 2] = np.nan
    scores = np.random.default_rng(0).normal(size=(6, 5))
    scores[:, 4] = truth[:, 4]
    results = delong_test(scores, np.zeros_like(scores), truth, ids(6))
    assert results[0].p is not None
    notes = [one.note for one in results]
    assert notes[1] == "none of the 6 labelled studies is negative"
    assert "two positives and two negatives" in notes[2]
    assert notes[3] == "no study has this label"
    assert "variance is 0" in notes[4]
    assert [one.p for one in results[1:]] == [None] * 4
    assert results[4].value == 0.5
    assert "variance is 0" in delong_intervals(scores, truth, ids(6))[4].note


def test_a_model_does_not_differ_from_itself() -> None:
    rng = np.random.default_rng(2)
    truth = (rng.random((30, 1)) < 0.5).astype(float)
    scores = rng.normal(size=(30, 1))
    same = delong_test(scores, 3 * scores + 1, truth, ids(30))[0]
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)
