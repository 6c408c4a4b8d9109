from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from radpair.errors import EvaluationError
from radpair.evaluation import bootstrap as module
from radpair.evaluation.bootstrap import (
    bootstrap,
    combined,
    interval,
    left_out_weights,
    patient_weights,
    resample,
)
from radpair.evaluation.differences import difference
from radpair.evaluation.intervals import percentile_bounds, shape, wilson_bounds
from radpair.evaluation.statistics import auroc, average_precision, sensitivity


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
    monkeypatch.setattr(module, "_LEAST_COLUMNS", 1)
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
    for group, weights in enumerate(np.concatenate([*left_out_weights(patients, 7)], axis=1).T):
        rows = np.flatnonzero(weights)
        assert len({patients[row] for row in set(range(60)) - set(rows)}) == 1
        expected = roc_auc_score(truth[rows, 0], scores[rows, 0])
        assert found.left_out[group, 0] == pytest.approx(expected, abs=1e-12)
    macro = interval(found).macro
    assert macro.value == pytest.approx(found.value.mean())
    expected = shape(macro.value, found.draws.mean(axis=1), found.left_out.mean(axis=1))
    assert (macro.low, macro.high) == percentile_bounds(found.draws.mean(axis=1), 0.95, expected)


def test_kept_weights_are_those_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, truth, patients = sample()
    kept = [resample(auroc, scores, truth, patients, 30, seed) for seed in (0, 0, 1)]
    monkeypatch.setattr(module, "_KEPT_VALUES", 0)
    anew = [resample(auroc, scores, truth, patients, 30, seed) for seed in (0, 0, 1)]
    for one, other in zip(kept, anew, strict=True):
        np.testing.assert_array_equal(one.draws, other.draws)
        np.testing.assert_array_equal(one.left_out, other.left_out)
    assert (kept[0].draws != kept[2].draws).any()


