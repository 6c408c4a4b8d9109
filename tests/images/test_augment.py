from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.errors import RecipeError
from radpair.images.augment import AugmentationConfig, augment, fit

STILL = AugmentationConfig(crop=(1.0, 1.0), flip=0.0, probability=0.0)


def film(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(height * 1000 + width)
    noise = rng.integers(0, 256, (height, width)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (9, 9), 3)


def test_fit_keeps_the_whole_image_in_the_middle() -> None:
    image = np.full((40, 20), 200, np.uint8)
    fitted = fit(image, 40)
    assert (fitted[:, 10:30] == 200).all()
    assert (fitted[:, :10] == 0).all()
    assert fit(image, 16).shape == (16, 16)


def test_without_chance_it_is_a_plain_resize() -> None:
    image = film(64, 64)
    found = augment(image, 48, STILL, np.random.default_rng(0))
    expected = cv2.resize(image, (48, 48), interpolation=cv2.INTER_LINEAR)
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_flip_is_exact() -> None:
    image = film(48, 48)
    mirrored = AugmentationConfig(crop=(1.0, 1.0), flip=1.0, probability=0.0)
    found = augment(image, 48, mirrored, np.random.default_rng(0))
    assert np.abs(found.astype(int) - image[:, ::-1]).max() <= 1


def test_rotation_turns_about_the_centre() -> None:
    image = film(65, 65)
    turned = AugmentationConfig(
        crop=(1.0, 1.0), flip=0.0, rotation=20, shift=0.0, scale=(1.0, 1.0),
        brightness=(1.0, 1.0), contrast=(1.0, 1.0), blur=(0.01, 0.01), probability=1.0,
    )  # fmt: skip
    rng = np.random.default_rng(3)
    rng.uniform(), rng.uniform(), rng.uniform(), rng.random(), rng.random()
    angle = rng.uniform(-20, 20)
    matrix = cv2.getRotationMatrix2D((32, 32), -angle, 1.0)
    expected = cv2.warpAffine(image, matrix, (65, 65))
    found = augment(image, 65, turned, np.random.default_rng(3))
    middle = slice(16, 49)
    assert np.abs(found[middle, middle].astype(int) - expected[middle, middle]).mean() < 1.5


@settings(max_examples=40, deadline=None)
@given(st.integers(33, 200), st.integers(33, 200), st.integers(16, 96), st.integers(0, 999))
def test_any_film_gives_the_input_size(height: int, width: int, size: int, seed: int) -> None:
    image = film(height, width)
    one, two = (
        augment(image, size, AugmentationConfig(), np.random.default_rng(seed)) for _ in range(2)
    )
    assert one.shape == (size, size)
    assert one.dtype == np.uint8
    np.testing.assert_array_equal(one, two)


def test_mean_brightness_follows_its_range() -> None:
    config = AugmentationConfig(
        crop=(1.0, 1.0), brightness=(0.5, 0.5), contrast=(1.0, 1.0), rotation=0, shift=0.0,
        scale=(1.0, 1.0), probability=1.0,
    )  # fmt: skip
    image = np.full((32, 32), 120, np.uint8)
    assert abs(augment(image, 32, config, np.random.default_rng(0)).mean() - 60) < 1


def test_impossible_ranges_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"augmentation\.crop"):
        AugmentationConfig(crop=(0.9, 0.5))
    with pytest.raises(RecipeError, match=r"augmentation\.flip is 2"):
        AugmentationConfig(flip=2)
