"""Images with their texts beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from radpair.cli import main
from radpair.sources.pairs import Pairs
from sources.fakes.pairs import TEXTS, make
from sources.fakes.pictures import picture
from sources.source_checks import ingested, paths, refused, rows


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path / "films")


def stop(root: Path, *parts: str, **options: Any) -> None:
    refused(lambda: list(Pairs(root=root, **options).studies()), *parts)


def test_images_and_texts_of_one_name_are_one_study(root: Path) -> None:
    studies = {study.study_id: study for study in Pairs(root=root).studies()}
    assert {name: paths(study) for name, study in studies.items()} == {
        "p1/a": ["p1/a.png"],
        "p1/b": ["p1/b.dcm", "p1/b.jpg"],
        "p2/alone": ["p2/alone.png"],
        "p2/damaged": ["p2/damaged.png"],
        "p2/deep/a": ["p2/deep/a"],
        "p3/gone": [],
    }
    for name, study in studies.items():
        assert study.report == TEXTS.get(name, "")
        assert study.patient_id == name.rpartition("/")[0]


def test_ingest_end_to_end(root: Path, tmp_path: Path) -> None:
    source = Pairs(root=root, patient_pattern="^([^/]+)/")
    assert len(ingested(source, tmp_path / "set")) == 4
    images = [row for row in rows(tmp_path / "set", "quarantine") if row["kind"] == "image"]
    assert {row["study_id"]: row["path"] for row in images} == {
        "p2/damaged": "p2/damaged.png",
        "p3/gone": "",
    }
    patients = {row["study_id"]: row["patient_id"] for row in rows(tmp_path / "set", "studies")}
    assert patients["p2/deep/a"] == patients["p2/alone"] == "p2"


def test_films_in_one_folder_need_a_pattern(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("007_1", "007_2", "009_1"):
        picture(tmp_path / "flat" / f"{name}.png")
        (tmp_path / "flat" / f"{name}.txt").write_text("Clear.")
    root = tmp_path / "flat"
    with pytest.raises(SystemExit):
        main(["ingest", "pairs", str(root), "--out", str(tmp_path / "none"), "--processes", "1"])
    assert "007_1.png: lies in no folder" in capsys.readouterr().err
    stop(root, "the pattern '007' has no group", patient_pattern="007")
    stop(root, "007_1.png", "finds no patient", patient_pattern="p([0-9]+)")
    stop(root, "is no regular expression", patient_pattern="[")
    given = ["--out", str(tmp_path / "set"), "--size", "32", "--processes", "1"]
    main(["ingest", "pairs", str(root), "--patient-pattern", "([0-9]+)_", *given])
    assert "3 studies of 2 patients" in capsys.readouterr().out


def test_faults_are_named(root: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "x.csv").touch()
    stop(tmp_path / "none", "holds no image")
    stop(tmp_path / "gone", "is no folder")


def test_what_cannot_be_told_of_one_study_stops_no_other(root: Path, tmp_path: Path) -> None:
    (root / "p1" / "a.txt").write_bytes("Herzgröße".encode("latin-1"))
    picture(root / "top.png")
    (root / "top.txt").write_text("Clear.")
    (root / "p2" / "alone.txt").write_text(" ")
    (root / "p2" / "deep" / "a.txt").unlink(missing_ok=True)
    assert len(ingested(Pairs(root=root), tmp_path / "set")) == 3
    reasons = {row["path"]: row["reason"] for row in rows(tmp_path / "set", "quarantine")}
    assert reasons["p1/a.png"] == (
        "p1/a.png: its .txt file is not UTF-8 (line 1, byte 6); save that with UTF-8 encoding"
    )
    assert reasons["top.png"].startswith("top.png: lies in no folder, so its patient is not told;")
    assert reasons["p2/alone.png"] == "empty report"
    assert reasons["p2/deep/a"] == "no .txt file beside it"
