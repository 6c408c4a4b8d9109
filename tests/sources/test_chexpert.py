"""CheXpert in each of its layouts, beside a slow reading of the fake's own list of images."""

from __future__ import annotations

import csv
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from radpair.errors import SourceError
from radpair.records import Study
from radpair.sources.chexpert import CheXpert, agreed
from radpair.sources.dataset import share_of
from radpair.studyset import StudySet, write
from sources.fakes.chexpert import NAMES, FakeImage, fake_images, make

READERS = Path(__file__).parents[2] / ".." / "shared" / "data" / "chexpert-readers"
WORDS = {"AP": "AP", "PA": "PA"}
Seen = dict[str, tuple[Any, ...]]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return make(tmp_path / "CheXpert-v1.0-small")


def expected(*parts: str, attributes: bool = True) -> Seen:
    """Studies by their ids: patient, part, views, labels, attributes."""
    found: Seen = {}
    images: list[FakeImage] = [image for part in parts for image in fake_images(part)]
    for image in images:
        key = f"{image.patient}/{image.study}"
        same = [i for i in images if (i.patient, i.study) == (image.patient, image.study)]
        views = [
            (i.path, "LATERAL" if "lateral" in i.file else WORDS.get(i.cells[3], "")) for i in same
        ]
        labels = [float(value) if value else None for value in image.labels]
        told = {"sex": image.cells[0], "age": image.cells[1]} if attributes else {}
        found[key] = (image.patient, image.part, views, labels, told)
    return found


def seen(study: Study) -> tuple[Any, ...]:
    labels = [None if math.isnan(study.labels[n]) else study.labels[n] for n in NAMES]
    part = study.views[0].path.split("/")[0]
    views = [(view.path, view.position) for view in study.views]
    return (study.patient_id, part, views, labels, dict(study.attributes))


def refused(root: Path, *parts: str, **options: Any) -> None:
    with pytest.raises(SourceError) as caught:
        list(CheXpert(root=root, **options).studies())
    for part in parts:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_version_one_and_its_small_copy(small: Path) -> None:
    found = {study.study_id: seen(study) for study in CheXpert(root=small).studies()}
    assert found == expected("train", "valid")
    assert list(found) == list(expected("train", "valid"))
    renamed = small.rename(small.parent / "mine")
    assert {s.study_id: seen(s) for s in CheXpert(root=renamed).studies()} == found


def test_the_batches_of_the_download(tmp_path: Path) -> None:
    root = make(tmp_path / "chexpertchestxrays-u20210408", batches=True)
    source = CheXpert(root=root)
    studies = list(source.studies())
    assert [study.study_id for study in studies] == list(expected("train", "valid"))
    for study in studies:
        for view in range(len(study.views)):
            assert source.path_of(study, view).is_file()


@pytest.mark.parametrize("table", ["test_labels.csv", "test.csv", "groundtruth.csv"])
def test_the_test_set(tmp_path: Path, table: str) -> None:
    root = make(tmp_path / "CheXpert-v1.0", test=table)
    studies = list(CheXpert(root=root).studies())
    tested = {study.study_id: study for study in studies if study.split == "test"}
    plain = expected("test", attributes=False)
    for key, (patient, part, views, labels, told) in plain.items():
        views = [(path, word if word == "LATERAL" else "") for path, word in views]
        assert seen(tested[key]) == (patient, part, views, labels, told)
    assert tested.keys() == plain.keys()
    splits = {study.patient_id: study.split for study in studies}
    assert {splits[image.patient] for image in fake_images("train")} == {"train"}
    assert {splits[image.patient] for image in fake_images("valid")} == {"validate"}
    refused(root, "has the test set", "--valid-as test", valid_as="test")
    (root / table).unlink()
    refused(root, "test: has no table of its labels", "test_labels.csv")


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_without_the_test_set_valid_is_the_test_and_some_patients_are_held_out(
    small: Path, share: float
) -> None:
    by_patient = {s.patient_id: s.split for s in CheXpert(root=small, validate=share).studies()}
    assert by_patient == {
        **{i.patient: "test" for i in fake_images("valid")},
        **{
            i.patient: "validate" if share_of(i.patient) < share else "train"
            for i in fake_images("train")
        },
    }
    kept = {s.patient_id: s.split for s in CheXpert(root=small, valid_as="validate").studies()}
    assert set(kept.values()) == {"train", "validate"}


def test_from_folder_to_study_set(small: Path, tmp_path: Path) -> None:
    picture = small / next(fake_images("train")).path
    picture.write_bytes(picture.read_bytes()[:100])
    summary = write(CheXpert(root=small, validate=0.5), tmp_path / "set", size=32, processes=1)
    images = [*fake_images("train"), *fake_images("valid")]
    assert summary.images == len(images) - 1
    assert summary.quarantined_images == 1
    assert summary.unusable_reports == 0
    assert summary.patients == len({image.patient for image in images})
    assert StudySet.open(tmp_path / "set").study_ids == list(expected("train", "valid"))
    assert all(summary.splits.values())


@pytest.mark.skipif(not READERS.is_dir(), reason="the readers' table is not beside this checkout")
def test_the_real_table_of_the_test_set(small: Path) -> None:
    shutil.copy(READERS / "groundtruth.csv", small / "groundtruth.csv")
    tested = {s.study_id: s for s in CheXpert(root=small).studies() if s.split == "test"}
    with (READERS / "groundtruth.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(tested) == len(rows) == 500
    for row in rows:
        study = tested["/".join(row["Study"].split("/")[2:])]
        assert dict(study.labels) == {name: float(row[name]) for name in NAMES}


def test_images_that_disagree_are_uncertain() -> None:
    nan = math.nan
    rows = [{"a": 1.0, "b": nan, "c": nan, "d": 0.0}, {"a": 0.0, "b": 1.0, "c": nan, "d": 0.0}]
    merged = agreed(rows)
    assert math.isnan(merged.pop("c"))
    assert merged == {"a": -1.0, "b": 1.0, "d": 0.0}


def test_wrong_folders(small: Path, tmp_path: Path) -> None:
    refused(tmp_path, "CheXpert-v1.0-small has; give that folder")
    plus = tmp_path / "x" / "plus"
    plus.mkdir(parents=True)
    refused(plus, "has no train.csv; download CheXpert from https://aimi.stanford.edu")
    (plus / "df_chexpert_plus_240401.csv").write_text("")
    refused(plus, "radpair ingest chexpert-plus")
    refused(small, "has no train_cheXbert.csv", train_table="train_cheXbert.csv")
    (small / "valid.csv").unlink()
    refused(small, "has no valid.csv")


def test_no_image_at_all(small: Path) -> None:
    shutil.rmtree(small / "train")
    shutil.rmtree(small / "valid")
    refused(small, "not one image", "such as train/patient00001/study1/view1_frontal.jpg")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("/patient00001/study1/", "/../study1/", "is not one below the dataset's folder"),
        ("/patient00001/study1/", "/00001/study1/", "is no path of CheXpert"),
        ("Pleural Other", "Pleural Thing", "has no column 'Pleural Other'"),
    ],
)
def test_damaged_tables(small: Path, old: str, new: str, words: str) -> None:
    text = (small / "train.csv").read_text()
    (small / "train.csv").write_text(text.replace(old, new, 1))
    refused(small, "train.csv", words)


def test_impossible_options(small: Path) -> None:
    refused(small, "valid_as is 'train'", valid_as="train")
    refused(small, "validate is 1.5", validate=1.5)