def test_many_patients_are_left_out_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of whole patients, every patient once, and the interval hardly moves."""
    scores, truth, patients = sample(400, 1)
    whole = bootstrap(auroc, scores, truth, patients).macro
    monkeypatch.setattr(module, "_GROUPS", 60)
    module._kept.cache_clear()
    weights = np.concatenate(list(left_out_weights(patients, 0)), axis=1)
    assert weights.shape == (400, 60)
    assert set((weights == 0).sum(axis=1)) == {1}
    assert set((weights == 0).sum(axis=0)) <= {6, 8}
    grouped = bootstrap(auroc, scores, truth, patients).macro
    assert (grouped.low, grouped.high) == pytest.approx((whole.low, whole.high), abs=0.003)


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


def test_paired_difference_is_that_of_the_draws() -> None:
    scores, truth, patients = sample()
    better = scores + truth
    first, second = (resample(auroc, s, truth, patients) for s in (better, scores))
    gap = difference(first, second)
    expected = (first.draws - second.draws).mean(axis=1)
    assert gap.macro.value == pytest.approx((first.value - second.value).mean())
    plain = np.quantile(expected, [0.025, 0.975])
    assert (gap.macro.low, gap.macro.high) == pytest.approx(tuple(plain), abs=0.02)
    assert gap.macro.high - gap.macro.low > plain[1] - plain[0]
    assert gap.macro.low > 0
    assert gap.macro.p < 0.01


def test_a_mean_over_models_is_taken_inside_each_resample() -> None:
    scores, truth, patients = sample()
    other = sample(seed=5)[0]
    apart = [resample(auroc, part, truth, patients, 50) for part in (scores, other)]
    together = resample(auroc, np.stack([scores, other]), truth, patients, 50)
    mean = combined(apart, [0.5, 0.5])
    for one, both in ((mean.draws, together.draws), (mean.left_out, together.left_out)):
        np.testing.assert_allclose(one, both)
    assert interval(mean).macro.low == pytest.approx(interval(together).macro.low)


def test_the_same_model_twice_differs_by_nothing() -> None:
    scores, truth, patients = sample()
    one = resample(average_precision, scores, truth, patients)
    gap = difference(one, one).macro
    assert (gap.value, gap.low, gap.high, gap.p) == (0, 0, 0, 1)


def test_an_undefined_label_stays_out_of_the_mean() -> None:
    scores, truth, patients = sample()
    truth[:, 1] = 0
    found = bootstrap(auroc, scores, truth, patients)
    assert np.isnan(found.labels[1].value)
    assert found.labels[1].undefined == 1000
    assert found.labels[1].note == "none of the 60 labelled studies is positive"
    assert found.macro.note == "1 of 3 labels are undefined and left out"
    assert found.macro.value == pytest.approx(auroc(scores, truth)[[0, 2]].mean())


def test_resamples_that_lose_a_class_are_counted() -> None:
    scores, truth, patients = sample(labels=1)
    truth[:] = 0
    truth[0] = 1
    found = bootstrap(auroc, scores, truth, patients).labels[0]
    assert 250 < found.undefined < 500  # (1 - 1/30) ** 30 = 0.36
    assert found.note == "a class rests on one patient: the interval is not to be trusted"


def test_shares_have_wilsons_interval_also_at_one() -> None:
    """Every resample of 12 right answers in 12 is 1, which would claim certainty."""
    truth = np.repeat([1.0, 0.0], [12, 28])[:, None]
    people = [str(row) for row in range(40)]
    found = bootstrap(sensitivity, truth, truth, people).labels[0]
    assert (found.low, found.high) == pytest.approx((1 / (1 + 1.959964**2 / 12), 1))
    wrong = np.where(np.arange(40)[:, None] < 3, 0.0, truth)
    found = bootstrap(sensitivity, wrong, truth, people).labels[0]
    assert (found.low, found.high) == pytest.approx(wilson_bounds(0.75, 12, 0.95), abs=0.01)
    couples = bootstrap(sensitivity, wrong, truth, [str(row // 4) for row in range(40)]).labels[0]
    assert couples.low < found.low < found.high < couples.high
    one_with_most = [str(max(0, row - 8)) for row in range(40)]
    kish = 12**2 / (9**2 + 3)
    found = bootstrap(sensitivity, truth, truth, one_with_most).labels[0]
    assert (found.low, found.high) == pytest.approx(wilson_bounds(1.0, kish, 0.95))


def test_equal_values_in_every_resample_are_noted() -> None:
    _, truth, patients = sample(labels=1)
    found = bootstrap(auroc, truth, truth, patients).macro
    assert (found.low, found.value, found.high) == (1, 1, 1)
    assert found.note == "every resample gave the same value"


def test_unequal_inputs_are_refused() -> None:
    scores, truth, patients = sample()
    with pytest.raises(EvaluationError, match="60 studies but 59 patient ids"):
        resample(auroc, scores, truth, patients[:-1])
    with pytest.raises(EvaluationError, match="same studies, labels and resamples"):
        difference(
            resample(auroc, scores, truth, patients, 10),
            resample(auroc, scores, truth, patients, 20),
        )


def test_a_mean_of_shares_does_not_claim_certainty() -> None:
    """All right, of one defined label or of three: the resamples alone would say 1 to 1."""
    truth = np.zeros((40, 3))
    truth[:12] = 1
    people = [str(row) for row in range(40)]
    found = bootstrap(sensitivity, truth, truth, people, 200)
    assert found.macro.low == pytest.approx(found.labels[0].low)
    assert 0.7 < found.macro.low < 0.8
    assert (found.macro.high, found.macro.note) == (1, None)
    truth[:, 1:] = 0
    one = bootstrap(sensitivity, truth, truth, people, 200)
    assert (one.macro.low, one.macro.high) == (one.labels[0].low, one.labels[0].high)
    assert one.macro.note == "2 of 3 labels are undefined and left out"
    truth[:15, 1] = 1
    wrong = truth.copy()
    wrong[3:9, 1] = 0
    varied = resample(sensitivity, wrong, truth, people, 200)
    mean = interval(varied).macro
    assert mean.low < mean.value < mean.high
    assert mean.low > np.mean([part.low for part in interval(varied).labels[:2]])
