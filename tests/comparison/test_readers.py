from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics as oracle

from radpair.comparison import Model, Panel, compare
from radpair.errors import EvaluationError
from radpair.evaluation.bootstrap import patient_weights, resample
from radpair.evaluation.differences import difference
from radpair.evaluation.paired import holm
from radpair.evaluation.statistics import f1, mcc


@pytest.fixture
def panel(case) -> Panel:
    readers = {name: answers.astype(float) for name, answers in case.readers.items()}
    labels = ("Edema", "Pleural Effusion", "Atelectasis")
    return Panel(labels, case.ids, case.patients, case.truth.astype(float), readers)


def with_model(panel: Panel, case, **options):
    model = Model("synthetic", case.scores, np.array([0.5, 0.6, 0.7]), "given by hand")
    return compare(panel, model, resamples=200, **options)


def value(metric, label=None) -> float:
    return (metric["labels"][label] if label else metric["macro"])["value"]


def without_holm(part: dict) -> dict:
    return {key: value for key, value in part.items() if key != "holm"}


def test_every_figure_equals_scikit_learn(panel, case) -> None:
    found = with_model(panel, case)
    decided = (case.scores >= [0.5, 0.6, 0.7]).astype(int)
    everyone = {one["name"]: one["metrics"] for one in [*found["readers"], found["model"]]}
    scored = {"f1": oracle.f1_score, "mcc": oracle.matthews_corrcoef, "tpr": oracle.recall_score}
    for name, answers in {**case.readers, "synthetic": decided}.items():
        for metric, function in scored.items():
            slow = [function(case.truth[:, i], answers[:, i]) for i in range(3)]
            mine = [value(everyone[name][metric], label) for label in panel.labels]
            assert mine == pytest.approx(slow)
            assert value(everyone[name][metric]) == pytest.approx(np.mean(slow))
        fpr = [1 - oracle.recall_score(1 - case.truth[:, i], 1 - answers[:, i]) for i in range(3)]
        assert [value(everyone[name]["fpr"], x) for x in panel.labels] == pytest.approx(fpr)
    slow = [oracle.roc_auc_score(case.truth[:, i], case.scores[:, i]) for i in range(3)]
    assert [value(found["model"]["metrics"]["auroc"], x) for x in panel.labels] == pytest.approx(
        slow
    )
    mean = np.mean([value(everyone[name]["f1"]) for name in case.readers])
    assert value(found["readers_mean"]["metrics"]["f1"]) == pytest.approx(mean)


def test_differences_are_paired_over_the_same_patients(panel, case) -> None:
    found = with_model(panel, case, seed=5)
    decided = (case.scores >= [0.5, 0.6, 0.7]).astype(float)
    assert [one["reader"] for one in found["differences"]] == [
        "careful",
        "hasty",
        "mean of readers",
    ]
    for metric, function in (("f1", f1), ("mcc", mcc)):
        mine = resample(function, decided, panel.truth, case.patients, 200, 5)
        answers = [
            panel.answers["careful"],
            panel.answers["hasty"],
            np.stack([*panel.answers.values()]),
        ]
        for one, theirs in zip(found["differences"], answers, strict=True):
            other = resample(function, theirs, panel.truth, case.patients, 200, 5)
            expected = difference(mine, other, 0.95)
            shown = one["metrics"][metric]
            assert without_holm(shown["macro"]) == asdict(expected.macro)
            parts = list(shown["labels"].values())
            assert list(map(without_holm, parts)) == [asdict(part) for part in expected.labels]
            assert [part["holm"] for part in parts] == holm([part["p"] for part in parts])
        means = [one["metrics"][metric]["macro"] for one in found["differences"]]
        assert [mean["holm"] for mean in means] == holm([mean["p"] for mean in means])


