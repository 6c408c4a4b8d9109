"""MURA beside a slow reading of the fake's own studies."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from radpair.sources.dataset import share_of
from radpair.sources.mura import Mura
from sources.fakes.mura import STUDIES, make
from sources.source_checks import ingested, paths, refused, rows


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path / "download")


def stop(root: Path, *parts: str, **options: Any) -> None:
    refused(lambda: list(Mura(root=root, **options).studies()), *parts)


@pytest.mark.parametrize("valid_as", ["test", "validate"])
@pytest.mark.parametrize("parent", [False, True])
def test_studies_are_as_the_folders_say(root: Path, valid_as: Any, parent: bool) -> None:
    source = Mura(root=root.parent if parent else root, valid_as=valid_as, validate=0.4)
    studies = list(source.studies())
    listed = [(part, *study) for part, found in STUDIES.items() for study in found]
    for study, (part, folder, count) in zip(studies, listed, strict=True):
        body, patient, exam = folder.split("/")
        number, _, label = exam.partition("_")
        assert study.study_id == f"{body[3:].lower()}-{patient}-{number}"
        assert study.patient_id == patient
        images = [f"{part}/{folder}/image{n}.png" for n in range(1, count + 1)]
        assert paths(study) == images
        assert all(source.path_of(study, n).is_file() for n in range(count))
        assert study.labels == {"Abnormal": label == "positive"}
        assert study.attributes == {"body_part": body[3:]}
        held = "validate" if valid_as == "test" and share_of(patient) < 0.4 else "train"
        assert study.split == (valid_as if part == "valid" else held)


def test_ingest_end_to_end(root: Path, tmp_path: Path) -> None:
    (root / "train" / STUDIES["train"][0][0] / "image2.png").write_bytes(b"\0\0")
    studies = ingested(Mura(root=root), tmp_path / "set")
    assert len(studies) == 7
    assert len(rows(tmp_path / "set", "images")) == 11
    (entry,) = rows(tmp_path / "set", "quarantine")
    assert str(entry["path"]).endswith("image2.png")
    lines = (root / "train_image_paths.csv").read_text().splitlines()
    assert lines[int(str(entry["row"])) - 1].endswith(str(entry["path"]))


def test_images_may_stand_in_any_order(root: Path) -> None:
    expected = {s.study_id: set(paths(s)) for s in Mura(root=root).studies()}
    file = root / "train_image_paths.csv"
    file.write_text("\n".join(sorted(file.read_text().split(), key=lambda line: line[::-1])))
    assert {s.study_id: set(paths(s)) for s in Mura(root=root).studies()} == expected


def test_faults_are_named(root: Path) -> None:
    images, labels = root / "train_image_paths.csv", root / "train_labeled_studies.csv"
    listed, labelled = images.read_text(), labels.read_text()
    labels.write_text(labelled.replace("positive/,1", "positive/,0"))
    stop(root, "train_labeled_studies.csv, line 1", "what the folder's name says (positive)")
    labels.write_text(labelled.partition("\n")[2])
    stop(root, "has no row of the study 'train/XR_SHOULDER/patient00001/study1_positive'")
    labels.write_text(labelled)
    images.write_text(listed.replace("patient00001/", "patient00001/../", 1))
    stop(root, "train_image_paths.csv, line 1", "is not one below")
    images.write_text(listed.replace("XR_SHOULDER", "SHOULDER", 1))
    stop(root, "train_image_paths.csv, line 1", "is no study of MURA-v1.1")
    images.write_text(f"{listed}MURA-v1.1/train/XR_HAND/patient00003/study1_negative/\n")
    stop(root, "train_image_paths.csv, line 10", "names no image")
    stop(root, "valid-as is 'train'", valid_as="train")
    images.unlink()
    stop(root, "has no train_image_paths.csv", "https://stanfordmlgroup")
    (root / "train.csv").touch()
    stop(root, "MURA v1.0", "download MURA-v1.1")
    images.write_text(listed)
    for part in ("train", "valid"):
        shutil.rmtree(root / part)
    stop(root, "no images in train and valid")
