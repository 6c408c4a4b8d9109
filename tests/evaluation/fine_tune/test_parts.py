from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.errors import EvaluationError
from radpair.evaluation.fine_tune.parts import divide, held_out
from radpair.evaluation.fine_tune.settings import FineTuneConfig

CONFIG = FineTuneConfig()
NOBODY = np.zeros(0, dtype=np.int64)


def hospital(seed: int, studies: int, rate: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    patients = np.array([f"p{number}" for number in rng.integers(0, studies, studies)])
    return (rng.random((studies, 4)) < rate).astype(float), patients


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    studies=st.integers(1, 120),
    rate=st.sampled_from([0.02, 0.2, 0.7, 0.98]),
    share=st.sampled_from([0.1, 0.2, 0.4]),
)
def test_patients_stay_together_and_no_finding_is_lost(
    seed: int, studies: int, rate: float, share: float
) -> None:
    truth, patients = hospital(seed, studies, rate)
    aside = held_out(truth, patients, share, seed, 0)
    assert not set(patients[aside]) & set(patients[~aside])
    assert aside.sum() <= max(1, round(share * studies))
    for value in (0, 1):
        assert np.array_equal((truth[~aside] == value).any(axis=0), (truth == value).any(axis=0))
    assert np.array_equal(aside, held_out(truth, patients, share, seed, 0))


def test_findings_are_dealt_out_evenly() -> None:
    truth, patients = hospital(0, 2000, 0.1)
    aside = held_out(truth, patients, 0.2, 0, 0)
    assert aside.mean() == pytest.approx(0.2, abs=0.01)
    assert np.allclose(truth[aside].mean(axis=0), truth.mean(axis=0), atol=0.02)
    assert not np.array_equal(aside, held_out(truth, patients, 0.2, 0, 1))


def test_both_parts_lie_inside_the_budget() -> None:
    truth, patients = hospital(1, 200, 0.3)
    budget = np.arange(0, 200, 3)
    fit, held = divide(truth, patients, budget, NOBODY, CONFIG, 0, 0)
    assert held is not None
    assert sorted([*fit.studies, *held.studies]) == budget.tolist()
    assert np.array_equal(held.truth, truth[held.studies])


@pytest.mark.parametrize("size", [1, 7, 30, 120])
def test_validation_has_no_more_studies_than_the_budget(size: int) -> None:
    truth, patients = hospital(2, 200, 0.3)
    config = FineTuneConfig(selection="validate")
    fit, held = divide(truth, patients, np.arange(size), np.arange(120, 160), config, 0, 0)
    assert held is not None
    assert len(held.studies) == min(size, 40)
    assert set(held.studies) <= set(range(120, 160))
    assert np.array_equal(fit.studies, np.arange(size))


def test_without_a_validation_split_it_cannot_be_used() -> None:
    truth, patients = hospital(2, 20, 0.3)
    config = FineTuneConfig(selection="validate")
    with pytest.raises(EvaluationError, match="use selection=budget"):
        divide(truth, patients, np.arange(20), NOBODY, config, 0, 0)


def test_a_few_patients_are_learned_from_whole() -> None:
    truth, patients = hospital(3, 4, 0.5)
    fit, held = divide(truth, patients, np.arange(4), NOBODY, CONFIG, 0, 0)
    assert held is None
    assert np.array_equal(fit.studies, np.arange(4))