def test_the_mean_of_readers_is_taken_inside_each_resample(panel, case) -> None:
    """Against a loop that repeats each drawn patient's rows and asks scikit-learn."""
    both = np.stack([*case.readers.values()])
    mine = resample(f1, both, panel.truth, case.patients, 100, 5).draws
    weights = np.concatenate([*patient_weights(case.patients, 100, 5)], axis=1)
    for draw, column in enumerate(weights.T):
        drawn = np.repeat(np.arange(len(column)), column.astype(int))
        slow = [
            np.mean([oracle.f1_score(case.truth[drawn, i], one[drawn, i]) for one in both])
            for i in range(3)
        ]
        assert mine[draw] == pytest.approx(slow)


def test_a_reader_against_a_copy_of_himself_differs_by_nothing(panel, case) -> None:
    twin = Model("twin", case.readers["careful"].astype(float), np.full(3, 0.5), "its own answers")
    found = compare(panel, twin, resamples=100)
    part = found["differences"][0]["metrics"]["mcc"]["macro"]
    assert (part["value"], part["low"], part["high"], part["p"]) == (0, 0, 0, 1)
    assert all(at["side"] == "on" for at in found["points"][0]["labels"].values())


def test_points_are_under_on_or_above(panel, case) -> None:
    perfect = Model("perfect", case.truth + 0.0)
    found = compare(panel, perfect, resamples=100)
    holding = [
        gap["holm"] <= 0.05
        for point in found["points"]
        for gap in point["sensitivity_gap"]["labels"].values()
    ]
    assert found["under_curve"] == {"points": 6, "of": 6, "hold": sum(holding)}
    assert 0 < sum(holding) < 6
    at = found["points"][0]["labels"]["Edema"]
    corner = np.hypot(at["fpr"], 1 - at["tpr"])
    assert 0 < at["distance"] <= corner
    backwards = compare(panel, Model("backwards", -case.truth + 0.0), resamples=100)
    assert backwards["under_curve"]["points"] == 0
    assert backwards["points"][0]["labels"]["Edema"]["distance"] < 0
    assert backwards["under_curve"]["hold"] == 0
    assert any("absence" in warning for warning in backwards["warnings"])


def test_without_thresholds_nothing_of_the_model_is_decided(panel, case) -> None:
    found = compare(panel, Model("synthetic", case.scores), resamples=100)
    assert set(found["model"]["metrics"]) == {"auroc"}
    assert found["differences"] == []
    assert found["model"]["thresholds"] is None


def test_open_answers_leave_a_study_out_for_everybody_and_are_counted(panel, case) -> None:
    truth, hasty = panel.truth.copy(), panel.answers["hasty"].copy()
    truth[:4, 0], truth[4, 0] = np.nan, -1
    hasty[5:7, 0], hasty[0, 0] = np.nan, -1
    opened = Panel(
        panel.labels, panel.ids, panel.patients, truth, {**panel.answers, "hasty": hasty}
    )
    found = with_model(opened, case)
    count = found["counts"]["Edema"]
    assert (count["studies"], count["open_in_truth"], count["open_in_readers"]) == (113, 5, 2)
    rest = slice(7, None)
    for one in found["readers"]:
        slow = oracle.f1_score(case.truth[rest, 0], case.readers[one["name"]][rest, 0])
        assert value(one["metrics"]["f1"], "Edema") == pytest.approx(slow)
    slow = oracle.roc_auc_score(case.truth[rest, 0], case.scores[rest, 0])
    assert value(found["model"]["metrics"]["auroc"], "Edema") == pytest.approx(slow)
    assert sum("left out" in note for note in found["notes"]) == 2
    assert found["counts"]["Atelectasis"]["studies"] == 120


def test_a_label_of_one_class_is_undefined_and_stays_out_of_the_mean(panel, case) -> None:
    truth = panel.truth.copy()
    truth[:, 0] = 0
    found = with_model(Panel(panel.labels, panel.ids, panel.patients, truth, panel.answers), case)
    f1 = found["readers"][0]["metrics"]["f1"]
    assert value(f1, "Edema") is None
    others = [value(f1, label) for label in panel.labels[1:]]
    assert value(f1) == pytest.approx(np.mean(others))
    assert found["points"][0]["labels"]["Edema"]["side"] is None
    assert found["under_curve"]["of"] == 4
    assert any("no positive" in note for note in found["notes"])


