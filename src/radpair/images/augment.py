"""Fitting and augmenting grey radiographs: one warp, one lookup table, one blur.

Crop, flip, rotation, shift and scale are a single affine map, so that each pixel is interpolated
once. ConVIRT, section 4.1, with the values of the authors' configuration.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from radpair.errors import RecipeError

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class AugmentationConfig:
    """What may happen to a training image; each range is drawn from uniformly."""

    crop: tuple[float, float] = (0.6, 1.0)
    """Side of the random crop as a fraction of the image's shorter side."""
    flip: float = 0.5
    """Probability of a horizontal flip, which also swaps the patient's sides."""
    rotation: float = 20.0
    """Degrees to either side."""
    shift: float = 0.1
    """Fraction of the crop's side, in each direction."""
    scale: tuple[float, float] = (0.95, 1.05)
    brightness: tuple[float, float] = (0.6, 1.4)
    contrast: tuple[float, float] = (0.6, 1.4)
    """Around the image's own mean."""
    blur: tuple[float, float] = (0.1, 3.0)
    """Sigma of the Gaussian, in pixels of the 224-pixel input; scaled to other sizes."""
    probability: float = 0.95
    """Of affine map, brightness and contrast, and blur, each on its own."""

    def __post_init__(self) -> None:
        for key in ("crop", "scale", "brightness", "contrast", "blur"):
            low, high = getattr(self, key)
            if not 0 < low <= high:
                raise RecipeError(
                    f"augmentation.{key} is [{low}, {high}]; give two positive numbers, low first"
                )
        if self.crop[1] > 1:
            raise RecipeError(f"augmentation.crop ends at {self.crop[1]}; it must not exceed 1")
        for key in ("flip", "probability"):
            if not 0 <= getattr(self, key) <= 1:
                raise RecipeError(
                    f"augmentation.{key} is {getattr(self, key)}; it must lie within 0 to 1"
                )


def fit(pixels: Pixels, size: int) -> Pixels:
    """The whole image, zero-padded to a square and resized to ``[size, size]`` (ConVIRT 4.1)."""
    height, width = pixels.shape
    side = max(height, width)
    square = np.zeros((side, side), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = pixels
    if side == size:
        return square
    method = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (size, size), interpolation=method), np.uint8)


def augment(
    pixels: Pixels, size: int, config: AugmentationConfig, rng: np.random.Generator
) -> Pixels:
    """A random variation of ``pixels [height, width]`` as ``[size, size]``, 0 black to 255 white.

    Everything random comes from ``rng``; the same generator state gives the same bytes.
    """
    side = min(pixels.shape) * rng.uniform(*config.crop)
    pixels, side = _shrink(pixels, side, size)
    warped = cv2.warpAffine(
        pixels,
        _affine(pixels.shape, side, size, config, rng),
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    if rng.random() < config.probability:
        warped = cv2.LUT(warped, _tone(float(warped.mean()), config, rng))
    if rng.random() < config.probability:
        sigma = rng.uniform(*config.blur) * size / 224
        if sigma >= 0.3:
            reach = 2 * max(1, round(2 * sigma)) + 1
            warped = cv2.GaussianBlur(warped, (reach, reach), sigma)
    return np.asarray(warped, np.uint8)


def _shrink(pixels: Pixels, side: float, size: int) -> tuple[Pixels, float]:
    """Averages first where the warp would skip more than every other pixel."""
    factor = size / side
    if factor > 0.5:
        return pixels, side
    factor *= 1.5
    small = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), side * factor


def _affine(
    shape: tuple[int, ...],
    side: float,
    size: int,
    config: AugmentationConfig,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Maps a pixel of the output to a place in the input."""
    height, width = shape
    centre_x = side / 2 + rng.uniform(0, 1) * (width - side)
    centre_y = side / 2 + rng.uniform(0, 1) * (height - side)
    mirror = -1.0 if rng.random() < config.flip else 1.0
    angle, zoom = 0.0, 1.0
    if rng.random() < config.probability:
        angle = np.deg2rad(rng.uniform(-config.rotation, config.rotation))
        zoom = rng.uniform(*config.scale)
        centre_x += rng.uniform(-config.shift, config.shift) * side
        centre_y += rng.uniform(-config.shift, config.shift) * side
    step = side / size / zoom
    cos, sin = step * np.cos(angle), step * np.sin(angle)
    linear = np.array([[cos * mirror, sin], [-sin * mirror, cos]])
    middle = (size - 1) / 2
    offset = np.array([centre_x - 0.5, centre_y - 0.5]) - linear @ np.array([middle, middle])
    return np.column_stack([linear, offset])


def _tone(mean: float, config: AugmentationConfig, rng: np.random.Generator) -> Pixels:
    """The lookup table of brightness, then contrast around the brightened mean."""
    brightness = rng.uniform(*config.brightness)
    contrast = rng.uniform(*config.contrast)
    grey = np.arange(256) * brightness
    centre = min(mean * brightness, 255.0)
    return (
        np.clip((grey.clip(0, 255) - centre) * contrast + centre, 0, 255).round().astype(np.uint8)
    )
