"""The order of batches, and who prepares them."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from radpair.errors import StudySetError
from radpair.images.augment import AugmentationConfig
from radpair.pretraining.pairs import Part, training_batches
from radpair.pretraining.ranks import Layout
from radpair.pretraining.recipe import Recipe, load_recipe
from radpair.studyset import StudySet
from radpair.studyset.batch import PairBatch, PairData, PairSettings


@pytest.fixture
def data(disc_set: Path) -> PairData:
    studies = StudySet.open(disc_set)
    settings = PairSettings(32, AugmentationConfig(), 0)
    return PairData(studies, np.arange(len(studies)), settings, None, None)


def recipe() -> Recipe:
    return load_recipe("igc-small", ["training.batch=16", "training.workers=0"])


def test_a_batch_is_prepared_while_the_one_before_is_used(data: PairData) -> None:
    """The next one, and no more than that; in the end none beyond the last."""
    asked = []

    class Noted(PairData):
        def batch(self, places: np.ndarray, turn: int) -> PairBatch:
            asked.append(turn)
            return super().batch(places, turn)

    data.__class__ = Noted
    batches = training_batches(data, recipe(), Part(Layout(1)), 3, 9, pin=False)
    next(batches)
    deadline = time.monotonic() + 20
    while len(asked) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(asked) == 2
    assert len(list(batches)) == 5
    assert asked == [0, 0, 0, 1, 1, 1]


def test_what_goes_wrong_while_preparing_is_raised_in_its_turn(data: PairData) -> None:
    real = data.batch
    failing = iter([real, real, refuse])
    broken = Sized(lambda places, turn: next(failing)(places, turn), len(data))
    batches = training_batches(broken, recipe(), Part(Layout(1)), 0, 6, pin=False)  # type: ignore[arg-type]
    next(batches)
    next(batches)
    with pytest.raises(StudySetError, match="damaged"):
        next(batches)


class Sized:
    def __init__(self, batch: object, size: int) -> None:
        self.batch, self._size = batch, size

    def __len__(self) -> int:
        return self._size


def refuse(places: np.ndarray, turn: int) -> PairBatch:
    raise StudySetError("images-00000.bin: damaged")
