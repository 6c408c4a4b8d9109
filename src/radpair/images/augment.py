"""Fitting and augmenting grey radiographs: one warp, one lookup table, one blur.

Crop, flip, rotation, shift and scale are a single affine map, so that each pixel is interpolated
once. ConVIRT, section 4.1, with the values of the authors' configuration. What happens to an image
is drawn first, as a few numbers, and then applied: here by OpenCV, film by film; in
``augment_batch`` by tensor operations, all films of a batch at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from radpair.errors import RecipeError

Pixels = NDArray[np.uint8]
Numbers = Any
"""A float, or an array of them: what is computed with both says so by this name."""
Matrix = tuple[Numbers, Numbers, Numbers, Numbers, Numbers, Numbers]
DENSEST = 0.5
"""Output pixels per input pixel at and below which a film is averaged before the warp."""
KEPT = 1.5
"""Averaged pixels per output pixel."""
FAINTEST = 0.3
"""Sigma in pixels below which a blur changes nothing that eight bits can hold."""


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


class Variation(NamedTuple):
    """What happens to one image, or to several where each field is an array ``[films]``."""

    crop: Numbers = 1.0
    """Side of the crop as a fraction of the image's shorter side."""
    x: Numbers = 0.5
    """Place of the crop: 0 leftmost to 1 rightmost."""
    y: Numbers = 0.5
    mirror: Numbers = 1.0
    """-1 where left and right are swapped."""
    angle: Numbers = 0.0
    """Radians."""
    zoom: Numbers = 1.0
    shift_x: Numbers = 0.0
    """Fraction of the crop's side."""
    shift_y: Numbers = 0.0
    brightness: Numbers = 1.0
    contrast: Numbers = 1.0
    blur: Numbers = 0.0
    """Sigma in pixels of a 224-pixel input; 0 without a blur."""


def draw(config: AugmentationConfig, rng: np.random.Generator) -> Variation:
    """A random variation; the same generator state gives the same numbers, whatever the image."""
    crop, x, y = rng.uniform(*config.crop), rng.uniform(0, 1), rng.uniform(0, 1)
    mirror = -1.0 if rng.random() < config.flip else 1.0
    angle, zoom, shift_x, shift_y = 0.0, 1.0, 0.0, 0.0
    if rng.random() < config.probability:
        angle = float(np.deg2rad(rng.uniform(-config.rotation, config.rotation)))
        zoom = rng.uniform(*config.scale)
        shift_x = rng.uniform(-config.shift, config.shift)
        shift_y = rng.uniform(-config.shift, config.shift)
    brightness = contrast = 1.0
    if rng.random() < config.probability:
        brightness, contrast = rng.uniform(*config.brightness), rng.uniform(*config.contrast)
    blur = rng.uniform(*config.blur) if rng.random() < config.probability else 0.0
    return Variation(
        crop, x, y, mirror, angle, zoom, shift_x, shift_y, brightness, contrast, blur
    )  # fmt: skip


def augment(
    pixels: Pixels, size: int, config: AugmentationConfig, rng: np.random.Generator
) -> Pixels:
    """A random variation of ``pixels [height, width]`` as ``[size, size]``, 0 black to 255 white.

    Everything random comes from ``rng``; the same generator state gives the same bytes.
    """
    return vary(pixels, size, draw(config, rng))


def vary(pixels: Pixels, size: int, variation: Variation) -> Pixels:
    """``pixels [height, width]`` under one variation, as ``[size, size]``."""
    side = min(pixels.shape) * variation.crop
    factor = size / side
    if factor <= DENSEST:
        factor *= KEPT
        small = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        pixels, side = np.asarray(small, np.uint8), side * factor
    warped = cv2.warpAffine(
        pixels,
        np.array(affine(pixels.shape, side, size, variation)).reshape(2, 3),
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    if (variation.brightness, variation.contrast) != (1.0, 1.0):
        warped = cv2.LUT(warped, tone(float(warped.mean()), variation))
    sigma = variation.blur * size / 224
    if sigma >= FAINTEST:
        reach = 2 * max(1, round(2 * sigma)) + 1
        warped = cv2.GaussianBlur(warped, (reach, reach), sigma)
    return np.asarray(warped, np.uint8)


def affine(shape: tuple[Numbers, ...], side: Numbers, size: int, variation: Variation) -> Matrix:
    """Maps a pixel of the output to a place in the input: the six numbers of the matrix by rows."""
    height, width = shape
    v = variation
    centre_x = side / 2 + v.x * (width - side) + v.shift_x * side
    centre_y = side / 2 + v.y * (height - side) + v.shift_y * side
    step = side / size / v.zoom
    cos, sin = step * np.cos(v.angle), step * np.sin(v.angle)
    across, down = cos * v.mirror, -sin * v.mirror
    middle = (size - 1) / 2
    left = centre_x - 0.5 - (across * middle + sin * middle)
    top = centre_y - 0.5 - (down * middle + cos * middle)
    return across, sin, left, down, cos, top


def tone(mean: float, variation: Variation) -> Pixels:
    """The lookup table of brightness, then contrast around the brightened mean."""
    grey = np.arange(256) * variation.brightness
    centre = min(mean * variation.brightness, 255.0)
    changed = (grey.clip(0, 255) - centre) * variation.contrast + centre
    return np.asarray(np.clip(changed, 0, 255).round(), np.uint8)


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
