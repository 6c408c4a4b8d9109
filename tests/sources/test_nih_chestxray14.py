"""NIH ChestX-ray14 beside a slow reading of the fake's own list of films."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from radpair.sources.dataset import share_of
from radpair.sources.nih_chestxray14 import LABELS, NihChestXray14
from radpair.studyset import StudySet
from sources.fakes.nih_chestxray14 import FILMS, TESTED, make
from sources.source_checks import ingested, refused, rows

TABLE = "Data_Entry_2017_v2020.csv"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path / "nih")


def stop(root: Path, *parts: str, **options: Any) -> None:
    refused(lambda: list(NihChestXray14(root=root, **options).studies()), *parts)


def test_films_are_as_the_table_says(root: Path) -> None:
    studies = list(NihChestXray14(root=root).studies())
    assert len(LABELS) == 14
    for number, (study, film) in enumerate(zip(studies, FILMS, strict=True)):
        name, found, follow_up, patient, _, sex, view = film
        assert study.study_id == name[:-4]
        assert study.patient_id == str(patient)
        path = f"images_{1 + number // 5:03d}/images/{name}"
        assert [(v.path, v.position) for v in study.views] == [(path, view)]
        assert list(study.labels) == list(LABELS)
        present = {label for label, value in study.labels.items() if value == 1}
        assert present == set(found.split("|")) - {"No Finding"}
        assert set(study.labels.values()) <= {0.0, 1.0}
        assert study.attributes["sex"] == sex
        assert study.attributes["follow_up"] == str(follow_up)
    assert [s.attributes["age"] for s in studies][-3:] == ["411", "69", "70"]


def test_official_splits_hold_out_whole_patients(root: Path) -> None:
    for share in (0.0, 0.5, 0.9):
        for study in NihChestXray14(root=root, validate=share).studies():
            patient = int(study.patient_id)
            held = "validate" if share_of(str(patient)) < share else "train"
            assert study.split == ("test" if patient in TESTED else held)
    seeded = NihChestXray14(root=root, splits="seeded")
    (root / "test_list.txt").unlink()
    assert {study.split for study in seeded.studies()} == {""}


@pytest.mark.parametrize("flat", [False, True])
def test_ingest_of_either_table_and_layout(tmp_path: Path, flat: bool) -> None:
    old = make(tmp_path / "old", table="Data_Entry_2017.csv", flat=flat)
    (old / ("images" if flat else "images_001/images") / "00000002_000.png").unlink()
    studies = ingested(NihChestXray14(root=old), tmp_path / "set")
    assert isinstance(studies, StudySet)
    assert len(studies) == len(FILMS) - 1
    (entry,) = rows(tmp_path / "set", "quarantine")
    assert (entry["study_id"], entry["row"]) == ("00000002_000", 4)
    assert "no such file" in str(entry["reason"])


def test_linked_image_folders_are_followed(root: Path, tmp_path: Path) -> None:
    expected = list(NihChestXray14(root=root).studies())
    moved = shutil.move(root / "images_001", tmp_path / "elsewhere")
    (root / "images_001").symlink_to(moved)
    (root / "again").symlink_to(root)
    assert list(NihChestXray14(root=root).studies()) == expected


def test_faults_are_named(root: Path, tmp_path: Path) -> None:
    def with_table(old: str, new: str) -> Path:
        copy = shutil.copytree(root, tmp_path / "copy", dirs_exist_ok=True)
        text = (root / TABLE).read_text()
        assert old in text
        (copy / TABLE).write_text(text.replace(old, new, 1))
        return copy

    stop(with_table("|Emphysema", "|Emphysima"), TABLE, "row 3", "did you mean 'Emphysema'?")
    stop(with_table("00000001_001.png", "00000001_000.png"), "row 3", "stands in row 2 already")
    stop(with_table("00000004_000.png", "00000009_000.png"), "row 7", "neither in train_val_list")
    stop(with_table("Image Index", "Picture"), TABLE, "is not NIH's table", "download")
    stop(with_table(",0,2,80", ",0,,80"), "row 4", "has no image or patient")
    copy = with_table("00000001", "00000001")
    (copy / "train_val_list.txt").write_text("00000003_000.png\n")
    stop(copy, "test_list.txt, line 1", "is in train_val_list.txt too")
    (copy / "test_list.txt").unlink()
    stop(copy, "test_list.txt", "--splits seeded")
    stop(copy, "splits is 'random'", splits="random")
    stop(copy, "validate is 1.5", validate=1.5)
    (copy / TABLE).unlink()
    stop(copy, TABLE, "https://nihcc")
    for part in root.glob("images_*"):
        shutil.rmtree(part)
    stop(root, "holds no images", "images_001.tar.gz")
