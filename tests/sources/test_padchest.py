"""PadChest: lists of labels in a cell, numbered folders, Spanish reports, 16-bit pictures."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from radpair.errors import SourceError
from radpair.sources.padchest import PadChest
from radpair.studyset import StudySet, write
from sources.fakes.padchest import TABLE, FakeImage, fake_images, make

WORDS = {"PA": "PA", "AP": "AP", "AP_horizontal": "AP", "L": "LATERAL"}
LAYOUTS = ["{dir}/{name}", "images/{dir}/{name}", "{name}", "images/{name}", "{dir}/{dir}/{name}"]


@pytest.fixture
def padchest(tmp_path: Path) -> Path:
    return make(tmp_path / "padchest")


def by_study(*projections: str) -> dict[str, list[FakeImage]]:
    studies: dict[str, list[FakeImage]] = {}
    for image in fake_images():
        if not projections or image.projection in projections:
            studies.setdefault(image.study, []).append(image)
    return studies


def refused(root: Path, *parts: str, **options: Any) -> None:
    with pytest.raises(SourceError) as caught:
        list(PadChest(root=root, **options).studies())
    for part in parts:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def check(root: Path, *projections: str, layout: str = LAYOUTS[0]) -> None:
    """Every study is as the fake's list says."""
    source = PadChest(root=root, projections=projections)
    expected = by_study(*projections)
    names = {name for images in expected.values() for i in images for name in i.labels or ()}
    found = {study.study_id: study for study in source.studies()}
    assert list(found) == list(expected)
    for key, images in expected.items():
        study, first = found[key], images[0]
        assert (study.patient_id, study.report, study.split) == (first.patient, first.report, "")
        assert [(view.path, view.position) for view in study.views] == [
            (layout.format(dir=i.folder, name=i.name), WORDS.get(i.projection, "")) for i in images
        ]
        assert all(source.path_of(study, view).is_file() for view in range(len(images)))
        assert study.labels.keys() == names
        for name, value in study.labels.items():
            given = first.labels is not None and name in first.labels
            assert math.isnan(value) if first.labels is None else value == given
        by = "Physician" if first.number % 2 else "RNN_model"
        age = {} if first.number == 3 else {"age": "84"}
        assert study.attributes == {"sex": "M", "labels_by": by, **age}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_wherever_the_images_lie(tmp_path: Path, layout: str) -> None:
    root = make(tmp_path / "padchest", layout, gzipped=layout == LAYOUTS[1])
    check(root, layout=layout)


def test_some_projections(padchest: Path) -> None:
    check(padchest, "PA", "L")
    refused(padchest, "a projection is 'PAA'", projections=("PAA",))
    refused(padchest, "no row of these projections", projections=("UNK",))


def test_from_folder_to_study_set(padchest: Path, tmp_path: Path) -> None:
    gone = next(images for images in by_study().values() if len(images) > 1)[0]
    (padchest / gone.folder / gone.name).unlink()
    summary = write(PadChest(root=padchest), tmp_path / "set", size=32, processes=1)
    assert (summary.images, summary.quarantined_images) == (len(list(fake_images())) - 1, 1)
    assert summary.unusable_reports == 1
    assert summary.patients == len({image.patient for image in fake_images()})
    studies = StudySet.open(tmp_path / "set")
    splits = set(zip(studies.patient_ids, studies.splits, strict=True))
    assert len(splits) == summary.patients


def test_what_is_missing(padchest: Path, tmp_path: Path) -> None:
    for number in ("0", "27", "54"):
        shutil.rmtree(padchest / number)
    refused(padchest, "not one image of the table is there, such as 0/2168", "get the images from")
    (padchest / "0.zip").write_bytes(b"")
    refused(padchest, "unpack 0.zip to 54.zip")
    refused(tmp_path, "has no PADCHEST_chest", "is there; move it up")
    (padchest / TABLE).unlink()
    refused(padchest, "get it from https://bimcv")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("0" * 64, "", "row 2: has no study or no patient id"),
        ("0" * 64, "7", "row 3: study '579890000' belongs to patient '7' in row 2"),
        ("2168401113669640122873939355720092520858", "../", "is not one below"),
        ("ImageID", "Image", "has no column 'ImageID'"),
    ],
)
def test_damaged_tables(padchest: Path, old: str, new: str, words: str) -> None:
    text = (padchest / TABLE).read_text()
    (padchest / TABLE).write_text(text.replace(old, new, 1))
    refused(padchest, TABLE, words)
