"""Images that are there twice: what counts as one, which stays, and that it is always the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest
from gradients import Gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from radpair.errors import StudySetError
from radpair.records import SPLITS, Study
from radpair.studyset import StudySet, write
from radpair.studyset.duplicates import (
    DISTANCE,
    Known,
    across_splits,
    content_of,
    likeness_of,
    near_codes,
    repeats,
)

pytestmark = pytest.mark.usefixtures("small_parts")


def film(seed: int, side: int = 96) -> NDArray[np.uint8]:
    """A smooth random field, as unlike another as two films of two people."""
    noise = np.random.default_rng(seed).normal(size=(24, 24)).astype(np.float32)
    field = cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)
    return cv2.normalize(field, None, 5, 235, cv2.NORM_MINMAX).astype(np.uint8)


def again(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same film through a JPEG, a little brighter."""
    _, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 60])
    return cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE) + np.uint8(3)


def bits(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def test_codes_follow_the_film_and_not_its_handling() -> None:
    codes = [likeness_of(film(seed)) for seed in range(60)]
    apart = [bits(a, b) for place, a in enumerate(codes) for b in codes[:place]]
    assert min(apart) > 3 * DISTANCE
    for seed, code in enumerate(codes):
        assert bits(code, likeness_of(again(film(seed)))) <= DISTANCE
        half = cv2.resize(film(seed), (60, 60), interpolation=cv2.INTER_AREA)
        assert bits(code, likeness_of(half)) <= DISTANCE
    assert content_of(film(1)) == content_of(film(1).copy())
    assert content_of(film(1)) != content_of(film(1).T)
    flat = np.zeros((64, 32), np.uint8)
    assert content_of(flat) != content_of(flat.reshape(32, 64))


@st.composite
def images(draw: st.DrawFn) -> list[Known]:
    """Codes near each other and far, contents that repeat with their codes."""
    numbers = draw(st.lists(st.integers(0, 2**256 - 1), min_size=1, max_size=3))
    found = []
    for place in range(draw(st.integers(1, 14))):
        number = draw(st.sampled_from(numbers))
        for bit in draw(st.sets(st.integers(0, 255), max_size=2 * DISTANCE)):
            number ^= 1 << bit
        code = f"{number:064x}"
        found.append(Known(f"{place}.png", f"s{place}", draw(st.sampled_from(SPLITS)), code, code))
        if draw(st.booleans()):
            copied = draw(st.sampled_from(found))
            numbers.append(int(copied.likeness, 16))
            found.append(replace(copied, path=f"{place}b.png", split=draw(st.sampled_from(SPLITS))))
    return found


@settings(max_examples=150, deadline=None)
@given(images())
def test_bands_find_what_comparing_all_with_all_finds(found: list[Known]) -> None:
    codes = list(dict.fromkeys(image.likeness for image in found))
    slow = [
        (one, other, bits(codes[one], codes[other]))
        for one in range(len(codes))
        for other in range(one + 1, len(codes))
        if bits(codes[one], codes[other]) <= DISTANCE
    ]
    assert near_codes(codes) == slow

    kept: list[int] = []
    gone: dict[int, int] = {}
    for place, image in enumerate(found):
        like = [k for k in kept if bits(found[k].likeness, image.likeness) <= DISTANCE]
        if like:
            gone[place] = like[0]
        else:
            kept.append(place)
    near = repeats(found, "near")
    assert {
        place: bits(found[r.first].likeness, found[place].likeness) for place, r in near.items()
    } == {place: near[place].bits for place in gone}
    assert near.keys() == gone.keys()
    assert all(repeat.first in kept for repeat in near.values())
    assert repeats(found, "keep") == {}
    firsts = {image.content: place for place, image in reversed(list(enumerate(found)))}
    assert {place: repeat.first for place, repeat in repeats(found, "exact").items()} == {
        place: firsts[image.content]
        for place, image in enumerate(found)
        if firsts[image.content] != place
    }

    across = []
    for place, image in enumerate(found):
        like = [
            (k, bits(found[k].likeness, image.likeness))
            for k in range(len(found))
            if SPLITS.index(found[k].split) < SPLITS.index(image.split)
            and bits(found[k].likeness, image.likeness) <= DISTANCE
        ]
        across += [(place, *like[0])] if like else []
    assert across_splits(found) == across


class Films(Gradients):
    """Films of which some repeat an earlier one; every fifth study has two views."""

    same: ClassVar = {("s00020", 0): 3, ("s00005", 1): 5, ("s00030", 0): 6}
    alike: ClassVar = {("s00021", 0): 4, ("s00033", 0): 7}
    fixed: ClassVar = {3: "train", 20: "test", 4: "train", 21: "test", 7: "test", 33: "train"}

    def __init__(self, count: int = 40) -> None:
        super().__init__(count, faults=False)

    def studies(self) -> Iterator[Study]:
        for number in range(self.count):
            split = self.fixed.get(number, "train")
            yield replace(self.study(number), patient_id=f"p{number}", split=split)

    def read(self, study: Study, view: int) -> NDArray[np.uint8]:
        number = int(study.study_id[1:])
        if (study.study_id, view) in self.same:
            return film(self.same[study.study_id, view])
        if (study.study_id, view) in self.alike:
            return again(film(self.alike[study.study_id, view]))
        return film(number + 1000 * view)


def reasons(folder: Path) -> dict[str, str]:
    return {row["path"]: row["reason"] for row in StudySet.open(folder).quarantine().to_pylist()}


def test_the_first_stays_and_the_table_says_which(tmp_path: Path) -> None:
    summary = write(Films(), tmp_path / "set", size=96, processes=1)
    found = StudySet.open(tmp_path / "set")
    lost = reasons(tmp_path / "set")
    assert set(lost) == {"00020-0.png", "00005-1.png", "00030-0.png"}
    assert summary.exact_duplicates == summary.quarantined_images == 3
    assert summary.near_duplicates == 0
    # study 20 has a second view and stays, study 30 too; study 5 keeps its first view
    assert len(found) == 40
    assert summary.studies_left_out == 0
    assert (
        "of 00003-0.png of study 's00003' (train), which is kept (the same pixels)"
        in (lost["00020-0.png"])
    )
    assert "left out of study 's00020' (test)" in lost["00020-0.png"]
    for study, study_id in enumerate(found.study_ids):
        for image in found.images_of(study):
            number, view = (int(part) for part in found.image_paths[image][:-4].split("-"))
            source = Films()
            expected = source.read(source.study(number), view)
            assert int(study_id[1:]) == number
            assert np.array_equal(found.pixels(image), expected)
    assert found.verify() == len(found.manifest["files"])

    assert summary.near_across_splits == 2
    import pyarrow.parquet as pq

    early, row = pq.read_table(tmp_path / "set" / "near_duplicates.parquet").to_pylist()
    assert (early["path"], early["like_path"]) == ("00007-0.png", "00033-0.png")
    assert 0 < row.pop("bits") <= DISTANCE
    assert row == {
        "split": "test",
        "study_id": "s00021",
        "path": "00021-0.png",
        "like_split": "train",
        "like_study_id": "s00004",
        "like_path": "00004-0.png",
    }
    assert "Kept near duplicates of an image in an earlier split: 2" in str(summary)


def test_a_study_whose_only_image_repeats_is_left_out(tmp_path: Path) -> None:
    class Once(Films):
        same: ClassVar = {("s00011", 0): 3, ("s00039", 0): 3}

    summary = write(Once(), tmp_path / "set", size=96, processes=1)
    found = StudySet.open(tmp_path / "set")
    assert {"s00011", "s00039"}.isdisjoint(found.study_ids)
    assert summary.studies_left_out == 2
    assert summary.studies == len(found) == 38
    assert reasons(tmp_path / "set")["00011-0.png"].endswith("whose only image it is")
    assert found.source_graphs()[found.study_ids.index("s00013")] == Films().study(13).graph
    assert found.reports == [Films().report(int(name[1:])) for name in found.study_ids]


def test_near_on_request_and_none_on_request(tmp_path: Path) -> None:
    near = write(Films(), tmp_path / "near", size=96, processes=1, duplicates="near")
    assert (near.exact_duplicates, near.near_duplicates, near.near_across_splits) == (3, 2, 0)
    assert "of 256 bits" in reasons(tmp_path / "near")["00021-0.png"]
    kept = write(Films(), tmp_path / "kept", size=96, processes=1, duplicates="keep")
    assert (kept.exact_duplicates, kept.quarantined_images) == (0, 0)
    assert kept.near_across_splits == 3  # the same pixels are near too
    with pytest.raises(StudySetError, match=r"duplicates 'nera' is unknown; did you mean 'near'"):
        write(Films(), tmp_path / "x", duplicates="nera")
    with pytest.raises(StudySetError, match=r"options\.duplicates was 'keep' and is now 'near'"):
        write(Films(), tmp_path / "kept", size=96, duplicates="near")
    with pytest.raises(StudySetError, match=r"--strict allows no quarantine and 5 images"):
        write(Films(), tmp_path / "near", size=96, duplicates="near", strict=True)


def test_bytes_do_not_depend_on_processes_or_on_a_stop(tmp_path: Path) -> None:
    class Stopped(Films):
        def studies(self) -> Iterator[Study]:
            for number, study in enumerate(super().studies()):
                if number == 29:
                    raise StudySetError("stopped")
                yield study

    write(Films(), tmp_path / "one", size=96, processes=1, duplicates="near")
    write(Films(), tmp_path / "two", size=96, processes=2, duplicates="near")
    with pytest.raises(StudySetError, match="stopped"):
        write(Stopped(), tmp_path / "three", size=96, processes=1, duplicates="near")
    write(Films(), tmp_path / "three", size=96, processes=2, duplicates="near")
    whole = content(tmp_path / "one")
    assert whole == content(tmp_path / "two") == content(tmp_path / "three")


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
