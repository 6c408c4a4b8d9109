"""Noisy films in memory, with a bright square where a label is present."""

from __future__ import annotations

import numpy as np

from radpair.encoders.image import ImageConfig
from radpair.models import Model
from radpair.models.pair import PairConfig, PairModel


class Squares:
    """``[studies]`` films of 40 by 36 pixels; every third study has two, every patient two studies.

    Labels ``Upper`` and ``Lower``: a bright square in the upper or lower half.
    """

    label_names = ("Upper", "Lower")

    def __init__(self, studies: int = 120, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.labels = (rng.random((studies, 2)) < 0.4).astype(np.float64)
        self.patients = np.array([f"p{study // 2:03d}" for study in range(studies)])
        self.image_count = np.where(np.arange(studies) % 3 == 0, 2, 1)
        self.first_image = np.cumsum(self.image_count) - self.image_count
        owner = np.repeat(np.arange(studies), self.image_count)
        self._films = [self._film(rng, self.labels[study]) for study in owner]
        self.content_hash = f"squares-{studies}-{seed}"

    def _film(self, rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
        film = rng.normal(90, 25, (40, 36))
        for half, present in enumerate(labels):
            if present:
                row, column = 20 * half + int(rng.integers(2, 8)), int(rng.integers(2, 24))
                film[row : row + 9, column : column + 9] += 90
        return film.clip(0, 255).astype(np.uint8)

    def pixels(self, image: int) -> np.ndarray:
        return self._films[image]

    def __len__(self) -> int:
        return len(self.labels)


def small_model(seed: int = 0, size: int = 32) -> Model:
    """The smallest ResNet, with random weights."""
    import torch

    image = ImageConfig(name="test_resnet", channels=1, size=size, mean=(0.45,), std=(0.25,))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        pair = PairModel(PairConfig(partner="none", dim=16, image=image), 0)
    return Model(pair, None, name="small", hash=f"small-{seed}-{size}")
