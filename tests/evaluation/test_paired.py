from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.errors import EvaluationError
from radpair.evaluation.bootstrap import resample
from radpair.evaluation.calibration import brier
from radpair.evaluation.differences import LONE_RUN, difference
from radpair.evaluation.paired import holm, paired_bootstrap, paired_delong
from radpair.evaluation.statistics import auroc, top_k_accuracy

REFERENCE = json.loads(
    (Path(__file__).parent / "data" / "statistics_reference.json").read_text(encoding="utf-8")
)
NAMES = ["Edema", "Mass", "Nodule"]


def models(studies: int = 120, seed: int = 0):
    rng = np.random.default_rng(seed)
    truth = (rng.random((studies, 3)) < 0.4).astype(float)
    better = 2 * truth + rng.normal(size=truth.shape)
    worse = 0.5 * truth + rng.normal(size=truth.shape)
    return better, worse, truth, [f"p{i}" for i in range(studies)]


@pytest.mark.parametrize("case", REFERENCE["holm"])
def test_holm_equals_statsmodels(case) -> None:
    """Values and versions: scripts/statistics_reference.py."""
    assert holm(case["p"]) == pytest.approx(case["corrected"])


@settings(max_examples=80, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=8))
def test_holm_is_bonferroni_at_the_smallest_and_leaves_out_the_untested(values) -> None:
    found = holm(values)
    kept = [p for p in values if p is not None]
    assert [one is None for one in found] == [p is None for p in values]
    corrected = [one for one in found if one is not None]
    assert corrected == holm(kept)
    if kept:
        assert min(corrected) == pytest.approx(min(1, len(kept) * min(kept)))
        assert all(new >= old for new, old in zip(corrected, kept, strict=True))


def test_holm_refuses_what_is_no_p_value() -> None:
    with pytest.raises(EvaluationError, match=r"p-value 1.2 \(number 1\)"):
        holm([0.1, 1.2])
    assert holm([float("nan"), 0.01]) == [None, 0.01]


def test_a_better_model_is_found_by_both_tests() -> None:
    better, worse, truth, patients = models()
    drawn = paired_bootstrap(auroc, better, worse, truth, patients, NAMES, resamples=400)
    exact = paired_delong(better, worse, truth, patients, NAMES)
    for name in NAMES:
        assert drawn.labels[name].value == pytest.approx(exact.labels[name].value)
        assert drawn.labels[name].low == pytest.approx(exact.labels[name].low, abs=0.05)
        assert drawn.holm[name] < 0.05
        assert exact.holm[name] < 0.05
    assert drawn.macro.low > 0
    assert exact.macro is None


def test_it_is_the_difference_of_the_same_resamples() -> None:
    better, worse, truth, patients = models()
    patients = [patient[:2] for patient in patients]
    found = paired_bootstrap(brier, *(1 / (1 + np.exp(-s)) for s in (better, worse)), truth,
                             patients, NAMES, resamples=100, seed=3)  # fmt: skip
    samples = [
        resample(brier, 1 / (1 + np.exp(-s)), truth, patients, 100, 3) for s in (better, worse)
    ]
    assert tuple(found.labels.values()) == difference(*samples).labels


def test_a_label_without_a_class_is_named_and_not_counted_as_a_test() -> None:
    better, worse, truth, patients = models()
    truth[:, 1] = 0
    for found in (
        paired_bootstrap(auroc, better, worse, truth, patients, NAMES, resamples=200),
        paired_delong(better, worse, truth, patients, NAMES),
    ):
        assert found.labels["Mass"].note == "none of the 120 labelled studies is positive"
        assert found.holm["Mass"] is None
        smallest = min(found.labels[name].p for name in ("Edema", "Nodule"))
        assert min(p for p in found.holm.values() if p is not None) == pytest.approx(2 * smallest)


def test_runs_are_averaged_before_models_are_compared() -> None:
    better, worse, truth, patients = models()
    runs = np.stack([better, worse])
    found = paired_bootstrap(auroc, runs, worse, truth, patients, NAMES, resamples=50)
    half = (auroc(better, truth) - auroc(worse, truth)) / 2
    assert [one.value for one in found.labels.values()] == pytest.approx(half.tolist())


def test_classes_that_exclude_each_other_give_one_difference() -> None:
    better, worse, _, patients = models()
    truth = np.eye(3)[better.argmax(axis=1)]
    found = paired_bootstrap(top_k_accuracy(1), better, worse, truth, patients, NAMES, resamples=50)
    assert list(found.labels) == ["all"]
    assert found.macro.value == pytest.approx(1 - (worse.argmax(1) == better.argmax(1)).mean())


def test_names_must_fit() -> None:
    better, worse, truth, patients = models()
    with pytest.raises(EvaluationError, match="3 labels need as many different names"):
        paired_delong(better, worse, truth, patients, ["a", "a", "b"])


def lucky(rng, truth: np.ndarray, luck: float, runs: int = 5) -> np.ndarray:
    """``runs`` of one model, whose worth scatters by ``luck`` around 1."""
    return np.stack(
        [(1 + luck * rng.normal()) * truth + rng.normal(size=truth.shape) for _ in range(runs)]
    )


def test_what_runs_differ_by_is_an_error_too() -> None:
    """Models of equal worth: over patients alone they would be called different in most sets."""
    rng, called, alone = np.random.default_rng(5), [], []
    for _ in range(150):
        truth = (rng.random((200, 1)) < 0.4).astype(float)
        patients = [str(row) for row in range(200)]
        pair = [lucky(rng, truth, 0.6) for _ in range(2)]
        found = paired_bootstrap(auroc, *pair, truth, patients, ["Mass"], resamples=100)
        samples = [resample(auroc, one, truth, patients, 100, 0) for one in pair]
        called.append(found.macro.p < 0.05)
        alone.append(difference(*samples).macro.p < 0.05)
    assert 0.01 <= np.mean(called) <= 0.10
    assert np.mean(alone) > 0.3


def test_a_single_run_beside_several_has_no_test() -> None:
    better, worse, truth, patients = models()
    rng = np.random.default_rng(1)
    runs = np.stack([better + rng.normal(size=better.shape) for _ in range(3)])
    for pair, sign in (((runs, worse), 1), ((worse, runs), -1)):
        found = paired_bootstrap(auroc, *pair, truth, patients, NAMES, resamples=100)
        assert found.macro.p is None
        assert set(found.holm.values()) == {None}
        assert found.macro.note == LONE_RUN
        assert sign * found.macro.value > 0
        assert found.macro.low < found.macro.value < found.macro.high
