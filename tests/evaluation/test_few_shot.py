from __future__ import annotations

import json

import numpy as np
import pytest

from evaluation.cohorts import NAMES, cohort
from radpair.errors import EvaluationError
from radpair.evaluation.few_shot import SHOTS, few_shot_probe, shot_level
from radpair.evaluation.protocol import make_task
from radpair.evaluation.tables import decisions_table, draws_table


def test_the_issue_asks_for_these_shots() -> None:
    assert SHOTS == (1, 2, 4, 5, 8, 16, 32)


def test_a_draw_has_k_patients_a_class() -> None:
    _, truth, patients, splits = cohort()
    task = make_task(truth, patients, splits, NAMES)
    levels = [shot_level(task, shots, 5, seed=3) for shots in (2, 5)]
    for level, shots in zip(levels, (2, 5), strict=True):
        for budget in level.budgets:
            assert (budget.rows < 100).all()
            assert (budget.truth == 1).sum(axis=0).tolist() == [shots] * 3
            assert (budget.truth == 0).sum(axis=0).tolist() == [shots] * 3
            for label in range(3):
                people = task.patients[budget.rows[~np.isnan(budget.truth[:, label])]]
                assert len(set(people)) == 2 * shots
    few, more = (level.budgets[1] for level in levels)
    for label in range(3):
        raised = [set(budget.rows[budget.truth[:, label] == 1]) for budget in (few, more)]
        assert raised[0] < raised[1]
    assert set(levels[0].budgets[0].rows) != set(levels[0].budgets[1].rows)


def test_more_shots_say_more_and_the_shape_is_that_of_the_linear_probe() -> None:
    results = few_shot_probe(*cohort(), NAMES, shots=(1, 8), draws=5, resamples=100)
    found = results.to_json()
    assert found["schema"] == "radpair.few-shot/1"
    assert [(row["model"], row["shots"], row["draws"]) for row in found["rows"]] == [
        ("random", 1, 5),
        ("good", 1, 5),
        ("random", 8, 5),
        ("good", 8, 5),
    ]
    one, eight = (row for row in results.rows if row.model == "good")
    assert one.fraction < eight.fraction < 1
    assert one.metrics["auroc"].macro.value < eight.metrics["auroc"].macro.value
    assert eight.differences["auroc"].macro.low > 0
    json.dumps(found, allow_nan=False)


def test_studies_outside_the_draw_change_nothing() -> None:
    """Defect 14: penalty, standardisation, weights and thresholds come from the draw alone."""
    features, truth, patients, splits = cohort()
    task = make_task(truth, patients, splits, NAMES)
    budget = shot_level(task, 4, 1, 0).budgets[0]
    outside = np.setdiff1d(np.arange(100), budget.rows)
    moved = {name: values.copy() for name, values in features.items()}
    for values in moved.values():
        values[outside] *= 7
    plain, altered = (
        few_shot_probe(codes, truth, patients, splits, NAMES, [4], draws=1, resamples=20)
        for codes in (features, moved)
    )
    assert plain.rows == altered.rows


def test_too_many_shots_and_shared_patients_are_refused() -> None:
    features, truth, patients, splits = cohort()
    with pytest.raises(
        EvaluationError, match=r"no label has 60 training patients.*lower the shots"
    ):
        few_shot_probe(features, truth, patients, splits, NAMES, [60])
    with pytest.raises(EvaluationError, match="patient 'p3' is among both"):
        few_shot_probe(features, truth, [*patients[:-1], "p3"], splits, NAMES, [1])
    with pytest.raises(EvaluationError, match="at least one encoder, K and draw"):
        few_shot_probe(features, truth, patients, splits, NAMES, [])


def test_a_label_with_too_few_patients_is_left_out_of_those_rows_alone() -> None:
    features, truth, patients, splits = cohort()
    rare = truth.copy()
    rare[:100, 1] = 0
    rare[[0, 1, 10, 20], 1] = 1
    given = (patients, splits, NAMES, [2, 8])
    results = few_shot_probe(features, rare, *given, draws=2, resamples=50)
    two, eight = (row for row in results.rows if row.model == "good")
    assert two.left_out == {}
    assert set(two.metrics["auroc"].labels) == set(NAMES)
    assert eight.left_out == {"Mass": "3 training patients with it and 49 without"}
    for found in (eight.metrics, eight.differences):
        assert set(found["auroc"].labels) == {"Edema", "Nodule"}
    without = [0, 2]
    alone = few_shot_probe(
        features,
        rare[:, without],
        patients,
        splits,
        [NAMES[i] for i in without],
        [8],
        draws=2,
        resamples=50,
    )
    assert alone.rows[1].metrics == eight.metrics
    told = draws_table(results)
    assert told.count("K = 8 is without Mass: 3 training patients with it") == 1
    assert results.to_json()["rows"][-1]["left_out"]["Mass"]


def many(seed: int = 0):
    """One study a patient, one finding that the features show well."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((700, 1)) < 0.3).astype(float)
    features = rng.normal(size=(700, 32)).astype(np.float32)
    features[:, :8] += 1.2 * truth
    splits = np.where(np.arange(700) < 400, "train", "test")
    return {"one": features}, truth, [str(i) for i in range(700)], splits


def test_few_shots_decide_by_folds_that_hold_both_classes() -> None:
    """A fold of one class, scored by a probe of mostly the other, put the threshold at an end."""
    given = many()
    results = few_shot_probe(*given, ["A"], (2, 3, 4, 8), draws=20, resamples=100)
    for row in results.rows:
        told = {name: one.macro.value for name, one in row.metrics.items()}
        assert told["mcc"] > 0.1, row.shots
        assert abs(told["sensitivity"] - told["specificity"]) < 0.35, row.shots


def test_one_patient_a_class_chooses_no_threshold() -> None:
    results = few_shot_probe(*many(), ["A"], (1, 2), draws=4, resamples=100)
    one, two = results.rows
    for name in ("mcc", "f1", "sensitivity", "specificity"):
        assert np.isnan(one.metrics[name].macro.value)
        assert one.metrics[name].labels["A"].note == (
            "no threshold in 4 of 4 draws: only one training patient with it"
        )
        assert not np.isnan(two.metrics[name].macro.value)
    assert one.metrics["auroc"].macro.value > 0.5
    found = results.to_json()
    assert found["rows"][0]["metrics"]["mcc"]["macro"]["value"] is None
    assert "at K = 1 not decided: A (no threshold in 4 of 4 draws" in decisions_table(results)
