"""The RSNA challenge beside a slow reading of the fake's own list of films."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from radpair.sources.rsna_pneumonia import MAPPINGS, RsnaPneumonia
from sources.fakes.rsna_pneumonia import FILMS, NORMAL, OPACITY, make
from sources.source_checks import ingested, paths, refused, rows

TARGETS, CLASSES = "stage_2_train_labels.csv", "stage_2_detailed_class_info.csv"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path / "rsna")


def stop(root: Path, *parts: str) -> None:
    refused(lambda: list(RsnaPneumonia(root=root).studies()), *parts)


@pytest.mark.parametrize("mappings", [True, False])
def test_films_are_as_the_tables_and_headers_say(tmp_path: Path, mappings: bool) -> None:
    root = make(tmp_path / "rsna", mappings)
    for study, film in zip(RsnaPneumonia(root=root).studies(), FILMS, strict=True):
        name, kind, nih, sex, age, view, _ = film
        assert study.study_id == name
        assert study.patient_id == (f"nih-{nih[:8]}" if mappings else name)
        assert paths(study) == [f"stage_2_train_images/{name}.dcm"]
        assert study.views[0].position == view
        assert study.labels == {"Pneumonia": kind == OPACITY, "Normal": kind == NORMAL}
        assert study.attributes == {"class": kind, "sex": sex, "age": age}
        assert study.split == ""


def test_ingest_keeps_a_persons_films_together(root: Path, tmp_path: Path) -> None:
    gone = root / "stage_2_train_images" / f"{FILMS[1][0]}.dcm"
    gone.write_bytes(gone.read_bytes()[:200])
    studies = ingested(RsnaPneumonia(root=root), tmp_path / "set")
    assert len(studies) == 3
    (entry,) = rows(tmp_path / "set", "quarantine")
    assert entry["path"] == f"stage_2_train_images/{gone.name}"
    lines = (root / "stage_2_train_labels.csv").read_text().splitlines()
    first = next(number for number, line in enumerate(lines, 1) if line.startswith(FILMS[1][0]))
    assert entry["row"] == first
    splits = {row["split"] for row in rows(tmp_path / "set", "studies") if row["patient_id"]}
    persons = [row["patient_id"] for row in rows(tmp_path / "set", "studies")]
    assert persons.count("nih-00000021") == 2
    assert splits <= {"train", "validate", "test"}
    options = RsnaPneumonia(root=root).options()
    assert set(options["tables"]) == {TARGETS, CLASSES, MAPPINGS}


def test_faults_are_named(root: Path, tmp_path: Path) -> None:
    def with_text(name: str, old: str, new: str) -> Path:
        copy = shutil.copytree(root, tmp_path / "copy", dirs_exist_ok=True)
        text = (root / name).read_text()
        assert old in text
        (copy / name).write_text(text.replace(old, new, 1))
        return copy

    film = FILMS[1][0]
    stop(with_text(TARGETS, ",,,,0", ",,,,2"), "row 2, column 'Target'", "neither 0 nor 1")
    stop(with_text(TARGETS, "379.0,1", "379.0,0"), film, "has both targets")
    stop(with_text(CLASSES, f",{OPACITY}", ",Opacity"), "row 3, column 'class'", "is none of")
    stop(with_text(CLASSES, FILMS[0][0], "other"), "has no row of the film", FILMS[0][0])
    stop(with_text(CLASSES, f",{NORMAL}", f",{OPACITY}"), "Target 0", "download both again")
    stop(with_text(MAPPINGS, "subset_img_id", "img"), MAPPINGS, "subset_img_id")
    stop(with_text(TARGETS, "Target", "Goal"), "has no column 'Target'")
    copy = with_text(MAPPINGS, "[", "[")
    (copy / TARGETS).write_text("patientId,x,y,width,height,Target\n")
    stop(copy, TARGETS, "has no rows")
    (copy / CLASSES).unlink()
    stop(copy, CLASSES, "https://www.kaggle.com")
    (copy / "stage_1_train_labels.csv").touch()
    stop(copy, "stage 1", "download stage 2")
    shutil.rmtree(root / "stage_2_train_images")
    stop(root, "no images in stage_2_train_images")
