"""The film in millimetres: grids, drawing in physical units, and smooth random texture.

x runs from -215 (the patient's right, the image's left) to 215, y from 0 (top) to 430. Thin things
are drawn on a canvas of fixed resolution and reduced to the film's size, so that one film shows
the same at any size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Points = NDArray[np.float64]
Layer = NDArray[np.uint8]

FILM_MM = 430.0
CANVAS = 448
COARSE = 112
_SUBPIXEL_BITS = 4
_TILE = 512
_ORIGIN = np.array([CANVAS / 2 - 0.5, -0.5]) * (1 << _SUBPIXEL_BITS) + 0.5
"""Where x = y = 0 lies on the canvas, in subpixels; half a subpixel more rounds."""


@dataclass(frozen=True)
class Frame:
    """The pixel centres of a square film in millimetres."""

    size: int
    x: Floats
    """``[1, size]``, -215 to 215."""
    y: Floats
    """``[size, 1]``, 0 to 430."""


@lru_cache(maxsize=8)
def frame(size: int) -> Frame:
    """The grid of a film of ``size`` pixels."""
    centres = ((np.arange(size) + 0.5) * (FILM_MM / size)).astype(np.float32)
    return Frame(size, (centres - FILM_MM / 2)[None, :], centres[:, None])


def resized(image: NDArray[np.generic], size: int) -> Floats:
    """``image`` at ``size`` pixels: averaged when smaller, interpolated when larger."""
    if image.shape[0] == size:
        return np.asarray(image, dtype=np.float32)
    way = cv2.INTER_AREA if size < image.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (size, size), interpolation=way), dtype=np.float32)


def blank() -> Layer:
    """An empty drawing canvas."""
    return np.zeros((CANVAS, CANVAS), np.uint8)


def polygon(layer: Layer, points: Points, value: float) -> None:
    """Fills ``points`` ``[n, 2]`` (mm) with ``value`` (0 to 255)."""
    fill(layer, points[None], value)


def fill(layer: Layer, shapes: Points, value: float) -> None:
    """Fills ``shapes`` ``[k, n, 2]`` (mm), which must not overlap each other, with ``value``."""
    cv2.fillPoly(layer, list(_pixels(shapes)), float(value), cv2.LINE_AA, _SUBPIXEL_BITS)


def bands(points: Points, widths: Points) -> Points:
    """Outlines ``[k, 2n, 2]`` of bands along ``points`` ``[k, n, 2]``.

    ``widths`` in mm: ``[k]``, or ``[k, n]`` for tapering bands.
    """
    step = np.empty_like(points)
    step[:, 1:-1] = points[:, 2:] - points[:, :-2]
    step[:, 0], step[:, -1] = points[:, 1] - points[:, 0], points[:, -1] - points[:, -2]
    length = np.maximum(np.sqrt((step**2).sum(axis=-1)), 1e-6)
    half = widths.reshape(len(points), -1) / 2 / length
    normal = np.empty_like(points)
    normal[..., 0], normal[..., 1] = -step[..., 1] * half, step[..., 0] * half
    return np.concatenate([points + normal, (points - normal)[:, ::-1]], axis=1)


def ribbon(layer: Layer, points: Points, width: float | Points, value: float) -> None:
    """Draws a band of ``width`` mm (one number, or one for each point) along ``points``."""
    fill(layer, bands(points[None], np.asarray(width, dtype=float).reshape(1, -1)), value)


def strokes(layer: Layer, curves: Points, pixels: int, value: float) -> None:
    """Draws thin curves ``[k, n, 2]``, ``pixels`` canvas pixels (0.96 mm) wide."""
    if len(curves):
        lines = list(_pixels(curves))
        cv2.polylines(layer, lines, False, float(value), pixels, cv2.LINE_AA, _SUBPIXEL_BITS)


def ellipse(
    layer: Layer, centre: tuple[float, float], radii: tuple[float, float], value: float
) -> None:
    """Fills an upright ellipse (mm)."""
    turn = circle(32)
    polygon(layer, turn * np.asarray(radii) + np.asarray(centre), value)


def spline(control: list[tuple[float, float]] | Points, samples: int = 24) -> Points:
    """A smooth curve ``[samples, 2]`` through the ``control`` points (Catmull-Rom)."""
    points = np.asarray(control, dtype=float)
    curve: Points = _spline_basis(len(points), samples) @ points
    return curve


def smoothstep(value: Floats) -> Floats:
    """0 below 0, 1 above 1, smooth between."""
    t = np.clip(value, 0, 1)
    step: Floats = t * t * (3 - 2 * t)
    return step


def texture(seed: int, scale_mm: float, size: int = COARSE) -> Floats:
    """Smooth noise ``[size, size]`` of unit spread whose grain is about ``scale_mm``."""
    tile = _tile(round(scale_mm * 2) / 2)
    rows, columns = (seed * 7919) % (_TILE - COARSE), (seed // 613) % (_TILE - COARSE)
    return resized(tile[rows : rows + COARSE, columns : columns + COARSE], size)


def grain(seed: int, size: int) -> Floats:
    """Fine noise ``[size, size]``: independent on the canvas, averaged to the film's size."""
    tile = _tile(0.0)
    rows, columns = seed % (_TILE - CANVAS), (seed // 97) % (_TILE - CANVAS)
    return resized(tile[rows : rows + CANVAS, columns : columns + CANVAS], size)


def _pixels(points: Points) -> NDArray[np.int32]:
    scale = CANVAS / FILM_MM * (1 << _SUBPIXEL_BITS)
    return (points * scale + _ORIGIN).astype(np.int32)


@lru_cache(maxsize=4)
def circle(count: int) -> Points:
    """``count`` places ``[count, 2]`` on the unit circle."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


@lru_cache(maxsize=64)
def _spline_basis(count: int, samples: int) -> Points:
    basis = np.zeros((samples, count))
    for row, at in enumerate(np.linspace(0, count - 1, samples)):
        start = min(int(at), count - 2)
        t = at - start
        weights = (
            0.5 * (-t + 2 * t**2 - t**3),
            0.5 * (2 - 5 * t**2 + 3 * t**3),
            0.5 * (t + 4 * t**2 - 3 * t**3),
            0.5 * (-(t**2) + t**3),
        )
        for offset, weight in enumerate(weights):
            basis[row, min(max(start - 1 + offset, 0), count - 1)] += weight
    return basis


@lru_cache(maxsize=32)
def _tile(scale_mm: float) -> Floats:
    noise = np.random.default_rng(20_251).normal(size=(_TILE, _TILE)).astype(np.float32)
    if scale_mm > 0:
        sigma = scale_mm * COARSE / FILM_MM / 2
        noise = cv2.GaussianBlur(noise, (0, 0), max(sigma, 0.3))
    return np.asarray(noise / noise.std(), dtype=np.float32)
