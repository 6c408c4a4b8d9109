"""VinDr-CXR: one label of three readers, by every rule, beside a count by hand."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from radpair.sources.dataset import share_of
from radpair.sources.vindr_cxr import VindrCxr
from sources.fakes.vindr_cxr import LABELS, TEST, TRAIN, make, votes
from sources.source_checks import ingested, paths, refused, rows

NAMES = LABELS.format(other="Other disease").split(",")
ANNOTATIONS = "annotations/image_labels_{}.csv"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path / "vindr")


def stop(root: Path, *parts: str, **options: Any) -> None:
    refused(lambda: list(VindrCxr(root=root, **options).studies()), *parts)


def by_hand(rule: str, said: list[int]) -> float:
    if rule == "unsure":
        return -1.0 if 0 < sum(said) < 3 else said[0]
    return float(sum(said) >= (2 if rule == "majority" else 1))


@pytest.mark.parametrize("rule", ["majority", "any", "unsure"])
def test_readers_become_one_label(root: Path, rule: Any) -> None:
    studies = list(VindrCxr(root=root, readers=rule, validate=0.3).studies())
    assert {study.study_id for study in studies} == {*TRAIN, *TEST}
    seen = set()
    for study in studies:
        film = study.study_id
        assert list(study.labels) == NAMES
        assert study.patient_id == film
        assert study.views[0].position == "PA"
        tested = film in TEST
        assert paths(study) == [f"{'test' if tested else 'train'}/{film}.dicom"]
        held = "validate" if share_of(film) < 0.3 else "train"
        assert study.split == ("test" if tested else held)
        readers = "consensus" if tested else "3"
        assert study.attributes == {"sex": "M", "age": "61", "readers": readers}
        for number, name in enumerate(NAMES):
            said = [votes(film, reader)[number] for reader in range(3)]
            assert study.labels[name] == (said[0] if tested else by_hand(rule, said))
            seen.add(study.labels[name])
    assert seen == ({0, 1, -1} if rule == "unsure" else {0, 1})


def test_ingest_end_to_end(root: Path, tmp_path: Path) -> None:
    (root / "test" / f"{TEST[0]}.dicom").write_bytes(b"")
    assert len(ingested(VindrCxr(root=root), tmp_path / "set")) == len(TRAIN) + len(TEST) - 1
    (entry,) = rows(tmp_path / "set", "quarantine")
    assert "empty" in str(entry["reason"])
    assert entry["row"] == 2


def test_blank_votes_do_not_count(root: Path) -> None:
    file = root / ANNOTATIONS.format("train")
    lines = file.read_text().splitlines()
    for number, line in enumerate(lines):
        if line.startswith(TRAIN[0]):
            cells = line.split(",")
            cells[2] = ""
            cells[3] = "1" if ",R1," in line else ""
            lines[number] = ",".join(cells)
    file.write_text("\n".join(lines))
    first = next(study for study in VindrCxr(root=root).studies() if study.study_id == TRAIN[0])
    assert math.isnan(first.labels[NAMES[0]])
    assert first.labels[NAMES[1]] == 1


def test_faults_are_named(root: Path, tmp_path: Path) -> None:
    def with_text(part: str, old: str, new: str) -> Path:
        copy = shutil.copytree(root, tmp_path / "copy", dirs_exist_ok=True)
        for name in ("train", "test"):
            shutil.copy(root / ANNOTATIONS.format(name), copy / ANNOTATIONS.format(name))
        text = (root / ANNOTATIONS.format(part)).read_text()
        assert old in text
        (copy / ANNOTATIONS.format(part)).write_text(text.replace(old, new, 1))
        return copy

    value = f"{TRAIN[0]},R1,{votes(TRAIN[0], 0)[0]}"
    stop(with_text("train", value, f"{TRAIN[0]},R1,7"), "row 2", "'Aortic enlargement'", "'7'")
    stop(with_text("train", ",Tuberculosis", ""), "table of 28 labels", "it has 27")
    stop(with_text("train", "rad_id", "reader"), "needs image_id and rad_id")
    stop(with_text("train", TRAIN[0], f"../{TRAIN[0]}"), "row 2", "is no film")
    stop(with_text("test", TEST[1], TEST[0]), "row 3", "stands in row 2 already")
    copy = with_text("train", "image_id", "image_id")
    stop(copy, "readers is 'first'", readers="first")
    (copy / ANNOTATIONS.format("test")).unlink()
    stop(copy, "image_labels_test.csv", "https://physionet.org")
    (copy / ANNOTATIONS.format("train")).rename(copy / "annotations" / "train.csv")
    stop(copy, "Kaggle", "https://physionet.org")
    for part in ("train", "test"):
        shutil.rmtree(root / part)
    stop(root, "no images in train and test")
