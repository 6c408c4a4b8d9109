"""One test for every difference, with no floor below which no p-value can fall."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from radpair.comparison.tested import UNVARIED, Runs, difference
from radpair.evaluation.bootstrap import Resampled, resample
from radpair.evaluation.intervals import shape
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
    df = shape(float(value), draws, (ours.left_out - theirs.left_out)[:, 0]).df
    error = np.sqrt(draws.var(ddof=1) * (df + 1) / df)
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


def test_one_run_is_several_equal_runs() -> None:
    ours, theirs = samples(0.5, labels=3)
    values, draws = ours.value - theirs.value, ours.draws - theirs.draws
    runs = Runs(np.stack([values] * 4), np.stack([draws] * 4))
    one, several = difference(ours, theirs, 0.95), difference(ours, theirs, 0.95, runs)
    assert several.macro.p == pytest.approx(one.macro.p)
    assert several.labels[0].low == pytest.approx(one.labels[0].low)


def test_draws_that_differ_widen_the_interval() -> None:
    ours, theirs = samples(0.5)
    values, draws = ours.value - theirs.value, ours.draws - theirs.draws
    moved = np.array([[-0.1], [0.1], [-0.1], [0.1]])
    runs = Runs(values + moved, np.stack([draws] * 4) + moved[:, None])
    plain, wider = difference(ours, theirs, 0.95).macro, difference(ours, theirs, 0.95, runs).macro
    error = (wider.high - wider.low) / (plain.high - plain.low)
    assert error > 1.2
    assert wider.p > plain.p


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
