from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.errors import EvaluationError
from radpair.evaluation.policies import CONVIRT, check_policy, given_labels, study_scores

FIVE = list(CONVIRT)


def test_the_papers_map_of_the_five_labels() -> None:
    """Zhang et al. 2022: all but consolidation are present when uncertain."""
    labels = np.array([[-1.0] * 5, [1, 0, 1, 0, np.nan]])
    found = given_labels(labels, ["a", "b"], FIVE, "convirt")
    assert dict(zip(FIVE, found[0], strict=True)) == {
        "Atelectasis": 1,
        "Cardiomegaly": 1,
        "Consolidation": 0,
        "Edema": 1,
        "Pleural Effusion": 1,
    }
    np.testing.assert_array_equal(found[1], labels[1])


@pytest.mark.parametrize(("policy", "value"), [("ones", 1.0), ("zeros", 0.0), ("ignore", np.nan)])
def test_one_rule_for_all_labels(policy, value) -> None:
    labels = np.array([[-1.0, 1.0], [np.nan, -1.0]])
    expected = np.array([[value, 1.0], [np.nan, value]])
    np.testing.assert_array_equal(given_labels(labels, ["a", "b"], ["x", "y"], policy), expected)


def test_a_map_rules_label_by_label_and_must_name_what_is_uncertain() -> None:
    labels = np.array([[-1.0, -1.0, 1.0]])
    names = ["Mass", "Nodule", "Edema"]
    found = given_labels(labels, ["a"], names, {"Mass": 0.0, "Nodule": float("nan")})
    np.testing.assert_array_equal(found, [[0.0, np.nan, 1.0]])
    with pytest.raises(EvaluationError, match=r"'Nodule' has uncertain labels and .* no rule"):
        given_labels(labels, ["a"], names, {"Mass": 0.0})
    with pytest.raises(EvaluationError, match=r"uncertain 'Mass' 0\.5"):
        given_labels(labels, ["a"], names, {"Mass": 0.5})
    with pytest.raises(EvaluationError, match="'Mass' has uncertain labels"):
        given_labels(labels, ["a"], names, "convirt")


def test_an_unknown_policy_offers_the_nearest() -> None:
    with pytest.raises(EvaluationError, match=r"unknown policy 'convit'.*did you mean 'convirt'"):
        given_labels(np.zeros((1, 1)), ["a"], ["x"], "convit")


@given(seed=st.integers(0, 10_000), studies=st.integers(1, 12), more=st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_views_are_aggregated_in_any_order(seed, studies, more) -> None:
    rng = np.random.default_rng(seed)
    places = rng.permutation(np.concatenate([np.arange(studies), rng.integers(0, studies, more)]))
    scores = rng.normal(size=(len(places), 3))
    ids = [f"s{i}" for i in range(studies)]
    for how, function in (("max", np.max), ("mean", np.mean)):
        expected = [function(scores[places == study], axis=0) for study in range(studies)]
        np.testing.assert_allclose(study_scores(scores, places, ids, how), expected, atol=1e-12)


def test_views_that_cannot_be_aggregated_are_named() -> None:
    scores = np.zeros((3, 2))
    with pytest.raises(EvaluationError, match=r"study 'b' has no scored image \(1 such"):
        study_scores(scores, [0, 0, 2], ["a", "b", "c"])
    with pytest.raises(EvaluationError, match=r"image row 1 belongs to study 5, .* only 2"):
        study_scores(scores, [0, 5, 1], ["a", "b"])
    with pytest.raises(EvaluationError, match="2 images were given their study"):
        study_scores(scores, [0, 1], ["a", "b"])
    with pytest.raises(EvaluationError, match="unknown aggregation of views 'median'"):
        study_scores(scores, [0, 1, 1], ["a", "b"], "median")
    scores[1, 0] = np.nan
    with pytest.raises(EvaluationError, match=r"1 images have a score .* rows \[1\]"):
        study_scores(scores, [0, 1, 1], ["a", "b"])


def test_rules_label_by_label_in_words() -> None:
    labels = np.array([[-1.0, -1.0, -1.0, 1.0]])
    names = ["Mass", "Pleural Effusion", "Edema", "Nodule"]
    told = "Mass=zeros, Pleural Effusion=ones,Edema=ignore"
    np.testing.assert_array_equal(
        given_labels(labels, ["a"], names, told), [[0.0, 1.0, np.nan, 1.0]]
    )
    with pytest.raises(EvaluationError, match="'Edema' has uncertain labels"):
        given_labels(labels, ["a"], names, "Mass=zeros,Pleural Effusion=ones")
    for wrong in ("Mass=one", "=ones", "Mass=ones,Edema"):
        with pytest.raises(EvaluationError, match="is not a rule; write label=ignore"):
            check_policy(wrong)
