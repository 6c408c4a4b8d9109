"""A study set with trimmed borders: what is stored, what the tables and the manifest say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from gradients import Gradients
from numpy.typing import NDArray

from radpair.errors import StudySetError
from radpair.images import shrink
from radpair.records import Study
from radpair.studyset import StudySet, write

pytestmark = pytest.mark.usefixtures("small_parts")


class Framed(Gradients):
    """Every third study's films stand in a black frame."""

    def read(self, study: Study, view: int) -> NDArray[np.uint8]:
        pixels = super().read(study, view)
        return np.pad(pixels, ((5, 9), (12, 0))) if framed(study.study_id) else pixels


def framed(study_id: str) -> bool:
    return int(study_id[1:]) % 3 == 0


def test_frames_are_cut_and_told(tmp_path: Path) -> None:
    source = Framed(30, faults=False)
    summary = write(source, tmp_path / "set", size=50, processes=2, trim_borders=True)
    found = StudySet.open(tmp_path / "set")
    assert found.manifest["options"]["trim_borders"] is True
    told = pq.read_table(tmp_path / "set" / "images.parquet")["trimmed"].to_pylist()
    assert len(told) == len(found.image_study) == 36
    bare = Gradients(30, faults=False)
    for image, study in enumerate(found.image_study.tolist()):
        number = int(found.study_ids[study][1:])
        view = image - int(found.first_image[study])
        film = bare.read(bare.study(number), view)
        assert np.array_equal(found.pixels(image), shrink(film, 50))
        outer = (film.shape[0] + 14) * (film.shape[1] + 12)
        share = 1 - film.size / outer if framed(found.study_ids[study]) else 0
        assert told[image] == pytest.approx(share, abs=1e-4)
    assert summary.trimmed_images == sum(share > 0 for share in told) == 12
    assert found.manifest["counts"]["trimmed_images"] == 12
    assert "Borders were trimmed of 12 images" in str(summary)
    assert found.verify()
    with pytest.raises(StudySetError, match=r"options\.trim_borders was True and is now None"):
        write(source, tmp_path / "set", size=50)


def test_without_the_option_nothing_of_it_is_there(tmp_path: Path) -> None:
    summary = write(Framed(9, faults=False), tmp_path / "set", size=90, processes=1)
    found = StudySet.open(tmp_path / "set")
    assert "trim_borders" not in found.manifest["options"]
    assert "trimmed" not in pq.read_table(tmp_path / "set" / "images.parquet").column_names
    assert summary.trimmed_images is None
    assert "trimmed" not in str(summary)
    assert found.pixels(0).shape == (70 + 14, 60 + 12)
