from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from radpair.errors import EvaluationError
from radpair.evaluation.prompts import Prompts
from radpair.evaluation.tables import zero_shot_report
from radpair.evaluation.zero_shot import encode_prompts, score_images, score_studies, zero_shot
from radpair.graphs.schema import ABSENT, PRESENT
from radpair.records import Entity, Graph

NAMES = ["Edema", "Mass"]
DIM = 6


def finding(word: str, label: str) -> Graph:
    return Graph(word, (Entity(word, label, 0, 0),))


class Axes:
    """Encodes words by a fixed table: Edema lies on axis 0, Mass on 1, absence is opposite."""

    name, hash, has_text, has_graph = "axes", "0", True, True

    def encode_texts(self, texts):
        rows = []
        for text in texts:
            row = np.zeros(DIM)
            row[0 if "edema" in text else 1] = -1 if text.startswith("no ") else 1
            row[5] = len(text) / 20
            rows.append(row / np.linalg.norm(row))
        return np.array(rows, dtype=np.float32)

    def encode_graphs(self, graphs):
        return self.encode_texts(
            [("no " if g.entities[0].label == ABSENT else "") + g.text for g in graphs]
        )


PROMPTS = {
    "Edema": Prompts(
        ("pulmonary edema", "edema"),
        ("no edema",),
        (finding("edema", PRESENT),),
        (finding("edema", ABSENT),),
    ),
    "Mass": Prompts(("a mass",), ("no mass",)),
}


def cohort():
    rng = np.random.default_rng(0)
    truth = (rng.random((60, 2)) < 0.4).astype(np.float32)
    image_study = np.sort(np.concatenate([np.arange(60), rng.integers(0, 60, size=20)]))
    images = rng.normal(size=(80, DIM)) * 0.4
    images[:, :2] += truth[image_study] - 0.5
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    patients = [f"p{i // 2}" for i in range(60)]
    return images.astype(np.float32), image_study, truth, patients


@pytest.mark.parametrize("kind", ["text", "graph"])
def test_a_score_depends_on_one_image(kind: str) -> None:
    """Defect 20."""
    images = cohort()[0]
    codes = encode_prompts(Axes(), PROMPTS, kind)
    every = score_images(images, codes)
    alone = np.concatenate([score_images(image[None], codes) for image in images])
    np.testing.assert_allclose(every, alone, atol=1e-12)
    np.testing.assert_allclose(score_images(images[::-1], codes), every[::-1], atol=1e-12)


def test_the_score_is_the_difference_of_cosines() -> None:
    images = cohort()[0]
    codes = encode_prompts(Axes(), PROMPTS)
    for row, image in enumerate(images[:5]):
        for column in range(2):
            expected = image @ codes.present[column] - image @ codes.absent[column]
            assert score_images(images, codes)[row, column] == pytest.approx(expected, abs=1e-6)


def test_an_ensemble_is_averaged_and_normalised() -> None:
    codes = encode_prompts(Axes(), PROMPTS)
    mean = Axes().encode_texts(PROMPTS["Edema"].present).mean(axis=0)
    np.testing.assert_allclose(codes.present[0], mean / np.linalg.norm(mean), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(codes.present, axis=1), 1, atol=1e-6)


def test_results_hold_the_auroc_of_study_means() -> None:
    images, image_study, truth, patients = cohort()
    studies = np.arange(20, 60)
    codes = encode_prompts(Axes(), PROMPTS)
    found = zero_shot(
        "axes", images, image_study, codes, truth, patients, NAMES, studies, resamples=100
    )
    scores = score_images(images, codes)
    for column, name in enumerate(NAMES):
        means = [scores[image_study == study, column].mean() for study in studies]
        label = found["metrics"]["auroc"]["labels"][name]
        assert label["value"] == pytest.approx(roc_auc_score(truth[studies, column], means))
        assert label["low"] <= label["value"] <= label["high"]
    assert (found["studies"], found["patients"], found["unprompted"]) == (40, 20, [])
    json.dumps(found, allow_nan=False)


