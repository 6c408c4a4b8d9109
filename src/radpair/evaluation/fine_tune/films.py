"""Batches of augmented films, and the fitted films that a study is scored by.

What is random about an item is drawn from a generator seeded by (seed, pass, item), so it depends
neither on the batch nor on the number of threads that prepare it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radpair.evaluation.budgets import Indices
from radpair.images.augment import AugmentationConfig, augment, fit
from radpair.processes import cpus

Pixels = NDArray[np.uint8]
KEPT_BYTES = 1 << 29
"""Fitted films of one part of the data are kept in memory up to this size."""
_AHEAD = 2


class Films(Protocol):
    """The part of ``radpair.studyset.StudySet`` that holds pixels."""

    first_image: NDArray[np.int64]
    image_count: NDArray[np.int64]

    @property
    def content_hash(self) -> str:
        """Changes with any byte of the set."""

    def pixels(self, image: int) -> Pixels:
        """``[height, width]``, 0 black to 255 white."""


@dataclass(frozen=True)
class Item:
    """One thing to learn from in a pass: a study (one of its images is drawn), or an image."""

    row: int
    """Of the targets."""
    study: int
    image: int | None


def items_of(films: Films, studies: Indices, *, every_image: bool) -> list[Item]:
    """One item for each study, or for each image of each study."""
    if not every_image:
        return [Item(row, int(study), None) for row, study in enumerate(studies)]
    return [
        Item(row, int(study), int(films.first_image[study]) + view)
        for row, study in enumerate(studies)
        for view in range(int(films.image_count[study]))
    ]


def training_batches(
    films: Films,
    items: Sequence[Item],
    size: int,
    augmentation: AugmentationConfig,
    batch: int,
    seed: int,
) -> Generator[tuple[Tensor, Indices], None, None]:
    """Endless ``(pixels [batch, size, size] uint8, rows of the targets [batch])``.

    Passes follow each other without a gap, each in an order of its own, so that every batch is
    full; a batch is never larger than one pass.
    """

    def draw(place: tuple[int, int]) -> Pixels:
        """One image, as it is seen in one pass."""
        turn, item = place
        return _augmented(films, items[item], size, augmentation, seed, turn)

    def take(pool: ThreadPoolExecutor, places: list[tuple[int, int]]) -> list[Future[Pixels]]:
        """Has the images of a batch drawn."""
        return [pool.submit(draw, place) for place in places]

    groups = _places(len(items), min(batch, len(items)), seed)
    with ThreadPoolExecutor(min(8, cpus())) as pool:
        ahead: list[tuple[list[tuple[int, int]], list[Future[Pixels]]]] = []
        for places in groups:
            ahead.append((places, take(pool, places)))
            if len(ahead) < _AHEAD:
                continue
            places, films_to_come = ahead.pop(0)
            pixels = np.stack([film.result() for film in films_to_come])
            rows = np.array([items[item].row for _, item in places], dtype=np.int64)
            yield torch.from_numpy(pixels), rows


def _places(count: int, batch: int, seed: int) -> Iterator[list[tuple[int, int]]]:
    """(pass, item) of every batch."""
    found: list[tuple[int, int]] = []
    turn = 0
    while True:
        order = np.random.default_rng([seed, 2, turn]).permutation(count)
        found += [(turn, int(item)) for item in order]
        turn += 1
        while len(found) >= batch:
            yield found[:batch]
            found = found[batch:]


def _augmented(
    films: Films,
    item: Item,
    size: int,
    augmentation: AugmentationConfig,
    seed: int,
    turn: int,
) -> Pixels:
    number = item.study if item.image is None else item.image
    rng = np.random.Generator(np.random.Philox(key=[seed, (turn << 40) + number]))
    image = item.image
    if image is None:
        image = int(films.first_image[item.study])
        image += int(rng.integers(films.image_count[item.study]))
    return augment(films.pixels(image), size, augmentation, rng)


class Fitted:
    """Every image of some studies, whole and resized, in their order."""

    def __init__(self, films: Films, studies: Indices, size: int) -> None:
        self._films, self._size = films, size
        counts = films.image_count[studies]
        self.owner = np.repeat(np.arange(len(studies)), counts)
        """``[images]``: the place in ``studies`` of each image's study."""
        self.studies = len(studies)
        first = np.repeat(films.first_image[studies] - np.cumsum(counts) + counts, counts)
        self._images = first + np.arange(len(first))
        self._kept: list[Tensor] | None = None

    def batches(self, batch: int = 128) -> Iterator[Tensor]:
        """``[images, size, size]`` uint8; kept after the first time where they are few."""
        if self._kept is not None:
            yield from self._kept
            return
        small = len(self._images) * self._size**2 <= KEPT_BYTES
        kept = []
        for start in range(0, len(self._images), batch):
            chosen = self._images[start : start + batch]
            films = [fit(self._films.pixels(int(image)), self._size) for image in chosen]
            group = torch.from_numpy(np.stack(films))
            if small:
                kept.append(group)
            yield group
        self._kept = kept if small else None
