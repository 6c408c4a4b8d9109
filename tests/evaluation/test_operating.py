"""Operating points: how they are asked for, where they come from, what they decide."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, recall_score, top_k_accuracy_score

from evaluation.cohorts import NAMES, cohort
from radpair.errors import EvaluationError
from radpair.evaluation.linear import linear_probe
from radpair.evaluation.metrics import accuracies, exclude_each_other
from radpair.evaluation.operating import from_validation, point_words, read_point
from radpair.evaluation.tables import decisions_table

QUICK = {"draws": 2, "resamples": 100, "penalties": [10.0]}


@pytest.mark.parametrize(
    ("text", "found", "words"),
    [
        ("mcc", ("mcc", None), "the best MCC"),
        ("youden", ("youden", None), "the best sum of sensitivity and specificity"),
        ("sensitivity=0.9", ("sensitivity", 0.9), "specificity at a sensitivity of 0.9 or more"),
    ],
)
def test_points_are_read_and_told(text: str, found: tuple, words: str) -> None:
    assert read_point(text) == found
    assert words in point_words(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mc", "did you mean 'mcc'"),
        ("mcc=0.5", "write 'mcc' alone"),
        ("sensitivity", "as in sensitivity=0.9"),
        ("specificity=2", "above 0, at most at 1"),
        ("specificity=x", "above 0, at most at 1"),
    ],
)
def test_other_points_are_refused(text: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        read_point(text)


def test_a_probe_reaches_about_the_sensitivity_asked_for() -> None:
    given = cohort()
    results = {
        point: linear_probe(*given, NAMES, [1.0], **QUICK, operating_point=point).rows[0].metrics
        for point in ("mcc", "sensitivity=0.95", "specificity=0.95")
    }
    high, low = results["sensitivity=0.95"], results["specificity=0.95"]
    assert high["sensitivity"].macro.value > results["mcc"]["sensitivity"].macro.value
    assert high["sensitivity"].macro.value > 0.85
    assert low["specificity"].macro.value > 0.85
    assert low["sensitivity"].macro.value < high["sensitivity"].macro.value
    assert high["auroc"].macro.value == results["mcc"]["auroc"].macro.value


def test_the_table_has_sensitivity_and_specificity() -> None:
    results = linear_probe(*cohort(), NAMES, [0.5], **QUICK)
    told = decisions_table(results)
    value = results.rows[0].metrics["sensitivity"].macro.value
    assert f"{value:.3f}" in told
    assert "Operating point: the best MCC on out-of-fold scores" in told
    assert results.to_json()["settings"]["operating_point"] == "mcc"


def validated(seed: int = 0):
    rng = np.random.default_rng(seed)
    truth = (rng.random((120, 2)) < 0.4).astype(float)
    truth[:60, 1] = 0
    scores = truth + rng.normal(size=truth.shape)
    patients = np.array([f"p{i // 2}" for i in range(120)])
    return scores, truth, patients, np.arange(60), np.arange(60, 120), NAMES[:2]


def test_validation_alone_chooses() -> None:
    scores, truth, patients, validation, tested, names = validated()
    found = from_validation(scores, truth, patients, validation, tested, names)
    assert found is not None
    cut = found.facts["thresholds"][names[0]]
    np.testing.assert_array_equal(found.decisions[:, 0], scores[tested, 0] >= cut)
    assert found.why_not[0] is None
    assert "in the split 'validate' none of the 60 labelled studies is positive" in found.why_not[1]
    assert found.facts["missing"] == {names[1]: found.why_not[1]}
    other = scores.copy()
    other[tested] += 9
    again = from_validation(other, truth, patients, validation, tested, names)
    assert again is not None
    assert again.facts["thresholds"][names[0]] == cut
    assert from_validation(scores, truth, patients, tested[:0], tested, names) is None
    with pytest.raises(EvaluationError, match="studies that choose thresholds"):
        from_validation(scores, truth, patients, np.arange(61), tested, names)


def test_accuracies_only_of_classes_that_exclude_each_other() -> None:
    truth = np.eye(4)[np.random.default_rng(0).integers(0, 4, 50)]
    assert list(accuracies(truth)) == ["accuracy", "top_2_accuracy", "top_3_accuracy"]
    both = truth.copy()
    both[0] = [1, 1, 0, 0]
    lacking = truth.copy()
    lacking[0, 1] = np.nan
    for other in (both, lacking, np.zeros((5, 3)), truth[:, :1], np.full((5, 3), np.nan)):
        assert accuracies(other) == {}
    unknown = truth.copy()
    unknown[0] = np.nan
    assert exclude_each_other(unknown)


def test_a_probe_of_exclusive_classes_has_accuracies_against_sklearn() -> None:
    rng = np.random.default_rng(1)
    classes = rng.integers(0, 4, 240)
    truth = np.eye(4)[classes]
    features = truth @ rng.normal(size=(4, 8)) + rng.normal(size=(240, 8))
    names, splits = ["a", "b", "c", "d"], np.where(np.arange(240) < 160, "train", "test")
    taken = []
    results = linear_probe(
        {"one": features, "two": features[:, ::-1]},
        *(truth, [f"p{i}" for i in range(240)], splits, names, [1.0]),
        **QUICK,
        on_scores=lambda model, level, scores: taken.append(scores[0]),
    )
    metrics = results.rows[0].metrics
    assert metrics["accuracy"].macro.value == pytest.approx(
        accuracy_score(classes[160:], taken[0].argmax(axis=1))
    )
    assert metrics["top_2_accuracy"].macro.value == pytest.approx(
        top_k_accuracy_score(classes[160:], taken[0], k=2)
    )
    assert list(metrics["accuracy"].labels) == ["all classes"]
    assert results.rows[1].differences["accuracy"].macro.p is not None
    assert "top-2 accuracy" in decisions_table(results)


def test_sensitivity_is_recall_of_the_decisions() -> None:
    rng = np.random.default_rng(3)
    scores, truth, patients, validation, tested, names = validated(3)
    truth[:60, 1] = rng.integers(0, 2, 60)
    found = from_validation(scores, truth, patients, validation, tested, names)
    from radpair.evaluation.metrics import DECIDED

    assert found is not None
    for name, of in (("sensitivity", 1), ("specificity", 0)):
        ours = DECIDED[name](found.decisions, truth[tested], None)
        theirs = [
            recall_score(truth[tested, i], found.decisions[:, i], pos_label=of) for i in range(2)
        ]
        np.testing.assert_allclose(ours, theirs)