def test_labels_without_prompts_of_the_kind_are_named() -> None:
    images, image_study, truth, patients = cohort()
    codes = encode_prompts(Axes(), PROMPTS, "graph")
    found = zero_shot(
        "axes", images, image_study, codes, truth, patients, NAMES, np.arange(60), resamples=20
    )
    assert found["unprompted"] == ["Mass"]
    assert list(found["metrics"]["auroc"]["labels"]) == ["Edema"]
    with pytest.raises(EvaluationError, match="no label has prompts: labels are Nodule"):
        zero_shot("m", images, image_study, codes, truth[:, :1], patients, ["Nodule"], np.arange(9))


def test_impossible_questions_are_refused() -> None:
    model = Axes()
    with pytest.raises(EvaluationError, match="unknown kind of prompt 'speech'"):
        encode_prompts(model, PROMPTS, "speech")
    with pytest.raises(EvaluationError, match="no graph prompts for any label"):
        encode_prompts(model, {"Mass": PROMPTS["Mass"]}, "graph")
    model.has_graph = False
    with pytest.raises(EvaluationError, match="model 'axes' has no graph tower"):
        encode_prompts(model, PROMPTS, "graph")


def test_prompts_with_equal_codes_and_constant_scores_are_refused() -> None:
    """An AUROC of 0.5 would hide them."""
    class_of_one = {"Mass": Prompts(("mass",), ("nope",))}
    with pytest.raises(
        EvaluationError, match=r"label 'Mass': .*'axes'.*\('mass'\) and absent \('nope'\)"
    ):
        encode_prompts(Axes(), class_of_one)
    images, image_study, truth, patients = cohort()
    codes = encode_prompts(Axes(), PROMPTS)
    given = (codes, truth, patients, NAMES, np.arange(60))
    with pytest.raises(EvaluationError, match=r"label 'Edema'.*scores all 60 studies the same"):
        zero_shot("axes", np.tile(images[:1], (80, 1)), image_study, *given, resamples=20)


def test_the_table_says_which_labels_its_mean_is_over() -> None:
    images, image_study, truth, patients = cohort()
    found = [
        zero_shot(
            *("axes", images, image_study, encode_prompts(Axes(), PROMPTS, kind)),
            *(truth, patients, NAMES, np.arange(60)),
            resamples=20,
        )
        for kind in ("text", "graph")
    ]
    told = zero_shot_report(found)
    assert "mean over 1 of 2 labels" in told.splitlines()[3]
    assert "mean over" not in told.splitlines()[2]
    assert "without graph prompts: Mass" in told
    assert "chance is 0.500" in told
    (line,) = [line for line in told.splitlines() if line.startswith("Mass")]
    assert line.endswith("no prompts")
    assert "no operating point" in told


def test_a_label_of_one_class_is_undefined_with_the_reason() -> None:
    images, image_study, truth, patients = cohort()
    truth[:, 1] = 0
    codes = encode_prompts(Axes(), PROMPTS, "text")
    tested, validation = np.arange(30, 60), np.arange(30)
    given = (codes, truth, patients, NAMES, tested)
    found = zero_shot("axes", images, image_study, *given, validation=validation, resamples=20)
    missing = found["metrics"]["auroc"]["labels"]["Mass"]
    assert missing["value"] is None
    assert missing["note"] == "none of the 30 labelled studies is positive"
    why = found["thresholds"]["missing"]["Mass"]
    assert (
        why == "no threshold: in the split 'validate' none of the 30 labelled studies is positive"
    )
    assert found["metrics"]["specificity"]["labels"]["Mass"]["note"] == why
    told = zero_shot_report([found])
    assert "undefined and in no mean: Mass (none of the 30 labelled studies is positive)" in told
    assert "Mass has no threshold" in told
    assert "30 studies of the split 'validate'" in told


@pytest.mark.parametrize("views", ["mean", "max"])
def test_a_study_scores_its_images(views: str) -> None:
    images, image_study, *_ = cohort()
    codes = encode_prompts(Axes(), PROMPTS, "text")
    ids = [f"s{study}" for study in range(60)]
    every = score_images(images, codes)
    found = score_studies(images, image_study, codes, NAMES, ids, views)
    over = {"mean": np.mean, "max": np.max}[views]
    expected = [over(every[image_study == study], axis=0) for study in range(60)]
    np.testing.assert_allclose(found, expected, atol=1e-6)
