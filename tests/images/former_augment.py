"""Augmentation as it was when drawing and applying were one function: the yardstick of both."""

from __future__ import annotations

import cv2
import numpy as np

from radpair.images.augment import AugmentationConfig


def former_augment(
    pixels: np.ndarray, size: int, config: AugmentationConfig, rng: np.random.Generator
) -> np.ndarray:
    """Draws each number where it is used."""
    side = min(pixels.shape) * rng.uniform(*config.crop)
    factor = size / side
    if factor <= 0.5:
        factor *= 1.5
        pixels = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        side *= factor
    warped = cv2.warpAffine(
        pixels,
        _affine(pixels.shape, side, size, config, rng),
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    if rng.random() < config.probability:
        mean, brightness = float(warped.mean()), rng.uniform(*config.brightness)
        contrast = rng.uniform(*config.contrast)
        centre = min(mean * brightness, 255.0)
        grey = (np.arange(256) * brightness).clip(0, 255)
        table = np.clip((grey - centre) * contrast + centre, 0, 255).round().astype(np.uint8)
        warped = cv2.LUT(warped, table)
    if rng.random() < config.probability:
        sigma = rng.uniform(*config.blur) * size / 224
        if sigma >= 0.3:
            reach = 2 * max(1, round(2 * sigma)) + 1
            warped = cv2.GaussianBlur(warped, (reach, reach), sigma)
    return warped


def _affine(shape, side, size, config, rng):
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
