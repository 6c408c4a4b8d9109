"""One test for every difference, with no floor below which no p-value can fall."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from radpair.evaluation.bootstrap import Resampled, resample
from radpair.evaluation.differences import LONE_RUN, UNVARIED, Runs, difference, runs_of
from radpair.evaluation.intervals import effective_patients
from radpair.evaluation.paired import holm
from radpair.evaluation.statistics import auroc


def samples(shift: float, labels: int = 1, resamples: int = 200) -> tuple[Resampled, Resampled]:
    """A model that is ``shift`` deviations better than noise, and noise."""
    rng = np.random.default_rng(3)
    truth = (rng.random((300, labels)) < 0.3).astype(float)
    people = [f"p{row // 2}" for row in range(300)]
    scores = (rng.normal(size=truth.shape) + shift * truth, rng.normal(size=truth.shape))
    ours, theirs = (resample(auroc, one, truth, people, resamples, 0) for one in scores)
    return ours, theirs


def test_p_and_interval_are_students_over_the_resampled_error() -> None:
    ours, theirs = samples(0.4)
    found = difference(ours, theirs, 0.95).macro
    value, draws = ours.value[0] - theirs.value[0], (ours.draws - theirs.draws)[:, 0]
    left_out = (ours.left_out - theirs.left_out)[:, 0]
    influence = left_out - left_out.mean()
    df = 3 * (influence**2).sum() ** 2 / (influence**4).sum() - 1
    assert 20 < df < len(left_out) - 1
    error = np.sqrt(draws.var(ddof=1) * len(left_out) / (len(left_out) - 1))
    assert found.p == pytest.approx(2 * student.sf(abs(value) / error, df))
    assert found.low == pytest.approx(value - student.ppf(0.975, df) * error)
    at_p = difference(ours, theirs, 1 - found.p).macro
    assert min(abs(at_p.low), abs(at_p.high)) < 1e-12


def test_an_enormous_effect_holds_over_forty_labels_and_few_resamples() -> None:
    """A p-value counted off 200 resamples is at least 0.01, and 0.4 after Holm's correction."""
    ours, theirs = samples(3.0, labels=40)
    found = difference(ours, theirs, 0.95)
    corrected = holm([one.p for one in found.labels])
    assert max(p for p in corrected if p is not None) < 0.001
    assert found.macro.p is not None
    assert found.macro.p < 1e-12


def test_influences_count_alike_whether_all_patients_have_one_or_few() -> None:
    rng = np.random.default_rng(1)
    few = rng.normal(size=4000)
    among_many = np.concatenate([few, np.zeros(36_000)])
    assert effective_patients(0.0, few) == pytest.approx(4000, rel=0.1)
    assert effective_patients(0.0, among_many) == pytest.approx(4000, rel=0.1)
    assert effective_patients(0.5, np.full(9, 0.5)) == np.inf


def test_it_is_students_paired_t_test_of_patients_means() -> None:
    """Of a share whose differences are normal: SciPy's test, but for the resamples' own error."""
    rng = np.random.default_rng(8)
    each = rng.normal(0.3, 1, size=(40, 1))
    weights = rng.multinomial(40, np.full(40, 1 / 40), size=20_000) / 40
    left_out = (each.sum() - each) / 39
    ours = Resampled(each.mean(axis=0), weights @ each, left_out)
    theirs = Resampled(np.zeros(1), np.zeros((20_000, 1)), np.zeros((40, 1)))
    found, expected = difference(ours, theirs).macro, ttest_1samp(each[:, 0], 0)
    assert found.p == pytest.approx(expected.pvalue, rel=0.1)
    ends = tuple(expected.confidence_interval(0.95))
    assert (found.low, found.high) == pytest.approx(ends, abs=0.02)


def test_one_run_is_several_equal_runs() -> None:
    ours, theirs = samples(0.5, labels=3)
    values, draws = ours.value - theirs.value, ours.draws - theirs.draws
    runs = Runs(np.stack([values] * 4), np.stack([draws] * 4))
    one, several = difference(ours, theirs, 0.95), difference(ours, theirs, 0.95, runs)
    assert several.macro.p == pytest.approx(one.macro.p)
    assert several.labels[0].low == pytest.approx(one.labels[0].low)


def test_runs_come_from_the_resampled_models_themselves() -> None:
    rng = np.random.default_rng(4)
    truth = (rng.random((60, 2)) < 0.4).astype(float)
    people = [str(row) for row in range(60)]
    first, second = (
        resample(auroc, rng.normal(size=(3, 60, 2)) + truth, truth, people, 50) for _ in range(2)
    )
    found = runs_of(first, second)
    assert found is not None
    np.testing.assert_allclose(found.values.mean(axis=0), first.value - second.value)
    np.testing.assert_allclose(found.resampled.mean(axis=0), first.draws - second.draws)
    alone = resample(auroc, truth, truth, people, 50)
    assert runs_of(first, alone) is runs_of(alone, alone) is None


def test_draws_that_differ_widen_the_interval() -> None:
    ours, theirs = samples(0.5)
    values, draws = ours.value - theirs.value, ours.draws - theirs.draws
    moved = np.array([[-0.1], [0.1], [-0.1], [0.1]])
    runs = Runs(values + moved, np.stack([draws] * 4) + moved[:, None])
    plain, wider = difference(ours, theirs, 0.95).macro, difference(ours, theirs, 0.95, runs).macro
    error = (wider.high - wider.low) / (plain.high - plain.low)
    assert error > 1.2
    assert wider.p > plain.p


def test_two_runs_that_happen_to_lie_close_prove_nothing() -> None:
    """Their spread adds nothing then, but the degrees of freedom stay few."""
    ours, theirs = samples(0.5)
    rng = np.random.default_rng(2)
    scattered = ours.draws + 0.2 * rng.normal(size=(2, *ours.draws.shape))
    runs = Runs(np.stack([ours.value] * 2), scattered)
    same = difference(ours, theirs, 0.95).macro
    found = difference(ours, theirs, 0.95, own=(runs, runs)).macro
    reach = (found.high - found.low) / (same.high - same.low)
    assert reach > 1.05
    assert found.p > same.p


def test_a_lone_run_takes_the_others_scatter_and_no_test() -> None:
    ours, theirs = samples(0.5)
    moved = np.array([[-0.1], [0.0], [0.1]])
    runs = Runs(ours.value + moved, np.stack([ours.draws] * 3) + moved[:, None])
    found = difference(ours, theirs, 0.95, own=(runs, None)).macro
    both = difference(ours, theirs, 0.95, own=(runs, runs)).macro
    assert (found.p, found.note) == (None, LONE_RUN)
    assert found.high - found.low > both.high - both.low
    assert both.p is not None


def test_a_difference_that_never_varies_has_no_test() -> None:
    value, draws = np.array([1.0]), np.ones((50, 1))
    zero = Resampled(np.zeros(1), np.zeros((50, 1)))
    found = difference(Resampled(value, draws), zero, 0.95).macro
    assert (found.low, found.high, found.p, found.note) == (1, 1, None, UNVARIED)
    assert difference(zero, zero, 0.95).macro.p == 1


def test_without_influences_the_patients_bound_the_degrees_of_freedom() -> None:
    rng = np.random.default_rng(0)
    ours = Resampled(np.array([0.2]), 0.2 + 0.1 * rng.normal(size=(500, 1)))
    theirs = Resampled(np.zeros(1), np.zeros((500, 1)))
    few = difference(ours, theirs, 0.95, patients=5).macro
    many = difference(ours, theirs, 0.95, patients=5000).macro
    assert few.p > many.p
    assert few.low < many.low
