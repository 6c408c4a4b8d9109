"""Studies of several images: the mean of their features, or the highest of their scores."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from radpair.errors import EvaluationError
from radpair.evaluation.few_shot import few_shot_probe
from radpair.evaluation.linear import linear_probe
from radpair.evaluation.neighbours import fit_neighbours, knn_probe
from radpair.evaluation.probe import fit_probe
from radpair.evaluation.statistics import auroc
from radpair.evaluation.views import Views, fit_views

NAMES = ["Nodule"]
STUDIES = 160
QUICK = {"draws": 2, "resamples": 100}


def cohort(seed: int = 0):
    """A finding that one of a study's up to three images shows, the others not."""
    rng = np.random.default_rng(seed)
    owner = rng.permutation(np.repeat(np.arange(STUDIES), 1 + np.arange(STUDIES) % 3))
    truth = (rng.random((STUDIES, 1)) < 0.5).astype(float)
    codes = rng.normal(size=(len(owner), 6)).astype(np.float32)
    for study in np.flatnonzero(truth[:, 0] == 1):
        codes[rng.choice(np.flatnonzero(owner == study)), 0] += 4
    patients = [f"p{study // 2}" for study in range(STUDIES)]
    splits = np.where(np.arange(STUDIES) < 100, "train", "test")
    return codes, owner, truth, patients, splits


def views(codes: np.ndarray, owner: np.ndarray, how: str = "max") -> Views:
    return Views(codes, owner, [f"s{study}" for study in range(STUDIES)], how)


def means(codes: np.ndarray, owner: np.ndarray) -> np.ndarray:
    return np.stack([codes[owner == study].mean(axis=0) for study in range(STUDIES)])


def test_taken_by_study_in_any_order() -> None:
    codes, owner, *_ = cohort()
    rows = np.array([7, 3, 3, 150])
    taken = views(codes, owner)[rows]
    assert (taken.shape, len(taken), taken.ids) == ((4, 6), 4, ["s7", "s3", "s3", "s150"])
    for place, study in enumerate(rows):
        np.testing.assert_array_equal(taken.codes[taken.owner == place], codes[owner == study])


@pytest.mark.parametrize("how", ["mean", "max"])
def test_a_probe_of_images_scores_studies_image_by_image(how: str) -> None:
    codes, owner, truth, patients, _ = cohort()
    rows, tested = np.arange(100), np.arange(100, STUDIES)
    given = views(codes, owner, how)
    found = fit_views(fit_probe, given[rows], truth[rows], patients[:100])
    images = np.concatenate([np.flatnonzero(owner == study) for study in rows])
    alone = fit_probe(codes[images], truth[owner[images]], [patients[s] for s in owner[images]])
    over = {"mean": np.mean, "max": np.max}[how]
    expected = [over(alone.score(codes[owner == study])) for study in tested]
    np.testing.assert_allclose(found.score(given[tested])[:, 0], expected, atol=1e-6)
    held = [over(alone.cross_fitted[owner[images] == study]) for study in rows]
    np.testing.assert_allclose(found.cross_fitted[:, 0], held, atol=1e-6)
    assert found.chosen == alone.penalties
    assert found.constant == (None,)


def test_the_mean_of_features_is_the_mean_of_scores() -> None:
    codes, owner, truth, patients, _ = cohort()
    probe = fit_probe(means(codes, owner)[:100], truth[:100], patients[:100])
    by_image = views(codes, owner, "mean").of_studies(probe.score(codes))
    np.testing.assert_allclose(by_image, probe.score(means(codes, owner)), atol=1e-5)


@pytest.mark.parametrize("probe", [linear_probe, knn_probe, few_shot_probe])
def test_the_highest_score_finds_what_one_image_shows(probe) -> None:
    codes, owner, truth, patients, splits = cohort()
    budget = [20] if probe is few_shot_probe else [1.0]
    data = (truth, patients, splits, NAMES, budget)
    highest = probe({"one": views(codes, owner)}, *data, **QUICK)
    mean = probe({"one": means(codes, owner)}, *data, **QUICK)
    assert (highest.settings["views"], mean.settings["views"]) == ("max", "mean")
    areas = [found.rows[0].metrics["auroc"].macro.value for found in (highest, mean)]
    assert areas[0] > areas[1]


