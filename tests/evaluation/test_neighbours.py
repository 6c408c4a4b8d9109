from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier

from evaluation.cohorts import NAMES, cohort
from radpair.errors import EvaluationError
from radpair.evaluation.budgets import label_budget
from radpair.evaluation.neighbours import fit_neighbours, knn_auroc, knn_probe


def slow_vote(query, codes, truth, k: int, mine=None, people=None) -> float:
    """One study, one vote after another."""
    near = []
    for index, code in enumerate(codes):
        if people is None or people[index] != mine:
            cosine = query @ code / np.linalg.norm(query) / np.linalg.norm(code)
            near.append((cosine, truth[index]))
    near.sort(key=lambda pair: -pair[0])
    weights = [np.exp(cosine / 0.07) for cosine, _ in near[:k]]
    return sum(w * t for w, (_, t) in zip(weights, near, strict=False)) / sum(weights)


def test_votes_and_the_choice_of_k_equal_a_slow_loop() -> None:
    encoders, truth, patients, _ = cohort()
    features, truth = encoders["good"], truth.copy()
    truth[::6, 1] = np.nan
    found = fit_neighbours(features[:60], truth[:60], patients[:60], [1, 4, 9])
    for label in range(3):
        rows = np.flatnonzero(~np.isnan(truth[:60, label]))
        people = [patients[row] for row in rows]
        areas = []
        for k in (1, 4, 9):
            votes = [
                slow_vote(
                    features[row], features[rows], truth[rows, label], k, patients[row], people
                )
                for row in rows
            ]
            areas.append(roc_auc_score(truth[rows, label], votes))
            if k == found.chosen[label]:
                np.testing.assert_allclose(found.cross_fitted[rows, label], votes, atol=1e-4)
        assert areas[[1, 4, 9].index(int(found.chosen[label]))] == pytest.approx(max(areas))
        expected = [
            slow_vote(row, features[rows], truth[rows, label], int(found.chosen[label]))
            for row in features[100:120]
        ]
        np.testing.assert_allclose(found.score(features[100:120])[:, label], expected, atol=1e-4)
    assert np.isnan(found.cross_fitted[::6, 1]).all()


def test_the_nearest_are_those_of_scikit_learn() -> None:
    encoders, truth, patients, _ = cohort()
    features = encoders["good"]
    found = fit_neighbours(features[:100], truth[:100], patients[:100], [7])
    oracle = KNeighborsClassifier(7, metric="cosine", weights=lambda d: np.exp((1 - d) / 0.07))
    oracle.fit(features[:100], truth[:100, 0])
    expected = oracle.predict_proba(features[100:])[:, 1]
    np.testing.assert_allclose(found.score(features[100:])[:, 0], expected, atol=1e-4)


def test_a_good_encoder_is_told_from_a_random_one() -> None:
    results = knn_probe(*cohort(), NAMES, fractions=(0.2, 1.0), draws=3, resamples=200)
    good, random = (results.row(name, 1.0) for name in ("good", "random"))
    assert good.metrics["auroc"].macro.low > random.metrics["auroc"].macro.high
    assert [row.studies for row in results.rows] == [20, 20, 100, 100]
    found = results.to_json()
    assert found["schema"] == "radpair.knn/1"
    json.dumps(found, allow_nan=False)


def test_labels_outside_the_budget_and_of_the_test_split_change_nothing() -> None:
    features, truth, patients, splits = cohort()
    inside = label_budget(patients[:100], 0.2, 0, 0)
    hidden = np.setdiff1d(np.arange(100), inside)
    spoiled = truth.copy()
    spoiled[hidden] = 1 - spoiled[hidden]
    plain, altered = (
        knn_probe(features, labels, patients, splits, NAMES, (0.2,), draws=1, resamples=20)
        for labels in (truth, spoiled)
    )
    assert plain.rows == altered.rows
    tested = truth.copy()
    tested[100:] = 1 - tested[100:]
    turned = knn_probe(features, tested, patients, splits, NAMES, (0.2,), draws=1, resamples=20)
    for one, two in zip(plain.rows, turned.rows, strict=True):
        assert one.penalties == two.penalties
        assert one.metrics["auroc"].macro.value == pytest.approx(
            1 - two.metrics["auroc"].macro.value
        )


def test_leaks_and_misfits_are_refused() -> None:
    features, truth, patients, splits = cohort()
    with pytest.raises(EvaluationError, match="patient 'p3' is among both"):
        knn_probe(features, truth, [*patients[:-1], "p3"], splits, NAMES)
    with pytest.raises(EvaluationError, match="numbers of neighbours"):
        knn_probe(features, truth, patients, splits, NAMES, neighbours=[0])
    with pytest.raises(EvaluationError, match="at least one encoder"):
        knn_probe(features, truth, patients, splits, NAMES, draws=0)


def test_one_patient_and_one_class_are_answered_plainly() -> None:
    features, truth, _, splits = cohort()
    truth[:100, 1] = 0
    alone = ["one"] * 100 + [f"p{i}" for i in range(80)]
    results = knn_probe(features, truth, alone, splits, NAMES, (1.0,), resamples=20)
    row = results.row("good", 1.0)
    assert row.constant == [{"draw": 0, "label": "Mass", "reason": "no positive"}]
    assert np.isnan(row.metrics["auroc"].labels["Mass"].value)


def test_the_scheduled_form_is_the_same_vote() -> None:
    features, truth, patients, splits = cohort()
    truth = truth.copy()
    truth[100:, 2] = 0
    splits = np.where(splits == "test", "validate", splits)
    found = knn_auroc(features["good"], truth, patients, splits, NAMES, neighbours=9)
    whole = fit_neighbours(features["good"][:100], truth[:100], patients[:100], [9])
    votes = whole.score(features["good"][100:])
    assert found["Edema"] == pytest.approx(roc_auc_score(truth[100:, 0], votes[:, 0]))
    assert np.isnan(found["Nodule"])
    assert found["mean"] == pytest.approx((found["Edema"] + found["Mass"]) / 2)
