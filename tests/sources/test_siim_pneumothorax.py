"""The SIIM-ACR challenge beside a slow reading of the fake's own list of films."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from radpair.sources.siim_pneumothorax import SiimPneumothorax
from sources.fakes.siim_pneumothorax import FILMS, UNLABELLED, make
from sources.source_checks import ingested, paths, refused, rows


def stop(root: Path, *parts: str) -> None:
    refused(lambda: list(SiimPneumothorax(root=root).studies()), *parts)


@pytest.mark.parametrize("table", ["train-rle.csv", "stage_2_train.csv"])
def test_films_are_as_the_table_and_headers_say(tmp_path: Path, table: str) -> None:
    root = make(tmp_path / "siim", table)
    studies = list(SiimPneumothorax(root=root).studies())
    for number, (study, film) in enumerate(zip(studies, FILMS, strict=True)):
        name, masks, patient, view = film
        assert study.study_id == name
        assert study.patient_id == (patient or name)
        assert study.labels == {"Pneumothorax": masks[0] != "-1"}
        assert study.views[0].position == view
        assert study.attributes == {"sex": "F", "age": "28"}
        (path,) = paths(study)
        assert (root / path).is_file()
        assert path.startswith("dicom-images-test" if number == 3 else "dicom-images-train")
    assert UNLABELLED not in {study.study_id for study in studies}


def test_ingest_end_to_end(tmp_path: Path) -> None:
    root = make(tmp_path / "siim")
    film = FILMS[1][0]
    next(root.rglob(f"{film}.dcm")).unlink()
    assert len(ingested(SiimPneumothorax(root=root), tmp_path / "set")) == 3
    (entry,) = rows(tmp_path / "set", "quarantine")
    assert entry["path"] == f"dicom-images-train/{film}.dcm"
    lines = (root / "train-rle.csv").read_text().splitlines()
    assert entry["row"] == next(n for n, line in enumerate(lines, 1) if line.startswith(film))


def test_faults_are_named(tmp_path: Path) -> None:
    root = make(tmp_path / "siim")
    table = root / "train-rle.csv"
    text = table.read_text()
    table.write_text(text.replace("175349 7", "175349 x"))
    stop(root, "row 2", "run lengths or -1")
    table.write_text(text.replace("-200 3", "-1"))
    stop(root, "row 3", FILMS[0][0], "has a region and -1")
    table.write_text(text.splitlines()[0])
    stop(root, "has no rows")
    table.write_text(text.replace("EncodedPixels", "Mask"))
    stop(root, "has no column 'EncodedPixels'")
    table.unlink()
    stop(root, "has no train-rle.csv", "https://www.kaggle.com")
    table.write_text(text)
    for part in root.glob("dicom-*"):
        shutil.rmtree(part)
    stop(root, "no images in dicom-images-train and dicom-images-test")
