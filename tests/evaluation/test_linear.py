from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import radpair.evaluation.axes as axes_module
import radpair.evaluation.blocks as blocks_module
import radpair.evaluation.sweep as sweep_module
from radpair.errors import EvaluationError
from radpair.evaluation.axes import Table, principal_axes
from radpair.evaluation.budgets import label_budget, patient_folds
from radpair.evaluation.linear import linear_probe
from radpair.evaluation.probe import PENALTIES, fit_probe
from radpair.evaluation.solver import solve
from radpair.evaluation.sweep import folds_needed, selection_losses

NAMES = ["Edema", "Mass", "Nodule"]


def problem(studies: int, dim: int, labels: int = 3, seed: int = 0):
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(studies, 8))
    features = hidden @ rng.normal(size=(8, dim)) + rng.normal(size=(studies, dim))
    features = features * np.exp(rng.normal(size=dim)) + rng.normal(size=dim)
    truth = (hidden @ rng.normal(size=(8, labels)) + rng.normal(size=(studies, labels)) > 1) * 1.0
    return features, truth


def as_signs(truth: np.ndarray) -> np.ndarray:
    return 2 * truth.T - 1


@pytest.mark.parametrize(("studies", "dim"), [(24, 300), (90, 40), (60, 60)])
def test_the_solver_agrees_with_scikit_learn(studies: int, dim: int) -> None:
    features, truth = problem(studies, dim)
    axes = principal_axes(features)
    penalties = np.array([0.1, 10.0, 1e4])
    signs = as_signs(truth)
    signs[::2, ::5] = 0
    weights = solve(axes.table, signs, np.arange(3).repeat(3), np.tile(penalties, 3))
    found = 1 / (1 + np.exp(-axes.table.logits(weights)))
    scaled = StandardScaler().fit_transform(features)
    for column in range(9):
        rows = signs[column // 3] != 0
        oracle = LogisticRegression(
            C=1 / float(penalties[column % 3]), tol=1e-10, max_iter=20_000
        ).fit(scaled[rows], truth[rows, column // 3])
        np.testing.assert_allclose(found[column], oracle.predict_proba(scaled)[:, 1], atol=1e-4)
        turned = axes.directions @ weights[column, :-1]
        np.testing.assert_allclose(turned, oracle.coef_[0], atol=1e-4)


@pytest.mark.parametrize(("studies", "dim"), [(24, 300), (400, 40)])
def test_single_precision_is_near_enough_for_the_sweep(studies: int, dim: int) -> None:
    features, truth = problem(studies, dim)
    table = principal_axes(features).table
    group = np.arange(3).repeat(len(PENALTIES))
    penalties = np.tile(PENALTIES, 3)
    exact = solve(table, as_signs(truth), group, penalties)
    rough = solve(table.single(), as_signs(truth), group, penalties, tolerance=1e-6)
    logits = [table.logits(weights) for weights in (exact, rough)]
    gap = np.abs(logits[0] - logits[1]).max(axis=1) / np.abs(logits[0]).max(axis=1)
    assert gap.max() < 0.03


def test_one_class_gets_a_constant_not_an_infinity() -> None:
    table = principal_axes(np.random.default_rng(0).normal(size=(6, 4))).table
    weights = solve(table, np.ones((1, 6)), np.zeros(1, dtype=np.int64), np.ones(1))
    assert not weights[0, :-1].any()
    assert np.isfinite(weights).all()


@pytest.fixture
def large(monkeypatch):
    """The path of large tables, for tables of a few thousand studies."""
    monkeypatch.setattr(axes_module, "LARGE", 1000)
    monkeypatch.setattr(axes_module, "sample_size", lambda dim: 500)
    monkeypatch.setattr(sweep_module, "SAMPLE", 1500)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_large_table_gives_scikit_learns_scores(large, kind: type) -> None:
    features, truth = problem(4000, 20)
    features = (features + 300).astype(kind)
    truth[::7, 1] = np.nan
    patients = [f"p{i // 2}" for i in range(3000)]
    probe = fit_probe(features[:3000], truth[:3000], patients)
    assert probe.axes.large
    scaler = StandardScaler().fit(features[:3000].astype(np.float64))
    unseen = scaler.transform(features[3000:].astype(np.float64))
    for label in range(3):
        rows = np.flatnonzero(~np.isnan(truth[:3000, label]))
        oracle = LogisticRegression(C=1 / probe.penalties[label], tol=1e-8, max_iter=20_000)
        oracle.fit(scaler.transform(features[rows].astype(np.float64)), truth[rows, label])
        expected = oracle.decision_function(unseen)
        found = probe.score(features[3000:])[:, label]
        np.testing.assert_allclose(found, expected, atol=0.05)
        given = ~np.isnan(truth[3000:, label])
        areas = [roc_auc_score(truth[3000:][given, label], s[given]) for s in (found, expected)]
        assert areas[0] == pytest.approx(areas[1], abs=0.002)


def test_a_large_table_is_centred_far_from_zero_and_keeps_flat_features(large) -> None:
    features, truth = problem(3000, 20)
    odd = np.concatenate([features + 1e5, np.full((3000, 2), 1e6)], axis=1)
    patients = [str(i) for i in range(3000)]
    plain, moved = fit_probe(features, truth, patients), fit_probe(odd, truth, patients)
    assert moved.axes.large
    np.testing.assert_allclose(moved.score(odd), plain.score(features), atol=0.02)


def test_a_large_table_of_half_precision_is_not_summed_in_it(large) -> None:
    features, truth = problem(3000, 20)
    features = (features / features.std(axis=0) + 40).astype(np.float16)
    patients = [str(i) for i in range(3000)]
    half, single = (fit_probe(table, truth, patients) for table in (features, features * 1.0))
    assert half.axes.large
    np.testing.assert_allclose(half.axes.scale, single.axes.scale, rtol=1e-5)
    np.testing.assert_allclose(half.score(features), single.score(features), atol=0.02)


@pytest.mark.parametrize("turned", [False, True])
def test_losses_over_blocks_are_those_of_the_whole(monkeypatch, turned: bool) -> None:
    """Against float64 automatic differentiation, with targets not seen and centred features."""
    monkeypatch.setattr(blocks_module, "ROWS", 7)
    rng = np.random.default_rng(2)
    features, turn = rng.normal(size=(45, 6)) + 3, np.linalg.qr(rng.normal(size=(6, 6)))[0]
    table = (
        Table(features, np.ones(6), turn, np.full(6, 3.0)) if turned else Table(features, turn[0])
    )
    weights, group = rng.normal(size=(4, 7)) * 3, np.array([1, 0, 1, 1])
    signs = rng.integers(-1, 2, size=(2, 45)).astype(table.dtype)
    loss, gradient = table.losses(weights, signs, group)
    studies = torch.from_numpy((features - 3) @ turn if turned else features)
    free = torch.from_numpy(weights).requires_grad_()
    margin = (free[:, :-1] @ studies.T + free[:, -1:]) * torch.from_numpy(signs[group]).double()
    expected = -torch.nn.functional.logsigmoid(margin).sum(dim=1)
    expected.sum().backward()
    close = {"rtol": 1e-5, "atol": 1e-4} if turned else {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(loss, expected.detach().numpy(), **close)
    np.testing.assert_allclose(gradient, free.grad.numpy(), **close)


@pytest.mark.parametrize("studies", [300, 3000])
def test_two_threads_give_the_weights_of_one(large, monkeypatch, studies: int) -> None:
    monkeypatch.setattr(blocks_module, "ROWS", 128)
    features, truth = problem(studies, 20)
    patients = [str(i) for i in range(studies)]
    probes = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            probes.append(fit_probe(features, truth, patients))
            scores = probes[-1].score(features)
        np.testing.assert_array_equal(scores, probes[0].score(features))
    np.testing.assert_array_equal(probes[0].weights, probes[1].weights)
    np.testing.assert_array_equal(probes[0].cross_fitted, probes[1].cross_fitted)


def test_folds_are_as_many_as_the_rarer_class_needs() -> None:
    truth = np.zeros((10_000, 4))
    for label, positives in enumerate((60, 1000, 2500, 9990)):
        truth[:positives, label] = 1
    assert folds_needed(truth, 5).tolist() == [5, 3, 1, 5]


def test_flat_and_duplicate_features_are_harmless() -> None:
    features, truth = problem(50, 10)
    padded = np.concatenate([features, np.full((50, 2), 1e6), features], axis=1)
    probe = fit_probe(padded, truth, [str(i) for i in range(50)])
    assert np.isfinite(probe.score(padded)).all()
    assert probe.axes.table.rank == 10


def test_new_studies_are_standardised_by_the_training_studies() -> None:
    features, truth = problem(80, 12)
    patients = [str(i) for i in range(80)]
    probe = fit_probe(features, truth, patients, penalties=[1.0])
    scaler = StandardScaler().fit(features)
    other = problem(30, 12, seed=1)[0] * 3
    for label in range(3):
        oracle = LogisticRegression(C=1.0, tol=1e-10, max_iter=20_000)
        oracle.fit(scaler.transform(features), truth[:, label])
        expected = oracle.decision_function(scaler.transform(other))
        np.testing.assert_allclose(probe.score(other)[:, label], expected, atol=1e-3)


def test_a_label_not_given_is_left_out_of_its_label_only() -> None:
    features, truth = problem(80, 12)
    gaps = truth.copy()
    gaps[:30, 1] = np.nan
    patients = [str(i) for i in range(80)]
    probe = fit_probe(features, gaps, patients, penalties=[1.0])
    whole = fit_probe(features, truth, patients, penalties=[1.0])
    np.testing.assert_allclose(probe.weights[0], whole.weights[0], atol=1e-5)
    assert np.isnan(probe.cross_fitted[:30, 1]).all()
    flipped = np.where(np.isnan(gaps), 1 - truth, truth)
    assert not np.allclose(
        fit_probe(features, flipped, patients, penalties=[1.0]).weights[1], probe.weights[1]
    )


def slow_selection_loss(logits: np.ndarray, truth: np.ndarray) -> float:
    """The least cross-entropy over scale and offset, by a general optimiser."""
    x = (logits - logits.mean()) / max(logits.std(), 1e-9)

    def loss(values: np.ndarray) -> float:
        z = values[0] * x + values[1]
        return float((np.logaddexp(0, z) - truth * z).sum() + values[0] ** 2 / 2)

    found = minimize(loss, [0.1, 0.0], bounds=[(0, None), (None, None)], tol=1e-12).x
    return (loss(found) - found[0] ** 2 / 2) / len(truth)


@pytest.mark.parametrize("kind", ["useful", "useless", "reversed", "separable", "constant"])
def test_selection_losses_equal_a_general_optimiser(kind: str) -> None:
    rng = np.random.default_rng(3)
    truth = (rng.random(40) < 0.2).astype(float)
    noise = rng.normal(size=40)
    logits = {
        "useful": 50 * (truth + noise),
        "useless": noise,
        "reversed": noise - 2 * truth,
        "separable": truth * 9,
        "constant": np.full(40, -3.0),
    }[kind]
    found = selection_losses(logits[:, None, None], truth[:, None])[0, 0]
    assert found == pytest.approx(slow_selection_loss(logits, truth), abs=1e-6)
    gaps = np.append(truth, [np.nan] * 5)[:, None]
    padded = np.append(logits, rng.normal(size=5) * 1e3)[:, None, None]
    assert selection_losses(padded, gaps)[0, 0] == pytest.approx(found)


def test_the_penalty_is_that_of_a_slow_cross_validation() -> None:
    features, truth = problem(60, 30, labels=1)
    patients = [f"p{i // 2}" for i in range(60)]
    fold = patient_folds(truth[:, 0], patients, 4, 9)
    scaled = StandardScaler().fit_transform(features)
    losses = []
    for penalty in PENALTIES:
        logits = np.zeros(60)
        for held in range(4):
            inside, outside = fold != held, fold == held
            oracle = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=20_000)
            oracle.fit(scaled[inside], truth[inside, 0])
            logits[outside] = oracle.decision_function(scaled[outside])
        losses.append(slow_selection_loss(logits, truth[:, 0]))
    probe = fit_probe(features, truth, patients, folds=4, seed=9)
    assert probe.penalties[0] == PENALTIES[int(np.argmin(losses))]


def cohort(seed: int = 0):
    """180 studies of 90 patients; the encoder 'good' sees the findings, 'random' does not."""
    features, truth = problem(180, 16, seed=seed)
    patients = [f"p{i // 2}" for i in range(180)]
    splits = np.where(np.arange(180) < 100, "train", "test")
    noise = np.random.default_rng(9).normal(size=(180, 16))
    return {"random": noise, "good": features}, truth, patients, splits


def test_a_good_encoder_is_told_from_a_random_one() -> None:
    told: list[tuple[int, int]] = []
    results = linear_probe(
        *cohort(),
        NAMES,
        fractions=(0.2, 1.0),
        draws=3,
        resamples=200,
        on_probe=lambda *count: told.append(count),
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for fraction in (0.2, 1.0):
        good, random = (results.row(name, fraction) for name in ("good", "random"))
        assert good.metrics["auroc"].macro.low > random.metrics["auroc"].macro.high
        assert good.differences["auroc"].macro.low > 0
        assert not random.differences
    assert [row.studies for row in results.rows] == [20, 20, 100, 100]
    assert [row.draws for row in results.rows] == [3, 3, 1, 1]
    assert len(results.row("good", 0.2).metrics["auroc"].draws) == 3
    assert np.mean(results.row("good", 0.2).metrics["auroc"].draws) == pytest.approx(
        results.row("good", 0.2).metrics["auroc"].macro.value
    )


def test_results_are_json_and_repeat_by_seed() -> None:
    first, again, other = (
        json.dumps(
            linear_probe(*cohort(), NAMES, (0.1,), draws=2, seed=seed, resamples=50).to_json(),
            allow_nan=False,
        )
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_labels_outside_the_budget_change_nothing() -> None:
    """Defect 14: neither sweep nor fit nor thresholds see more labels than the budget says."""
    features, truth, patients, splits = cohort()
    inside = label_budget(patients[:100], 0.2, 0, 0)
    spoiled = truth.copy()
    hidden = np.setdiff1d(np.arange(100), inside)
    spoiled[hidden] = 1 - spoiled[hidden]
    plain, altered = (
        linear_probe(features, labels, patients, splits, NAMES, (0.2,), draws=1, resamples=20)
        for labels in (truth, spoiled)
    )
    assert plain.rows == altered.rows


def test_test_labels_change_no_score() -> None:
    """Defect 15."""
    features, truth, patients, splits = cohort()
    spoiled = truth.copy()
    spoiled[100:] = 1 - spoiled[100:]
    plain, altered = (
        linear_probe(features, labels, patients, splits, NAMES, (0.2,), draws=2, resamples=20)
        for labels in (truth, spoiled)
    )
    for one, two in zip(plain.rows, altered.rows, strict=True):
        assert one.penalties == two.penalties
        assert one.metrics["auroc"].macro.value == pytest.approx(
            1 - two.metrics["auroc"].macro.value
        )
        assert one.metrics["mcc"].macro.value == pytest.approx(-two.metrics["mcc"].macro.value)


def test_a_label_without_positives_is_undefined_and_is_named() -> None:
    features, truth, patients, splits = cohort()
    truth[:100, 1] = 0
    truth[:100, 2] = np.nan
    results = linear_probe(features, truth, patients, splits, NAMES, (0.5,), 2, resamples=50)
    row = results.row("good", 0.5)
    for name in ("Mass", "Nodule"):
        found = row.metrics["auroc"].labels[name]
        assert np.isnan([found.value, found.low, found.high]).all()
        assert str(found.note).startswith("not learned: no ")
    assert {(c["draw"], c["label"], c["reason"]) for c in row.constant} == {
        (draw, label, reason)
        for draw in (0, 1)
        for label, reason in (("Mass", "no positive"), ("Nodule", "no label given"))
    }


def test_a_label_with_one_class_in_the_test_split_is_undefined() -> None:
    features, truth, patients, splits = cohort()
    truth[100:, 0] = 0
    results = linear_probe(features, truth, patients, splits, NAMES, (1.0,), resamples=50)
    found = results.row("good", 1.0).metrics["auroc"]
    assert np.isnan(found.labels["Edema"].value)
    assert found.macro.value > 0.7
    assert results.to_json()["rows"][0]["metrics"]["auroc"]["labels"]["Edema"]["value"] is None


def test_an_all_negative_study_still_teaches() -> None:
    """Defect 13. Softmax cross-entropy over labels gives such a study no gradient; BCE does."""
    features, truth = problem(60, 6)
    patients = [str(i) for i in range(60)]
    negative = np.flatnonzero(truth.sum(axis=1) == 0)[:10]
    full = fit_probe(features, truth, patients, penalties=[1.0])
    kept = np.setdiff1d(np.arange(60), negative)
    fewer = fit_probe(features[kept], truth[kept], np.array(patients)[kept].tolist(), [1.0])
    assert np.abs(full.score(features) - fewer.score(features)).max() > 0.05


def test_a_single_training_study_is_answered_plainly() -> None:
    features, truth, patients, splits = cohort()
    results = linear_probe(features, truth, patients, splits, NAMES, (0.01,), 1, resamples=20)
    row = results.row("good", 0.01)
    assert row.studies == 1
    assert len(row.constant) == 3
    assert np.isnan(row.metrics["auroc"].macro.value)


def test_planted_leaks_and_misfits_are_refused() -> None:
    """Defects 8 and 19."""
    features, truth, patients, splits = cohort()
    leaked = [*patients[:-1], "p3"]
    with pytest.raises(EvaluationError, match="patient 'p3' is among both the training studies"):
        linear_probe(features, truth, leaked, splits, NAMES)
    with pytest.raises(EvaluationError, match="the features of 'short' have shape"):
        linear_probe({"short": features["good"][:-1]}, truth, patients, splits, NAMES)
    with pytest.raises(EvaluationError, match="split 'validate' holds no studies"):
        linear_probe(features, truth, patients, splits, NAMES, evaluated="validate")
    broken = {"good": np.where(np.arange(180)[:, None] == 4, np.inf, features["good"])}
    with pytest.raises(EvaluationError, match="not finite numbers"):
        linear_probe(broken, truth, patients, splits, NAMES, (1.0,))
    with pytest.raises(EvaluationError, match="labels are 1, 0, -1"):
        linear_probe(features, truth * 3, patients, splits, NAMES)
    with pytest.raises(EvaluationError, match="at least one encoder, fraction and draw"):
        linear_probe(features, truth, patients, splits, NAMES, fractions=())
    with pytest.raises(EvaluationError, match="penalties to sweep"):
        linear_probe(features, truth, patients, splits, NAMES, penalties=[0.0])


def test_test_rows_are_neither_in_the_sweep_nor_in_the_scaling() -> None:
    """Planted leak: wild test films would move penalties, weights or standardisation."""
    features, truth, patients, splits = cohort()
    wild = {name: values.copy() for name, values in features.items()}
    for values in wild.values():
        values[101:] = values[101:] * 50 + 9
    plain, altered = (
        linear_probe(codes, truth, patients, splits, NAMES, (0.2, 1.0), draws=2, resamples=20)
        for codes in (features, wild)
    )
    assert [row.penalties for row in plain.rows] == [row.penalties for row in altered.rows]
    probe = fit_probe(features["good"][:100], truth[:100], patients[:100])
    together = fit_probe(wild["good"], truth, patients)
    assert not np.allclose(probe.axes.scale, together.axes.scale)