def test_test_images_change_no_probe() -> None:
    codes, owner, truth, patients, splits = cohort()
    taken = []

    def keep(model: str, level: object, scores: np.ndarray) -> None:
        taken.append(scores)

    first = np.flatnonzero(owner == 120)
    for shift in (0.0, 5.0):
        moved = codes.copy()
        moved[first] += shift
        data = (truth, patients, splits, NAMES, [1.0])
        linear_probe({"one": views(moved, owner)}, *data, **QUICK, on_scores=keep)
    others = np.arange(60) != 20
    np.testing.assert_array_equal(taken[0][:, others], taken[1][:, others])
    assert auroc(taken[0][0], truth[100:])[0] > 0.7


def test_an_unknown_way_and_an_empty_study_are_refused() -> None:
    codes, owner, *_ = cohort()
    with pytest.raises(EvaluationError, match="did you mean 'max'"):
        views(codes, owner, "maxi")
    with pytest.raises(EvaluationError, match="'s5' has no scored image"):
        views(codes[owner != 5], owner[owner != 5]).of_studies(codes[owner != 5])


@pytest.mark.parametrize("studies", [1500, 2600])
def test_nearest_neighbours_of_many_images_decide(studies: int) -> None:
    """Above 4,096 images k is chosen on whole patients, so studies keep out-of-fold scores."""
    rng = np.random.default_rng(0)
    everyone = studies + 200
    truth = (rng.random((everyone, 1)) < 0.4).astype(float)
    codes = rng.normal(size=(2 * everyone, 8)).astype(np.float32)
    codes[:, 0] += 3 * np.repeat(truth[:, 0], 2)
    owner, ids = np.repeat(np.arange(everyone), 2), [str(i) for i in range(everyone)]
    splits = np.where(np.arange(everyone) < studies, "train", "test")
    given = Views(codes, owner, ids, "max")
    row = knn_probe({"one": given}, truth, ids, splits, NAMES, [1.0], 1, resamples=100).rows[0]
    metrics = {name: one.macro.value for name, one in row.metrics.items()}
    assert metrics["sensitivity"] > 0.8
    assert metrics["specificity"] > 0.8
    assert metrics["mcc"] > 0.7
    probe = fit_views(fit_neighbours, given[np.arange(studies)], truth[:studies], ids[:studies])
    held = (~np.isnan(probe.cross_fitted)).sum()
    assert held == (studies if 2 * studies <= 4096 else 2048)


def test_a_large_probe_holds_out_studies_of_many_images_as_often_as_of_one() -> None:
    rng = np.random.default_rng(0)
    studies = 24_000
    views = np.where(np.arange(studies) % 2 == 0, 1, 4)
    owner = np.repeat(np.arange(studies), views)
    truth = (rng.random((studies, 1)) < 0.3).astype(float)
    codes = rng.normal(size=(len(owner), 80)).astype(np.float32)
    codes[:, 0] += truth[owner, 0]
    ids = [str(i) for i in range(studies)]
    given = Views(codes, owner, ids, "max")
    found = fit_views(lambda *learned: fit_probe(*learned, penalties=[10.0]), given, truth, ids)
    held = ~np.isnan(found.cross_fitted[:, 0])
    one, four = (held[views == count].mean() for count in (1, 4))
    assert found.probe.axes.large
    assert 0.8 < one / four < 1.25


@pytest.mark.parametrize("how", ["mean", "max"])
def test_a_study_scores_by_those_of_its_images_that_were_held_out(how: str) -> None:
    codes, owner = np.zeros((5, 2), dtype=np.float32), np.array([0, 0, 1, 1, 2])
    held = np.array([[-3.0], [np.nan], [-2.0], [-1.0], [np.nan]])
    probe = SimpleNamespace(cross_fitted=held)
    given = Views(codes, owner, ["a", "b", "c"], how)
    found = fit_views(lambda *_: probe, given, np.zeros((3, 1)), ["a", "b", "c"])
    expected = {"mean": [-3.0, -1.5, np.nan], "max": [-3.0, -1.0, np.nan]}[how]
    np.testing.assert_allclose(found.cross_fitted[:, 0], expected)
