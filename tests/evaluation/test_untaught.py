"""Labels that a budget cannot teach."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from radpair.comparison.compared_figures import _same_labels
from radpair.comparison.measured import Scored, measure, sample_of
from radpair.evaluation.linear import linear_probe
from radpair.evaluation.results import Results
from radpair.evaluation.tables import differences_table, draws_table, linear_table
from radpair.evaluation.untaught import first_reasons, untaught

NAMES = ("Edema", "Mass", "Nodule")
STUDIES, TRAIN = 120, 60


@pytest.fixture(scope="module")
def results() -> Results:
    """Edema can be learned; Mass has no positive in training, Nodule neither class."""
    rng = np.random.default_rng(0)
    truth = (rng.random((STUDIES, 3)) < 0.5).astype(float)
    truth[:TRAIN, 1] = 0
    truth[:TRAIN, 2] = np.nan
    features = rng.normal(size=(STUDIES, 4)) + truth[:, :1]
    patients = [f"p{n}" for n in range(STUDIES)]
    splits = ["train"] * TRAIN + ["test"] * (STUDIES - TRAIN)
    models = {"random": rng.normal(size=(STUDIES, 4)), "good": features}
    return linear_probe(models, truth, patients, splits, NAMES, [0.5, 1.0], 2, resamples=100)


def test_defect_a_label_without_positives_counted_as_a_half(results: Results) -> None:
    for row in results.rows:
        for name in ("auroc", "average_precision", "mcc", "f1", "sensitivity"):
            metric = row.metrics[name]
            assert metric.macro.value == pytest.approx(metric.labels["Edema"].value)
            assert metric.macro.low == pytest.approx(metric.labels["Edema"].low, abs=0.02)
            assert np.isnan(metric.labels["Mass"].value)
        assert row.metrics["auroc"].labels["Mass"].note == "not learned: no positive in training"
        assert "2 of 3 labels are undefined" in str(row.metrics["auroc"].macro.note)
    gap = results.row("good", 1.0).differences["auroc"]
    assert gap.macro.value == pytest.approx(gap.labels["Edema"].value)


def test_tables_say_over_how_many_labels_and_why(results: Results) -> None:
    for table in (draws_table(results), linear_table(results)):
        assert "mean over 1 of 3 labels" in table
    told = draws_table(results)
    assert "undefined and in no mean: Mass (not learned: no positive in training)" in told
    assert "Nodule (not learned: no label given in training)" in told
    assert "some draws" not in told


def test_a_comparison_leaves_the_same_labels_out() -> None:
    rng = np.random.default_rng(1)
    truth = (rng.random((80, 2)) < 0.5).astype(float)
    scores = rng.random((1, 80, 2))
    facts: dict[str, Any] = {"constant": [{"draw": 0, "label": "Mass", "reason": "no positive"}]}
    patients = [f"p{n}" for n in range(80)]
    scored = Scored(("Edema", "Mass"), scores, scores > 0.5, facts)
    unit = measure(scored, truth, patients, 100, 0)
    for metric in ("auroc", "mcc"):
        found = sample_of(unit, metric)
        assert np.isnan(found.value).tolist() == [False, True]
        assert found.notes[1] == "not learned: no positive in training"


def test_a_label_that_some_draws_teach_stays() -> None:
    one = {"label": "Mass", "reason": "no positive"}
    some = [{"draw": 0, **one}]
    assert untaught(some, NAMES, 2) == (None, None, None)
    every = [*some, {"draw": 1, **one}]
    why = "not learned: no positive in training"
    assert untaught(every, NAMES, 2) == (None, why, None)
    assert first_reasons((None, "a"), ("b", "c")) == ("b", "a")


def test_defect_labels_needed_compared_means_over_other_labels() -> None:
    rng = np.random.default_rng(2)
    truth = (rng.random((80, 2)) < 0.5).astype(float)
    patients = [f"p{n}" for n in range(80)]
    scores = rng.random((1, 80, 2))
    constant = [{"draw": 0, "label": "Mass", "reason": "no positive"}]
    units = [
        measure(Scored(("Edema", "Mass"), scores, scores > 0.5, facts), truth, patients, 100, 0)
        for facts in ({"constant": constant}, {"constant": []})
    ]
    assert _same_labels(units[0], units[0])
    assert not _same_labels(*units)


def test_defect_differences_were_in_the_file_alone(results: Results) -> None:
    told = differences_table(results).splitlines()
    assert told[0].startswith("AUROC minus random")
    gap = results.row("good", 1.0).differences["auroc"].macro
    assert f"{gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]" in told[3]
    assert "Paired by patient" in told[-1]
