"""Leaks planted on purpose: each is refused, or changes a figure that a test watches.

Where a check only watches (no error), the leak itself is planted too, and the check must see it.
Leaks that other tests plant already:

- a patient in two splits: when a set is written (``studyset/test_write``: contradictions of a
  source), when it is opened (``studyset/test_read``: refused at opening), in the linear probe
  (``test_linear``: planted leaks), neighbours (``test_neighbours``), few-shot (``test_few_shot``)
- thresholds of the test set: choosing and applying (``test_thresholds``), readers' validation files
  (``comparison/test_run``)
- batch normalisation in training mode: cached features (``test_features``), the head-only phase of
  fine-tuning (``fine_tune/test_loop``, ``fine_tune/test_classifier``)
- labels outside a budget: ``test_linear``, ``test_neighbours``, ``fine_tune/test_runs``
- test studies in figures during pretraining: ``pretraining/test_evaluators``
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import radpair.evaluation.axes as axes_module
import radpair.evaluation.few_shot as few_shot_module
import radpair.evaluation.linear as linear_module
import radpair.evaluation.protocol as protocol_module
import radpair.evaluation.sweep as sweep_module
from discs import DiscSource
from evaluation.cohorts import NAMES, cohort
from radpair.errors import EvaluationError, StudySetError
from radpair.evaluation.features import buffer_hash, encode_study_set, study_means
from radpair.evaluation.few_shot import few_shot_probe, shot_level
from radpair.evaluation.fine_tune.run import _labelled
from radpair.evaluation.linear import linear_probe
from radpair.evaluation.neighbours import fit_neighbours, knn_auroc, knn_probe
from radpair.evaluation.probe import Probe, fit_probe
from radpair.evaluation.protocol import Budget, Level, Task, make_task
from radpair.evaluation.thresholds import operating_points
from radpair.models import Model
from radpair.studyset import StudySet, write
from squares import Squares, small_model

TRAIN, TEST = slice(0, 100), slice(100, None)
Fit = Callable[..., Any]


# a shared patient


@pytest.mark.parametrize("split", ["train", "validate"])
def test_a_patient_of_another_split_is_refused_when_a_set_is_written(
    split: str, tmp_path: Path
) -> None:
    class Leaking(DiscSource):
        def studies(self):
            for number, study in enumerate(super().studies()):
                official = ("train", "validate", "test")[number // 2 % 3]
                yield replace(study, split=split if number == leak else official)

    leak = 11
    with pytest.raises(StudySetError, match="patient 'p005' is in two splits"):
        write(Leaking(12), tmp_path / "set", size=48, processes=1)
    assert not (tmp_path / "set" / "manifest.json").exists()
    leak = -1
    write(Leaking(12), tmp_path / "whole", size=48, processes=1)


def test_a_shared_patient_is_refused_by_every_protocol(disc_set: Path) -> None:
    features, truth, patients, splits = cohort()
    leaked = [*patients[:-1], patients[3]]
    named = f"patient '{patients[3]}' is among both"
    for probe in (linear_probe, knn_probe, few_shot_probe):
        with pytest.raises(EvaluationError, match=named):
            probe(features, truth, leaked, splits, NAMES)
    with pytest.raises(EvaluationError, match=named):
        knn_auroc(features["good"], truth, leaked, splits, NAMES, evaluated="test")
    studies = StudySet.open(disc_set)
    studies.patient_ids[int(studies.split("test")[0])] = studies.patient_ids[
        int(studies.split("validate")[0])
    ]
    with pytest.raises(EvaluationError, match="is among both the training studies"):
        _labelled(studies, range(len(studies.label_names)), "auto", "ignore")


@pytest.mark.parametrize("fraction", [0.03, 0.2, 1.0])
def test_a_label_budget_holds_no_patient_of_the_test_split(fraction: float) -> None:
    _, truth, patients, splits = cohort()
    task = make_task(truth, patients, splits, NAMES)
    tested = set(task.patients[task.test])
    levels = [linear_module.fraction_level(task, fraction, 5, 0), shot_level(task, 4, 5, 0)]
    for budget in (budget for level in levels for budget in level.budgets):
        assert not tested & set(task.patients[budget.rows])
        assert set(budget.rows) <= set(task.train)


# a threshold from the test set


def test_one_test_patient_among_the_choosing_ones_is_enough_to_be_refused() -> None:
    rng = np.random.default_rng(0)
    scores, truth = rng.random((500, 1)), (rng.random((500, 1)) < 0.3) * 1.0
    validation = [f"v{number}" for number in range(499)]
    points = operating_points(scores, truth, [*validation, "t7"])
    tested = [f"t{number}" for number in range(200)]
    with pytest.raises(EvaluationError, match="patient 't7' is among both"):
        points.decide(rng.random((200, 1)), tested)
    assert points.decide(rng.random((200, 1)), [f"u{n}" for n in range(200)]).shape == (200, 1)


@pytest.mark.parametrize("probe", [linear_probe, knn_probe, partial(few_shot_probe, shots=[4])])
def test_a_probe_that_takes_its_thresholds_from_the_test_set_is_refused(
    probe: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    features, truth, patients, splits = cohort()
    honest, asked = protocol_module.choose_thresholds, []

    def noting(scores: Any, known: Any, people: Sequence[str], tested: Any, *point: Any) -> Any:
        asked.append(set(people))
        return honest(scores, known, people, tested, *point)

    def careless(scores: Any, known: Any, people: Sequence[str], tested: Any, *point: Any) -> Any:
        rows = np.random.default_rng(0).random((len(tested), truth.shape[1]))
        return honest(rows, truth[TEST], tested, tested)

    few = {"draws": 2, "resamples": 20}
    monkeypatch.setattr(protocol_module, "choose_thresholds", noting)
    probe(features, truth, patients, splits, NAMES, **few)
    assert asked
    assert not set.union(*asked) & set(patients[TEST])
    monkeypatch.setattr(protocol_module, "choose_thresholds", careless)
    with pytest.raises(EvaluationError, match="is among both the studies that choose thresholds"):
        probe(features, truth, patients, splits, NAMES, **few)


# batch normalisation left in training mode


class Careless(Model):
    """A model that somebody put into training mode, as a trainer does, before every batch."""

    def encode_images(self, images: Any, batch: int = 64) -> Any:
        self.pair.train()
        return super().encode_images(images, batch)


def squares_set(studies: int = 24) -> Squares:
    films = Squares(studies)
    films.image_study = np.repeat(np.arange(studies), films.image_count)
    return films


def test_an_encoder_left_in_training_mode_is_frozen_for_a_probe() -> None:
    films, model, left = squares_set(), small_model(), small_model()
    expected = encode_study_set(model, films)
    left.pair.train()
    before = buffer_hash(left)
    found = encode_study_set(left, films)
    np.testing.assert_array_equal(found.features, expected.features)
    np.testing.assert_array_equal(found.projections, expected.projections)
    assert buffer_hash(left) == before
    assert left.pair.training  # as it was found


def test_an_encoder_that_trains_while_it_encodes_is_caught() -> None:
    films, model = squares_set(), small_model()
    expected = encode_study_set(model, films).features
    before = buffer_hash(model)
    leaking = Careless(small_model().pair, None, name="careless", hash="careless")
    with pytest.raises(EvaluationError, match="changed its own buffers while it encoded"):
        encode_study_set(leaking, films)
    assert buffer_hash(leaking) != before
    moved = leaking.encode_images(films.pixels(n) for n in range(len(films.image_study))).features
    assert np.abs(moved - expected).max() > 1e-3  # what the leak would have done to the probe


def test_codes_of_a_study_do_not_depend_on_the_studies_beside_it() -> None:
    films, model = squares_set(), small_model()
    whole = encode_study_set(model, films)
    alone = [model.encode_images([films.pixels(n)]).features[0] for n in films.first_image]
    np.testing.assert_allclose(whole.features[films.first_image], alone, atol=1e-5)
    means = study_means(whole.features, films.image_study, len(films))
    assert means.shape[0] == len(films)


# test rows in the sweep


@pytest.fixture(params=["exact", "large"])
def solver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of fitting; the second is that of tables too large for the first."""
    if request.param == "large":
        monkeypatch.setattr(axes_module, "LARGE", 100)
        monkeypatch.setattr(axes_module, "sample_size", lambda dim: 40)
        monkeypatch.setattr(sweep_module, "SAMPLE", 60)
    return str(request.param)


