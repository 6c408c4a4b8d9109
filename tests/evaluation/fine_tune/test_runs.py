from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from radpair.errors import EvaluationError, ModelError
from radpair.evaluation.fine_tune import runs as room
from radpair.evaluation.fine_tune.figures import Measured, row
from radpair.evaluation.fine_tune.folder import is_whole, load_classifier
from radpair.evaluation.fine_tune.run import Data, Plan, fine_tune, fine_tune_table
from radpair.evaluation.fine_tune.run import _order as order_of
from radpair.evaluation.fine_tune.runs import Learned
from radpair.evaluation.fine_tune.settings import FineTuneConfig
from radpair.evaluation.fine_tune.tasks import task_of
from radpair.evaluation.paired import holm
from squares import Squares, small_model

QUICK = FineTuneConfig(batch=16, warmup=6, passes=0, least_steps=10, check=4)
PLAN = Plan((0.25, 1.0), 2, 0, QUICK, resamples=50)
TRAIN, VALIDATION, TESTED = np.arange(80), np.arange(80, 100), np.arange(100, 140)


def squares_data(kind: str = "auto", columns: int = 2) -> Data:
    squares = Squares(140)
    task = task_of(kind, squares.label_names[:columns])
    truth = squares.labels[:, :columns]
    return Data(squares, task, truth, squares.patients, TRAIN, VALIDATION, TESTED)


def runs_in(folder: Path) -> dict[str, Learned]:
    return {path.stem: room._read(path) for path in folder.glob("*.safetensors")}


@pytest.mark.parametrize("selection", ["budget", "validate"])
def test_labels_outside_the_budget_change_nothing(selection: str, tmp_path: Path) -> None:
    """Defect 14: what decides when to stop is paid for out of the budget."""
    config = replace(QUICK, selection=selection, learning_rate=(1e-4, 1e-3))
    plan = replace(PLAN, fractions=(0.25,), draws=1, config=config)
    clean = squares_data()
    order = order_of(clean, plan, 0.25, 0)
    assert order.held is not None
    if selection == "budget":
        assert len(order.fit.studies) + len(order.held.studies) == 20
    else:
        assert (len(order.fit.studies), len(order.held.studies)) == (20, 20)
    _, facts = fine_tune([small_model()], clean, plan, tmp_path / "clean")
    ours = runs_in(tmp_path / "clean")[facts[0]["key"]]
    seen = np.concatenate([order.fit.studies, order.held.studies])
    outside = np.setdiff1d(np.concatenate([TRAIN, VALIDATION]), seen)
    for name, poison in (("nan", np.nan), ("turned", 1 - clean.truth[outside])):
        truth = clean.truth.copy()
        truth[outside] = poison
        _, told = fine_tune([small_model()], replace(clean, truth=truth), plan, tmp_path / name)
        assert dict(told[0], seconds=0) == dict(facts[0], seconds=0)
        theirs = runs_in(tmp_path / name)[told[0]["key"]]
        assert np.array_equal(ours.scores, theirs.scores)
        assert np.array_equal(ours.thresholds, theirs.thresholds)
    truth = clean.truth.copy()
    truth[order.fit.studies[0]] = 1 - truth[order.fit.studies[0]]
    data = replace(clean, truth=truth)
    _, told = fine_tune([small_model()], data, plan, tmp_path / "inside")
    theirs = runs_in(tmp_path / "inside")[told[0]["key"]]
    assert not np.array_equal(ours.scores, theirs.scores)  # the test can fail


def test_finished_runs_are_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, trained = squares_data(), []
    train = room.train
    monkeypatch.setattr(room, "train", lambda *a: trained.append(1) or train(*a))
    plan = replace(PLAN, draws=1)
    whole, facts = fine_tune([small_model()], data, plan, tmp_path)
    assert len(trained) == len(facts) == 2
    gone = tmp_path / f"{facts[1]['key']}.safetensors"
    before = room._read(gone).scores
    gone.unlink()  # as if killed in the second run
    again, _ = fine_tune([small_model()], data, plan, tmp_path)
    assert len(trained) == 3
    assert np.array_equal(room._read(gone).scores, before)
    assert again.to_json() == whole.to_json()
    plan = replace(plan, fractions=(0.25,))
    fine_tune([small_model(seed=1)], data, plan, tmp_path)
    assert len(trained) == 4  # another encoder is another run
    fine_tune([small_model()], data, replace(plan, seed=1), tmp_path)
    assert len(trained) == 5
    (tmp_path / f"{facts[0]['key']}.safetensors").write_bytes(b"half")
    with pytest.raises(EvaluationError, match=r"damaged.*delete it and run again"):
        fine_tune([small_model()], data, plan, tmp_path)


def test_a_saved_classifier_predicts_what_was_measured(tmp_path: Path) -> None:
    data, plan = squares_data(), replace(PLAN, fractions=(1.0,), draws=1)
    _, facts = fine_tune([small_model()], data, plan, tmp_path / "runs", tmp_path / "saved")
    kept = room._read(tmp_path / "runs" / f"{facts[0]['key']}.safetensors")
    folder = tmp_path / "saved" / "small-100pct-0"
    saved = load_classifier(folder)
    assert np.array_equal(saved.predict(data.films, TESTED), kept.scores)
    assert np.array_equal(saved.thresholds, kept.thresholds)
    assert saved.task == data.task
    assert json.loads((folder / "thresholds.json").read_text()).keys() == {"Upper", "Lower"}
    assert is_whole(folder, facts[0]["key"])
    weights = folder / "classifier.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(ModelError, match=r"classifier\.safetensors: missing or altered"):
        load_classifier(folder)
    fine_tune([small_model()], data, plan, tmp_path / "runs", tmp_path / "saved")  # mends it
    assert np.array_equal(load_classifier(folder).predict(data.films, TESTED), kept.scores)
    with pytest.raises(ModelError, match="not a fine-tuned classifier"):
        load_classifier(tmp_path)


