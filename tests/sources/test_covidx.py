"""COVIDx beside a slow reading of the fake's own lines."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from radpair.errors import StudySetError
from radpair.sources.covidx import Covidx
from radpair.studyset import write
from sources.fakes.covidx import LINES, make, make_older
from sources.source_checks import ingested, paths, refused, rows

SPLITS = {"train": "train", "val": "validate", "test": "test"}


def stop(root: Path, *parts: str, **options: Any) -> None:
    refused(lambda: list(Covidx(root=root, **options).studies()), *parts)


def test_films_are_as_the_lines_say(tmp_path: Path) -> None:
    expected = []
    for part, lines in LINES.items():
        for line in dict.fromkeys(lines):
            patient, *image, kind, origin = line.split()
            path = f"{part}/{' '.join(image)}"
            who = f"{origin.lower()}:{patient}"
            expected.append((path, who, {"COVID-19": kind == "positive"}, SPLITS[part]))
    studies = list(Covidx(root=make(tmp_path / "x")).studies())
    assert [(s.study_id, s.patient_id, s.labels, s.split) for s in studies] == expected
    assert [paths(s) for s in studies] == [[s.study_id] for s in studies]
    assert studies[-1].attributes == {"source": "rsna"}


def test_releases_without_validation_hold_patients_out(tmp_path: Path) -> None:
    root = make(tmp_path / "x", ("train", "test"))
    kept = {s.split for s in Covidx(root=root, validate=0.0).studies()}
    held = {s.split for s in Covidx(root=root, validate=0.999).studies()}
    assert (kept, held) == ({"train", "test"}, {"validate", "test"})
    assert {s.split for s in Covidx(root=root, splits="seeded").studies()} == {""}


def test_older_lists_have_three_classes(tmp_path: Path) -> None:
    root = make_older(tmp_path / "x")
    studies = list(Covidx(root=root, version="COVIDx9A", validate=0.0).studies())
    found = [[k for k, v in s.labels.items() if v] for s in studies]
    assert found == [["Pneumonia"], ["Normal"], ["COVID-19"], ["Normal"]]
    assert all(len(s.labels) == 3 for s in studies)


def test_ingest_end_to_end(tmp_path: Path) -> None:
    root = make(tmp_path / "x")
    (root / "val" / "9a.png").unlink()
    assert len(ingested(Covidx(root=root), tmp_path / "set")) == 8
    (entry,) = rows(tmp_path / "set", "quarantine")
    assert (entry["path"], entry["row"]) == ("val/9a.png", 2)


def test_a_patient_in_two_lists_is_refused_and_mended_by_the_seeded_split(tmp_path: Path) -> None:
    root = make(tmp_path / "x")
    with (root / "test.txt").open("a") as file:
        file.write("8f1c second.png negative rsna\n")
    shutil.copy(root / "train" / "8f1c.png", root / "test" / "second.png")
    with pytest.raises(StudySetError, match="patient 'rsna:8f1c' is in two splits"):
        write(Covidx(root=root), tmp_path / "official", size=32, processes=1)
    ingested(Covidx(root=root, splits="seeded"), tmp_path / "seeded")


def test_faults_are_named(tmp_path: Path) -> None:
    root = make(tmp_path / "x")
    file = root / "val.txt"
    text = file.read_text()
    file.write_text(text.replace("positive", "postive"))
    stop(root, "val.txt, line 1", "did you mean 'positive'?")
    file.write_text("9a.png negative rsna\n")
    stop(root, "val.txt, line 1", "is not 'patient file class source'")
    file.write_text(text + "9b 9a.png negative rsna\n")
    stop(root, "val.txt, line 3", "described otherwise in line 2")
    file.write_text(text.replace(" 9a.png", " ../9a.png"))
    stop(root, "val.txt, line 2", "'../9a.png' is not one below")
    file.write_bytes(b"\xff\xfe9\x00a\x00")
    stop(root, "val.txt", "is not UTF-8", "UTF-16")
    file.write_text(text)
    stop(root, "train_COVIDx8B.txt", "--version", version="COVIDx8B")
    stop(root, "splits is 'other'", splits="other")
    for part in LINES:
        shutil.rmtree(root / part)
    stop(root, "no images in train and val and test")
    (root / "test.txt").unlink()
    stop(root, "has no test.txt", "https://www.kaggle.com")
