"""Intervals over patients and draws of labels together."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evaluation.cohorts import NAMES, cohort
from radpair.evaluation.bootstrap import Interval
from radpair.evaluation.linear import linear_probe
from radpair.evaluation.over_draws import spread, total
from radpair.evaluation.paired import holm
from radpair.evaluation.results import Row
from radpair.evaluation.tables import draws_table

PATIENTS = Interval(0.8, 0.7, 0.85, None, 3, "a note")


def test_the_total_of_symmetric_sources_is_the_root_of_their_squares() -> None:
    each = np.array([0.78, 0.82, 0.79, 0.81, 0.80])
    error = stats.sem(each) * stats.t.ppf(0.975, 4)
    found = total(PATIENTS, each)
    assert found.low == pytest.approx(0.8 - (0.1**2 + error**2) ** 0.5)
    assert found.high == pytest.approx(0.8 + (0.05**2 + error**2) ** 0.5)
    assert (found.value, found.undefined, found.note) == (0.8, 3, "a note")


def test_the_total_holds_the_patients_interval_and_stays_in_range() -> None:
    assert total(PATIENTS, np.array([0.8])) == PATIENTS
    assert total(PATIENTS, np.array([0.8, 0.8, np.nan])) == PATIENTS
    wide = total(PATIENTS, np.array([0.1, 0.9]))
    assert (wide.low, wide.high) == (0.0, 1.0)
    assert total(PATIENTS, np.array([0.1, 0.9]), bounds=(-1, 1)).low == -1.0
    assert np.isnan(spread(np.array([0.4])))


def test_the_total_covers_the_truth_where_patients_alone_do_not() -> None:
    """Simulated: a value with an error from patients and a larger one from five draws."""
    rng = np.random.default_rng(0)
    held = {"patients": 0, "total": 0}
    for _ in range(2000):
        common = rng.normal(scale=0.01)
        each = 0.5 + common + rng.normal(scale=0.04, size=5)
        value = float(each.mean())
        alone = Interval(value, value - 1.96 * 0.01, value + 1.96 * 0.01)
        whole = total(alone, each)
        held["patients"] += alone.low <= 0.5 <= alone.high
        held["total"] += whole.low <= 0.5 <= whole.high
    assert held["patients"] / 2000 < 0.75
    assert 0.93 < held["total"] / 2000 < 0.985


def one_draw(row: Row) -> tuple[dict[str, float | None], dict[str, Interval]]:
    """Of all labels there is one draw, and so no total."""
    gap = row.differences["auroc"]
    assert gap.total is None
    return gap.holm, gap.labels


def test_a_probe_keeps_both_intervals_and_the_table_names_them() -> None:
    results = linear_probe(
        *cohort(), NAMES, fractions=[0.2, 1.0], draws=3, penalties=[10.0], resamples=100
    )
    few, whole = results.row("good", 0.2), results.row("good", 1.0)
    for row, kept in ((few, few.metrics), (few, few.differences)):
        found = kept["auroc"]
        assert found.spread == pytest.approx(np.std(found.draws, ddof=1))
        assert len(found.draws) == row.draws == 3
        assert found.total.macro.value == pytest.approx(found.macro.value)
        assert set(found.total.labels) == set(NAMES)
    alone, both = few.metrics["auroc"].macro, few.metrics["auroc"].total.macro
    assert both.low < alone.low
    assert both.high > alone.high
    gap = few.differences["auroc"]
    assert gap.total.macro.p < 0.5
    assert gap.macro.p is None
    assert {one.p for one in gap.labels.values()} == {None}
    assert gap.holm == {}
    for found, labels in ((gap.total.holm, gap.total.labels), (one_draw(whole))):
        assert found == dict(zip(labels, holm([one.p for one in labels.values()]), strict=True))
        assert None not in found.values()
    assert whole.metrics["auroc"].total is None
    kept = results.to_json()["rows"][1]["metrics"]["auroc"]
    assert kept["total"]["macro"]["low"] == both.low
    told = draws_table(results)
    assert "95% over patients" in told
    line = " ".join(told.splitlines()[3].split())
    assert line.endswith(
        f"{few.metrics['auroc'].spread:.3f} of 3 [{both.low:.3f}, {both.high:.3f}]"
    )
    assert "one draw" in told