def fitted(
    fit: Fit, features: np.ndarray, truth: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> list[Probe]:
    """The probes of a linear evaluation whose fitting is ``fit``."""
    _, _, patients, splits = cohort()
    probes: list[Probe] = []

    def keeping(*given: Any, **more: Any) -> Probe:
        probes.append(fit(*given, **more))
        return probes[-1]

    monkeypatch.setattr(linear_module, "fit_probe", keeping)
    names, few = (0.3, 1.0), {"draws": 1, "resamples": 20}
    linear_probe({"good": features}, truth, patients, splits, NAMES, names, **few)
    return probes


def alike(one: list[Probe], two: list[Probe]) -> bool:
    return all(
        np.array_equal(a.penalties, b.penalties)
        and np.array_equal(a.weights, b.weights)
        and np.array_equal(a.intercepts, b.intercepts)
        and np.array_equal(a.axes.mean, b.axes.mean)
        and np.array_equal(a.axes.scale, b.axes.scale)
        and np.array_equal(a.cross_fitted, b.cross_fitted, equal_nan=True)
        for a, b in zip(one, two, strict=True)
    )


def poisons() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The cohort with its test rows altered: labels turned, taken away, features of elsewhere."""
    features, truth, _, _ = cohort()
    good = features["good"]
    turned, gone, moved, constant = truth.copy(), truth.copy(), good.copy(), good.copy()
    turned[TEST] = 1 - turned[TEST]
    gone[TEST] = np.nan
    gone[100:102] = [[0] * 3, [1] * 3]
    moved[TEST] = 1000 - 50 * moved[TEST]
    constant[TEST] = 1e6
    return {"turned": (good, turned), "gone": (good, gone), "moved": (moved, truth),
            "constant": (constant, truth)}  # fmt: skip


@pytest.mark.parametrize("poison", ["turned", "gone", "moved", "constant"])
def test_test_rows_change_nothing_of_what_is_fitted(
    poison: str, solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Penalty, weights, standardisation and out-of-fold scores, bit for bit."""
    features, truth, _, _ = cohort()
    clean = fitted(fit_probe, features["good"], truth, monkeypatch)
    assert all(probe.axes.large == (solver == "large") for probe in clean[1:])
    assert alike(clean, fitted(fit_probe, *poisons()[poison], monkeypatch))


def test_a_fit_with_test_rows_in_it_is_seen(solver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The leak that the test above is there for: sweep and fit on training and test rows."""
    _, _, patients, _ = cohort()

    def leaking(features: np.ndarray, truth: np.ndarray) -> Fit:
        def fit(own: np.ndarray, known: np.ndarray, people: Sequence[str], **more: Any) -> Probe:
            rows = np.concatenate([own, features[TEST]])
            labels = np.concatenate([known, truth[TEST]])
            found = fit_probe(rows, labels, [*people, *patients[TEST]], **more)
            return replace(found, cross_fitted=found.cross_fitted[: len(own)])

        return fit

    features, truth, _, _ = cohort()
    clean = fitted(leaking(features["good"], truth), features["good"], truth, monkeypatch)
    for altered in poisons().values():
        assert not alike(clean, fitted(leaking(*altered), *altered, monkeypatch))


def test_test_rows_change_nothing_of_what_neighbours_choose() -> None:
    features, truth, patients, splits = cohort()
    few = {"fractions": (0.3, 1.0), "draws": 2, "resamples": 20}
    clean = knn_probe({"good": features["good"]}, truth, patients, splits, NAMES, **few)
    for codes, labels in poisons().values():
        found = knn_probe({"good": codes}, labels, patients, splits, NAMES, **few)
        assert [row.penalties for row in found.rows] == [row.penalties for row in clean.rows]


# few-shot draws that use more than K labels


def noted(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The labels that every few-shot fit is given."""
    given: list[np.ndarray] = []

    def fit(features: Any, truth: np.ndarray, people: Sequence[str], **more: Any) -> Probe:
        given.append(truth.copy())
        return fit_probe(features, truth, people, **more)

    monkeypatch.setattr(few_shot_module, "fit_probe", fit)
    return given


@pytest.mark.parametrize("shots", [1, 4])
def test_a_few_shot_fit_is_given_k_labels_a_class(
    shots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, truth, patients, splits = cohort()
    given = noted(monkeypatch)
    few_shot_probe(features, truth, patients, splits, NAMES, [shots], draws=3, resamples=20)
    assert len(given) == 6
    for labels in given:
        assert (labels == 1).sum(axis=0).tolist() == [shots] * 3
        assert (labels == 0).sum(axis=0).tolist() == [shots] * 3


def without_the_rest(truth: np.ndarray, task: Task, shots: int) -> np.ndarray:
    """The truth as somebody has it who read only the labels of the first draw."""
    (budget,) = shot_level(task, shots, 1, 0).budgets
    known = np.full(truth.shape, np.nan)
    known[budget.rows] = budget.truth
    known[TEST] = truth[TEST]
    return known


@pytest.mark.parametrize("shots", [1, 4])
def test_labels_beyond_k_need_not_exist(shots: int, monkeypatch: pytest.MonkeyPatch) -> None:
    features, truth, patients, splits = cohort()
    known = without_the_rest(truth, make_task(truth, patients, splits, NAMES), shots)
    assert np.isnan(known[TRAIN]).mean() > 0.7

    def rows(labels: np.ndarray) -> Any:
        found = few_shot_probe(
            features, labels, patients, splits, NAMES, [shots], draws=1, resamples=20
        )
        return found.rows

    assert repr(rows(truth)) == repr(rows(known))  # K = 1 decides nothing: NaN
    honest = few_shot_module.shot_level

    def leaking(task: Task, *more: Any) -> Level:
        """All labels of the studies drawn, also those that were drawn for another label."""
        level = honest(task, *more)
        return replace(level, budgets=[Budget(b.rows, task.truth[b.rows]) for b in level.budgets])

    monkeypatch.setattr(few_shot_module, "shot_level", leaking)
    given = noted(monkeypatch)
    assert rows(truth) != rows(known)
    assert (given[0] == 0).sum(axis=0).max() > shots


def test_neighbours_ask_nobody_without_a_label() -> None:
    """A study whose label is not in the budget has no vote, wherever it stands."""
    features, truth, patients, _ = cohort()
    known = truth[TRAIN].copy()
    known[20:, 0] = np.nan
    whole = fit_neighbours(features["good"][TRAIN], known, patients[TRAIN], [5])
    few = fit_neighbours(features["good"][:20], known[:20], patients[:20], [5])
    tested = features["good"][TEST]
    np.testing.assert_array_equal(whole.score(tested)[:, 0], few.score(tested)[:, 0])