def test_the_sweep_takes_the_lowest_held_out_loss(tmp_path: Path) -> None:
    config = replace(QUICK, learning_rate=(1e-9, 1e-3), weight_decay=(0.0, 1e-4))
    plan = replace(PLAN, fractions=(1.0,), draws=1, config=config)
    _, facts = fine_tune([small_model()], squares_data(), plan, tmp_path)
    trials = facts[0]["trials"]
    assert len(trials) == 4
    best = min(trials, key=lambda trial: trial["held_out_loss"])
    assert facts[0]["held_out_loss"] == best["held_out_loss"]
    assert facts[0]["learning_rate"] == best["learning_rate"]
    one = replace(config, learning_rate=(best["learning_rate"],), weight_decay=(0.0,))
    _, alone = fine_tune([small_model()], squares_data(), replace(plan, config=one), tmp_path)
    chosen = next(t for t in trials if t["learning_rate"] == one.learning_rate[0])
    assert alone[0]["held_out_loss"] == chosen["held_out_loss"]  # trials do not disturb each other


def test_mura_learns_from_every_image(tmp_path: Path) -> None:
    data = squares_data("mura", 1)
    results, facts = fine_tune([small_model()], data, replace(PLAN, draws=1), tmp_path)
    assert results.settings["task"] == "mura"
    binary = fine_tune([small_model()], squares_data("binary", 1), replace(PLAN, draws=1), tmp_path)
    assert binary[1][0]["key"] != facts[0]["key"]
    kept = runs_in(tmp_path)[facts[1]["key"]]
    truth = data.truth[TESTED, 0]
    value = results.rows[1].metrics["auroc"].macro.value
    assert value == pytest.approx(roc_auc_score(truth, kept.scores[:, 0]))


def test_classes_have_accuracy_and_macro_f1(tmp_path: Path) -> None:
    squares = Squares(140)
    classes = (squares.labels @ [1, 2]).astype(int) % 3
    task = task_of("multi-class", ("None", "One", "Two"))
    truth = np.eye(3)[classes]
    data = Data(squares, task, truth, squares.patients, TRAIN, VALIDATION, TESTED)
    results, facts = fine_tune([small_model()], data, replace(PLAN, draws=1), tmp_path)
    kept = runs_in(tmp_path)[facts[1]["key"]]
    assert np.allclose(kept.scores.sum(axis=1), 1)
    metrics, answer = results.rows[1].metrics, kept.scores.argmax(axis=1)
    given = classes[TESTED]
    assert metrics["accuracy"].macro.value == pytest.approx(accuracy_score(given, answer))
    assert metrics["f1"].macro.value == pytest.approx(
        f1_score(given, answer, average="macro", zero_division=0)
    )
    for number, name in enumerate(task.names):
        expected = roc_auc_score(given == number, kept.scores[:, number])
        assert metrics["auroc"].labels[name].value == pytest.approx(expected)
    assert "macro F1" in fine_tune_table(results)


def test_draws_are_averaged_as_metrics() -> None:
    """Defect 16."""
    rng = np.random.default_rng(0)
    truth = (rng.random((60, 2)) < 0.4).astype(float)
    task = task_of("auto", ("A", "B"))
    measured = Measured(task, truth, [f"p{n}" for n in range(60)], 50, 0)
    runs = [
        Learned(rng.random((60, 2)), np.full(2, 0.5), {"draw": n, "constant": {}}) for n in range(3)
    ]
    found, _ = row(measured, "m", 0.1, 6, runs, {})
    each = [roc_auc_score(truth, run.scores) for run in runs]
    assert found.metrics["auroc"].draws == pytest.approx(each)
    assert found.metrics["auroc"].macro.value == pytest.approx(np.mean(each))
    assert found.differences == {}


def test_draws_that_differ_by_luck_are_no_difference() -> None:
    """As of probes: what draws differ by counts in ``total``, where the p-values are."""
    rng, called, alone = np.random.default_rng(3), [], []
    task = task_of("auto", ("A", "B"))
    for number in range(80):
        truth = (rng.random((150, 2)) < 0.4).astype(float)
        measured = Measured(task, truth, [f"p{n}" for n in range(150)], 100, number)
        models = []
        for _ in range(2):
            scores = [
                (1 + 0.6 * rng.normal()) * truth + rng.normal(size=truth.shape) for _ in "12345"
            ]
            models.append(
                [
                    Learned(1 / (1 + np.exp(-one)), np.full(2, 0.5), {"draw": n, "constant": {}})
                    for n, one in enumerate(scores)
                ]
            )
        _, base = row(measured, "a", 0.1, 6, models[0], {})
        found, _ = row(measured, "b", 0.1, 6, models[1], base)
        gap = found.differences["auroc"]
        assert gap.total is not None
        assert gap.macro.p is None
        assert {one.p for one in gap.labels.values()} == {None}
        assert gap.total.holm == dict(
            zip(gap.total.labels, holm([one.p for one in gap.total.labels.values()]), strict=True)
        )
        assert gap.spread == pytest.approx(np.std(gap.draws, ddof=1))
        assert found.metrics["auroc"].total.macro.low < found.metrics["auroc"].macro.low
        called.append(gap.total.macro.p < 0.05)
        alone.append(gap.macro.low > 0 or gap.macro.high < 0)
    assert 0 < np.mean(called) <= 0.12
    assert np.mean(alone) > 0.3
