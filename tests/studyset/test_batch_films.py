"""Batches that bring their films as stored: the same studies, texts and pictures as on the host."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from discs import DiscSource
from radpair.errors import RecipeError
from radpair.images.augment import AugmentationConfig
from radpair.reports.tokenizer import train_tokenizer
from radpair.studyset import StudySet, write
from radpair.studyset.batch import (
    PairBatch,
    PairData,
    PairSettings,
    SentenceStore,
    to_device,
    with_pixels,
)


def pairs(path: Path, augment_on: str, *, random: bool = True, size: int = 32) -> PairData:
    studies = StudySet.open(path)
    texts = SentenceStore(studies.reports, train_tokenizer(studies.reports, 120), 40)
    config = AugmentationConfig() if random else None
    settings = PairSettings(size, config, 3, augment_on)  # type: ignore[arg-type]
    return PairData(studies, studies.split("train"), settings, texts, None)


def finished(batch: PairBatch) -> PairBatch:
    return with_pixels(to_device(batch, torch.device("cpu")))


@pytest.mark.parametrize("random", [True, False])
@pytest.mark.parametrize("size", [20, 32, 64])
def test_host_and_device_make_one_batch(disc_set: Path, size: int, *, random: bool) -> None:
    places = np.array([7, 0, 31, 5])
    host = pairs(disc_set, "host", random=random, size=size).batch(places, 2)
    raw = pairs(disc_set, "device", random=random, size=size).batch(places, 2)
    assert host.films is None
    assert raw.films is not None
    assert raw.pixels.shape == (0, size, size)
    batch = finished(raw)
    assert batch.films is None
    assert batch.study.equal(host.study)
    assert batch.text.tokens.equal(host.text.tokens)
    assert batch.text_content.equal(host.text_content)
    assert batch.pixels.shape == host.pixels.shape
    differences = (batch.pixels.int() - host.pixels.int()).abs()
    assert differences.max() <= 2
    assert differences.float().mean() < 0.2  # OpenCV rounds halves up where it enlarges
    assert with_pixels(host) is host


def test_a_study_is_drawn_alike_in_any_batch(disc_set: Path) -> None:
    data = pairs(disc_set, "device")
    many = finished(data.batch(np.arange(12), 3)).pixels
    alone = finished(data.batch(np.array([5]), 3)).pixels
    assert many[5].equal(alone[0])
    assert not many[5].equal(finished(data.batch(np.array([5]), 4)).pixels[0])


class Batches(Dataset[PairBatch]):
    def __init__(self, path: Path) -> None:
        self._data = pairs(path, "device")

    def __len__(self) -> int:
        return 3

    def __getitem__(self, number: int) -> PairBatch:
        return self._data.batch(np.arange(4) + 4 * number, 0)


def test_films_come_whole_from_a_worker(disc_set: Path) -> None:
    here, there = (
        [finished(b).pixels for b in DataLoader(Batches(disc_set), None, num_workers=workers)]
        for workers in (0, 1)
    )
    assert torch.cat(here).equal(torch.cat(there))


def test_films_are_read_as_they_are_stored(tmp_path: Path) -> None:
    write(DiscSource(), tmp_path / "set", size=40, processes=1)
    studies = StudySet.open(tmp_path / "set")
    wanted = np.array([3, 0, 3, len(studies.image_paths) - 1])
    flat, shapes = studies.films(wanted)
    start = 0
    for image, (height, width) in zip(wanted.tolist(), shapes.tolist(), strict=True):
        expected = studies.pixels(image)
        assert expected.shape == (height, width)
        found = flat[start : start + height * width].reshape(height, width)
        np.testing.assert_array_equal(found, expected)
        start += height * width
    assert start == len(flat)
    assert flat.flags.writeable
    assert not studies.pixels(0).flags.writeable


def test_another_place_is_refused() -> None:
    with pytest.raises(RecipeError, match="augment_on is 'gpu'"):
        PairSettings(32, None, 0, "gpu")  # type: ignore[arg-type]
