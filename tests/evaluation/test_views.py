"""Studies of several images: the mean of their features, or the highest of their scores."""

from __future__ import annotations

import numpy as np
import pytest

from radpair.errors import EvaluationError
from radpair.evaluation.few_shot import few_shot_probe
from radpair.evaluation.linear import linear_probe
from radpair.evaluation.neighbours import knn_probe
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
