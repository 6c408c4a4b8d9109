from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, matthews_corrcoef

from radpair.errors import EvaluationError
from radpair.evaluation.thresholds import choose_thresholds, decide


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
