"""A study's variation must stay what it was, or a run could not be repeated."""

from __future__ import annotations

import hashlib
import platform

import cv2
import numpy as np
import pytest

from images.former_augment import former_augment
from radpair.images.augment import AugmentationConfig, augment

CONFIGS = (
    AugmentationConfig(),
    AugmentationConfig(probability=0.5),
    AugmentationConfig(crop=(0.1, 0.3), blur=(0.1, 9.0)),
    AugmentationConfig(crop=(1.0, 1.0), flip=0, probability=0),
)
DIGESTS = {
    "2be8a351cd417df317fd7c405c4334fa971c4b556e177237cf0edbc474a20879",
    "c82aa2ad432d177487d7be0ede30cc18b60dea1e458202827ec948261e3e8787",
}
"""SHA-256 of the pictures before drawing and applying were parted, with OpenCV 5.0.0 on x86-64:
on processors with fused multiply-add, and without."""


def cases():
    draw = np.random.default_rng(2026)
    for number in range(120):
        height, width = draw.integers(20, 420, 2)
        film = draw.integers(0, 256, (height, width)).astype(np.uint8)
        yield number, film, (32, 61, 96)[number % 3], CONFIGS[number % len(CONFIGS)]


def generator(number: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[7, number]))


def test_pictures_and_draws_are_the_former_ones() -> None:
    for number, film, size, config in cases():
        one, two = generator(number), generator(number)
        found = augment(film, size, config, one)
        np.testing.assert_array_equal(found, former_augment(film, size, config, two))
        assert one.random() == two.random()


@pytest.mark.skipif(
    cv2.__version__ != "5.0.0" or platform.machine() != "x86_64",
    reason="the checksum is of OpenCV 5.0.0 on x86-64",
)
def test_pictures_have_the_checksum_of_before() -> None:
    digest = hashlib.sha256()
    for number, film, size, config in cases():
        digest.update(augment(film, size, config, generator(number)).tobytes())
    assert digest.hexdigest() in DIGESTS