def test_an_enormous_effect_has_a_tiny_p_with_few_resamples(panel, case) -> None:
    """200 resamples, counted, would give at least 0.01."""
    best = Model("best", case.truth + 0.0, np.full(3, 0.5), "given")
    found = compare(panel, best, resamples=200)
    for one in found["differences"]:
        assert one["metrics"]["mcc"]["macro"]["holm"] < 1e-6


def test_decisions_given_as_scores_and_idle_thresholds_are_warned_of(panel, case) -> None:
    decided = Model("decided", case.truth + 0.0, np.array([0.5, 2.0, 0.0]), "given")
    warnings = compare(panel, decided, resamples=100)["warnings"]
    assert any("all scores are 0 or 1" in warning for warning in warnings)
    assert any(w.startswith("Pleural Effusion: no study is called present") for w in warnings)
    assert any(w.startswith("Atelectasis: every study is called present") for w in warnings)
    assert not any(w.startswith("Edema: ") for w in warnings)
    plain = Model("plain", case.scores, np.zeros(3), "given")
    assert compare(panel, plain, resamples=100)["warnings"] == []


def test_few_positives_and_fixed_readers_are_noted(panel, case) -> None:
    truth = panel.truth.copy()
    truth[:, 0] = 0
    truth[:4, 0] = 1
    few = Panel(panel.labels, panel.ids, panel.patients, truth, panel.answers)
    notes = compare(few, resamples=100)["notes"]
    assert any(note.startswith("Edema: 4 positive studies alone among 120") for note in notes)
    assert "readers are taken as fixed" in notes[0]
    assert len(notes) == 2


def test_what_cannot_be_measured_is_refused(panel, case) -> None:
    silent = panel.truth.copy()
    silent[:, 1] = np.nan
    with pytest.raises(EvaluationError, match="no study has an answer for 'Pleural Effusion'"):
        compare(Panel(panel.labels, panel.ids, panel.patients, silent, panel.answers))
    with pytest.raises(EvaluationError, match="no reader was given"):
        compare(Panel(panel.labels, panel.ids, panel.patients, panel.truth, {}))
    with pytest.raises(EvaluationError, match="share a name"):
        compare(panel, Model("careful", case.scores))
    with pytest.raises(EvaluationError, match="100 or more"):
        compare(panel, resamples=10)
    with pytest.raises(EvaluationError, match="seed"):
        compare(panel, seed=-1)


def test_defect_rates_had_intervals_without_width_or_of_everything() -> None:
    """A share of 0 of 492 is not certain, and 1 of 5 does not leave all open: Wilson's, both."""
    studies, hits = 497, np.zeros((497, 1))
    truth = np.zeros((studies, 1))
    truth[:5] = 1
    hits[0] = 1
    ids = [f"patient{number}" for number in range(studies)]
    found = compare(Panel(("Edema",), ids, ids, truth, {"one": hits}), resamples=200)
    tpr, fpr = (found["readers"][0]["metrics"][rate]["labels"]["Edema"] for rate in ("tpr", "fpr"))
    z = 1.959964
    assert [fpr["value"], fpr["low"]] == pytest.approx([0, 0], abs=1e-15)
    assert fpr["high"] == pytest.approx(z**2 / (492 + z**2), rel=1e-4)
    assert tpr["value"] == 0.2
    assert [tpr["low"], tpr["high"]] == pytest.approx(wilson_ends(1, 5), abs=1e-9)


def wilson_ends(hits: int, studies: int) -> tuple[float, float]:
    found = binomtest(hits, studies).proportion_ci(method="wilson")
    return found.low, found.high


def test_defect_a_reader_who_calls_nothing_had_no_note(panel, case) -> None:
    nothing = np.zeros_like(panel.truth)
    found = compare(
        Panel(panel.labels, panel.ids, panel.patients, panel.truth, {"zero": nothing}),
        resamples=200,
    )
    assert any("zero calls no study present" in note for note in found["notes"])
    told = [note for note in found["notes"] if note.startswith("Every resample gave the same")]
    assert len(told) == 1
    assert "MCC of zero" in told[0]
