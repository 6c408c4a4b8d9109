from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.errors import EvaluationError
from radpair.evaluation.budgets import (
    assert_disjoint,
    few_shot,
    label_budget,
    patient_folds,
    sample_by_patient,
    why_no_folds,
)

PATIENTS = [f"p{i}" for i in np.random.default_rng(0).integers(0, 60, size=150)]


@given(
    counts=st.lists(st.integers(1, 4), min_size=1, max_size=40),
    fractions=st.tuples(st.floats(0.001, 1), st.floats(0.001, 1)),
    seed=st.integers(0, 1000),
)
@settings(max_examples=80, deadline=None)
def test_a_budget_is_exact_nested_and_by_patient(counts, fractions, seed) -> None:
    """Defect 14: a subset is drawn by patient, not the first rows."""
    patients = [f"p{i}" for i, count in enumerate(counts) for _ in range(count)]
    small, large = sorted(fractions)
    inner, outer = (label_budget(patients, share, seed) for share in (small, large))
    assert len(inner) == max(1, round(small * len(patients)))
    assert set(inner) <= set(outer)
    assert len(set(inner)) == len(inner)
    people = np.array(patients)
    partly = [p for p in set(people[inner]) if (people == p).sum() != (people[inner] == p).sum()]
    assert len(partly) <= 1


def test_draws_and_seeds_differ_and_repeat() -> None:
    """Defect 14: draws are seeded."""
    found = {
        (seed, draw): tuple(label_budget(PATIENTS, 0.2, seed, draw))
        for seed in (0, 1)
        for draw in range(5)
    }
    assert len(set(found.values())) == 10
    assert tuple(label_budget(PATIENTS, 0.2, 1, 3)) == found[1, 3]
    assert found[0, 0] != tuple(range(30))  # not the first rows of the table


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.01, float("nan")])
def test_an_impossible_fraction_is_refused(fraction: float) -> None:
    with pytest.raises(EvaluationError, match="fraction must lie"):
        label_budget(PATIENTS, fraction)


def test_few_shot_takes_k_patients_a_class() -> None:
    rng = np.random.default_rng(1)
    labels = (rng.random((150, 3)) < 0.4).astype(float)
    labels[rng.random(labels.shape) < 0.1] = np.nan
    kept = few_shot(labels, PATIENTS, ["a", "b", "c"], 5, seed=2)
    for column in range(3):
        rows = np.flatnonzero(~np.isnan(kept[:, column]))
        assert (kept[rows, column] == labels[rows, column]).all()
        assert (kept[rows, column] == 1).sum() == 5
        assert len(rows) == 10
        assert len({PATIENTS[row] for row in rows}) == 10
    assert not np.array_equal(kept, few_shot(labels, PATIENTS, ["a", "b", "c"], 5, seed=3), True)


def test_few_shot_names_the_label_that_is_too_rare() -> None:
    labels = np.zeros((150, 1))
    labels[:2] = 1
    with pytest.raises(EvaluationError, match="label 'Mass' has 2 training patients of class 1"):
        few_shot(labels, PATIENTS, ["Mass"], 5)


def test_a_shared_patient_is_named() -> None:
    """Defects 8 and 19."""
    assert_disjoint(["a", "b"], ["c"])
    with pytest.raises(EvaluationError, match="patient 'b' is among both"):
        assert_disjoint(["a", "b"], ["b", "c"])


def test_folds_keep_patients_whole_and_deal_out_positives() -> None:
    truth = np.zeros(150)
    positive = sorted(set(PATIENTS))[:10]
    truth[[p in positive for p in PATIENTS]] = 1
    truth[::7] = np.nan
    fold = patient_folds(truth, PATIENTS, 5, 0)
    assert set(fold) == set(range(5))
    for patient in set(PATIENTS):
        assert len({f for f, p in zip(fold, PATIENTS, strict=True) if p == patient}) == 1
    held = [
        {p for p, f, t in zip(PATIENTS, fold, truth, strict=True) if f == k and t == 1}
        for k in range(5)
    ]
    assert max(map(len, held)) - min(map(len, held)) <= 1


@given(
    positives=st.integers(1, 8),
    negatives=st.integers(1, 30),
    folds=st.integers(2, 6),
    seed=st.integers(0, 50),
)
@settings(max_examples=80, deadline=None)
def test_every_fold_holds_both_classes(positives, negatives, folds, seed) -> None:
    truth = np.repeat([1.0, 0.0, np.nan], [positives, negatives, 5])
    patients = [str(i) for i in range(len(truth))]
    fold = patient_folds(truth, patients, folds, seed)
    expected = min(folds, positives, negatives)
    assert set(fold) == set(range(expected))
    for part in range(expected) if expected > 1 else ():
        assert {0.0, 1.0} <= set(truth[fold == part].tolist())


def test_a_sample_takes_patients_whole_and_whatever_their_size() -> None:
    patients = [f"p{i}" for i in range(3000) for _ in range(1 if i % 2 else 4)]
    rows = sample_by_patient(patients, 2000)
    people, counts = np.unique(np.array(patients)[rows], return_counts=True)
    whole = np.array([1 if int(name[1:]) % 2 else 4 for name in people])
    np.testing.assert_array_equal(counts, whole)
    assert 1990 <= len(rows) <= 2000
    assert 0.4 < (whole == 4).mean() < 0.6
    np.testing.assert_array_equal(sample_by_patient(patients, 2000), rows)
    assert len(sample_by_patient(patients, 10**6)) == len(patients)
    assert len(sample_by_patient(["a"] * 9 + ["b"] * 9, 4)) == 18


def test_a_class_of_one_patient_has_no_folds() -> None:
    truth = np.array([1.0, 1.0, 0.0, 0.0, np.nan])
    assert why_no_folds(truth, ["a", "a", "b", "c", "d"]) == "only one training patient with it"
    assert why_no_folds(1 - truth, ["a", "a", "b", "c", "d"]) == (
        "only one training patient without it"
    )
    assert why_no_folds(truth, ["a", "e", "b", "c", "d"]) is None
