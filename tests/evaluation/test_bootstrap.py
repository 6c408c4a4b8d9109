from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from radpair.errors import EvaluationError
from radpair.evaluation import bootstrap as module
from radpair.evaluation.bootstrap import (
    bootstrap,
    difference,
    interval,
    patient_weights,
    resample,
)
from radpair.evaluation.statistics import auroc, average_precision


def sample(studies: int = 60, labels: int = 3, seed: int = 0):
    rng = np.random.default_rng(seed)
    truth = (rng.random((studies, labels)) < 0.3).astype(float)
    scores = truth + rng.normal(size=truth.shape)
    patients = [f"p{index // 2}" for index in range(studies)]
    return scores, truth, patients


def test_a_resample_takes_all_studies_of_a_patient_alike() -> None:
    patients = ["b", "a", "b", "c"]
    weights = np.concatenate(list(patient_weights(patients, 200, 3)), axis=1)
    assert weights.shape == (4, 200)
    np.testing.assert_array_equal(weights[0], weights[2])
    assert set((weights[0] + weights[1] + weights[3]).tolist()) == {3.0}
    assert weights.std() > 0.5


def test_chunks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    patients = [f"p{i // 3}" for i in range(50)]
    whole = np.concatenate(list(patient_weights(patients, 40, 1)), axis=1)
    monkeypatch.setattr(module, "_CHUNK_VALUES", 350)
    parts = list(patient_weights(patients, 40, 1))
    assert len(parts) == 6
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_equals_a_loop_over_resampled_studies() -> None:
    scores, truth, patients = sample()
    found = resample(auroc, scores, truth, patients, 50, 7)
    weights = np.concatenate(list(patient_weights(patients, 50, 7)), axis=1).astype(int)
    for draw in range(50):
        rows = np.repeat(np.arange(len(truth)), weights[:, draw])
        for label in range(truth.shape[1]):
            expected = roc_auc_score(truth[rows, label], scores[rows, label])
            assert found.draws[draw, label] == pytest.approx(expected, abs=1e-12)
    estimate = interval(found)
    assert estimate.macro.value == pytest.approx(found.value.mean())
    assert estimate.macro.low == pytest.approx(np.quantile(found.draws.mean(axis=1), 0.025))


def test_copies_of_a_run_do_not_narrow_the_interval() -> None:
    """Defect 16."""
    scores, truth, patients = sample()
    once = bootstrap(auroc, scores, truth, patients)
    copied = bootstrap(auroc, np.stack([scores] * 5), truth, patients)
    for one, five in zip((once.macro, *once.labels), (copied.macro, *copied.labels), strict=True):
        assert (one.value, one.low, one.high) == pytest.approx((five.value, five.low, five.high))


def test_runs_are_averaged_as_metrics() -> None:
    scores, truth, patients = sample()
    other = sample(seed=5)[0]
    both = bootstrap(auroc, np.stack([scores, 100 * other]), truth, patients)
    mean = 0.5 * (auroc(scores, truth) + auroc(other, truth))
    assert [label.value for label in both.labels] == pytest.approx(mean.tolist())
    draws = [resample(auroc, part, truth, patients).draws for part in (scores, other)]
    joint = resample(auroc, np.stack([scores, 100 * other]), truth, patients).draws
    np.testing.assert_allclose(joint, 0.5 * (draws[0] + draws[1]))


def test_repeated_studies_of_a_patient_do_not_narrow_the_interval() -> None:
    """Ten copies of every study are no more evidence; resampling studies would say they are."""
    scores, truth, _ = sample(labels=1)
    patients = [f"p{i}" for i in range(60)]
    once = bootstrap(auroc, scores, truth, patients).macro
    repeated = [np.repeat(part, 10, axis=0) for part in (scores, truth)]
    tenfold = bootstrap(auroc, *repeated, [p for p in patients for _ in range(10)]).macro
    assert (tenfold.low, tenfold.high) == pytest.approx((once.low, once.high))


def test_the_interval_covers_the_truth() -> None:
    """The AUROC of two normals one deviation apart is 0.7602; nominal coverage is 95 %."""
    true, rng, hits, trials = 0.7602499, np.random.default_rng(0), 0, 400
    for trial in range(trials):
        effect = np.repeat(rng.normal(size=75), 2) * np.sqrt(0.5)
        noise = rng.normal(size=150) * np.sqrt(0.5)
        truth = np.repeat(rng.random(75) < 0.4, 2).astype(float)
        scores = truth + effect + noise
        patients = [str(i // 2) for i in range(150)]
        found = bootstrap(auroc, scores[:, None], truth[:, None], patients, 400, trial).macro
        hits += found.low <= true <= found.high
    assert 0.915 <= hits / trials <= 0.98


def test_paired_difference_is_that_of_the_draws() -> None:
    scores, truth, patients = sample()
    better = scores + truth
    first, second = (resample(auroc, s, truth, patients) for s in (better, scores))
    gap = difference(first, second)
    expected = (first.draws - second.draws).mean(axis=1)
    assert gap.macro.value == pytest.approx((first.value - second.value).mean())
    assert (gap.macro.low, gap.macro.high) == pytest.approx(
        tuple(np.quantile(expected, [0.025, 0.975]))
    )
    assert gap.macro.low > 0
    assert gap.macro.p == pytest.approx(2 / 1001)


def test_the_same_model_twice_differs_by_nothing() -> None:
    scores, truth, patients = sample()
    one = resample(average_precision, scores, truth, patients)
    gap = difference(one, one).macro
    assert (gap.value, gap.low, gap.high, gap.p) == (0, 0, 0, 1)


def test_two_equal_models_are_seldom_called_different() -> None:
    rng, called, trials = np.random.default_rng(1), 0, 300
    for trial in range(trials):
        truth = (rng.random((120, 1)) < 0.4).astype(float)
        shared = truth + rng.normal(size=(120, 1))
        patients = [str(i) for i in range(120)]
        pair = [
            resample(auroc, shared + rng.normal(size=(120, 1)), truth, patients, 300, trial)
            for _ in range(2)
        ]
        called += difference(*pair).macro.p < 0.05
    assert 0.015 <= called / trials <= 0.09


def test_an_undefined_label_stays_out_of_the_mean() -> None:
    scores, truth, patients = sample()
    truth[:, 1] = 0
    found = bootstrap(auroc, scores, truth, patients)
    assert np.isnan(found.labels[1].value)
    assert found.labels[1].undefined == 1000
    assert found.macro.value == pytest.approx(auroc(scores, truth)[[0, 2]].mean())


def test_resamples_that_lose_a_class_are_counted() -> None:
    scores, truth, patients = sample(labels=1)
    truth[:] = 0
    truth[0] = 1
    found = bootstrap(auroc, scores, truth, patients).labels[0]
    assert 250 < found.undefined < 500  # (1 - 1/30) ** 30 = 0.36


def test_unequal_inputs_are_refused() -> None:
    scores, truth, patients = sample()
    with pytest.raises(EvaluationError, match="60 studies but 59 patient ids"):
        resample(auroc, scores, truth, patients[:-1])
    with pytest.raises(EvaluationError, match="same studies, labels and resamples"):
        difference(
            resample(auroc, scores, truth, patients, 10),
            resample(auroc, scores, truth, patients, 20),
        )
