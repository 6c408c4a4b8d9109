from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, matthews_corrcoef

from radpair.errors import EvaluationError
from radpair.evaluation.thresholds import choose_thresholds, decide, operating_points


@pytest.mark.parametrize(("objective", "reference"), [("mcc", matthews_corrcoef), ("f1", f1_score)])
@given(seed=st.integers(0, 10_000), levels=st.sampled_from([3, 1000]))
@settings(max_examples=40, deadline=None)
def test_no_other_threshold_is_better_on_the_choosing_studies(
    objective, reference, seed, levels
) -> None:
    rng = np.random.default_rng(seed)
    truth = np.concatenate([[0.0, 1.0], rng.integers(0, 2, size=20)])[:, None]
    scores = rng.integers(0, levels, size=(22, 1)).astype(float)
    patients = [str(i) for i in range(22)]
    chosen = choose_thresholds(scores, truth, patients, ["other"], objective)
    found = reference(truth[:, 0], decide(scores, chosen)[:, 0])
    every = [reference(truth[:, 0], scores[:, 0] >= cut) for cut in np.unique(scores)]
    assert found == pytest.approx(max(every))


def test_missing_labels_do_not_count() -> None:
    scores = np.array([[0.1], [0.2], [0.8], [0.9], [0.95]])
    truth = np.array([[0.0], [0.0], [1.0], [1.0], [np.nan]])
    chosen = choose_thresholds(scores, truth, list("abcde"), [])
    assert 0.2 < chosen[0] <= 0.8


def test_a_label_with_one_class_has_no_threshold() -> None:
    chosen = choose_thresholds(np.ones((3, 1)), np.ones((3, 1)), list("abc"), [])
    assert np.isnan(chosen).all()
    assert not decide(np.full((3, 1), 9.0), chosen).any()


def test_a_threshold_from_evaluated_patients_is_refused() -> None:
    """Defect 15."""
    scores, truth = np.random.default_rng(0).random((2, 1)), np.array([[0.0], [1.0]])
    with pytest.raises(EvaluationError, match="patient 'b' is among both the studies that choose"):
        choose_thresholds(scores, truth, ["a", "b"], ["b"])


def test_neighbouring_floats_are_kept_apart() -> None:
    low = 1.0
    high = np.nextafter(low, 2)
    chosen = choose_thresholds(np.array([[low], [high]]), np.array([[0.0], [1.0]]), ["a", "b"], [])
    assert decide(np.array([[low], [high]]), chosen)[:, 0].tolist() == [False, True]


@given(
    seed=st.integers(0, 10_000),
    levels=st.sampled_from([2, 4, 1000]),
    least=st.sampled_from([0.1, 0.5, 0.9, 1.0]),
)
@settings(max_examples=60, deadline=None)
def test_the_share_asked_for_is_reached_at_the_least_cost(seed, levels, least) -> None:
    rng = np.random.default_rng(seed)
    truth = np.concatenate([[0.0, 1.0], rng.integers(0, 2, size=20)])
    scores = rng.integers(0, levels, size=22).astype(float)
    people = [str(i) for i in range(22)]
    cuts = [*np.unique(scores), np.inf]
    found = [
        ((scores >= cut)[truth == 1].mean(), (scores < cut)[truth == 0].mean()) for cut in cuts
    ]
    for place, objective in enumerate(("sensitivity", "specificity")):
        point = operating_points(scores[:, None], truth[:, None], people, objective, least)
        called = point.decide(scores[:, None], [f"t{i}" for i in range(22)])[:, 0]
        reached = (called[truth == 1].mean(), (~called)[truth == 0].mean())
        assert reached[place] >= least - 1e-12
        allowed = [pair[1 - place] for pair in found if pair[place] >= least - 1e-12]
        assert reached[1 - place] == pytest.approx(max(allowed))
    youden = operating_points(scores[:, None], truth[:, None], people, "youden")
    called = decide(scores[:, None], youden.values)[:, 0]
    best = called[truth == 1].mean() + (~called)[truth == 0].mean()
    assert best == pytest.approx(max(sum(pair) for pair in found[:-1]))


def test_thresholds_are_refused_on_the_patients_that_chose_them() -> None:
    """A threshold from the test set: whoever applies it is stopped, not only whoever chooses it."""
    rng = np.random.default_rng(0)
    scores, truth = rng.random((4, 2)), np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    points = operating_points(scores, truth, list("abcd"))
    assert points.decide(rng.random((3, 2)), list("xyz")).shape == (3, 2)
    with pytest.raises(EvaluationError, match="patient 'd' is among both the studies that choose"):
        points.decide(rng.random((3, 2)), ["x", "d", "z"])
    with pytest.raises(EvaluationError, match="patient 'a' is among both the studies that choose"):
        points.decide(scores, list("abcd"))


def test_thresholds_remember_where_they_come_from() -> None:
    scores, truth = np.array([[0.1], [0.9]]), np.array([[0.0], [1.0]])
    first = operating_points(scores, truth, ["a", "b"], "sensitivity", 0.9)
    again = operating_points(scores[::-1], truth[::-1], ["b", "a"], "sensitivity", 0.9)
    assert (first.objective, first.least, first.patients) == ("sensitivity", 0.9, {"a", "b"})
    assert first.source == again.source
    assert first.source != operating_points(scores, truth, ["a", "c"]).source


@pytest.mark.parametrize(
    ("objective", "least", "words"),
    [
        ("accuracy", None, "unknown objective 'accuracy'"),
        ("sensitivity", None, "need the share to reach"),
        ("mcc", 0.9, "the others take none"),
        ("specificity", 1.5, r"least specificity must lie .* not 1\.5"),
    ],
)
def test_impossible_objectives_are_refused(objective, least, words) -> None:
    with pytest.raises(EvaluationError, match=words):
        operating_points(np.zeros((2, 1)), np.zeros((2, 1)), ["a", "b"], objective, least)


def test_thresholds_of_other_labels_or_studies_are_refused() -> None:
    scores, truth = np.array([[0.1], [0.9]]), np.array([[0.0], [1.0]])
    points = operating_points(scores, truth, ["a", "b"])
    with pytest.raises(EvaluationError, match=r"there are 3 studies and 1 thresholds"):
        points.decide(np.zeros((3, 2)), list("xyz"))
    with pytest.raises(EvaluationError, match="2 studies but 1 patient ids"):
        operating_points(scores, truth, ["a"])
