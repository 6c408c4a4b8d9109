"""Pulmonary vessels: branching trees from the hila, thinner toward the edges."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from radpair.phantom.anatomy import BOTH, Anatomy
from radpair.phantom.frame import (
    Floats,
    Layer,
    Points,
    blank,
    circle,
    ellipse,
    polygon,
    resized,
    strokes,
)

TREES = 12
_POINTS = 7
Orders = NDArray[np.int64]


@lru_cache(maxsize=2 * TREES)
def tree(number: int) -> tuple[Points, Orders]:
    """A branching tree in a unit lung.

    Returns curves ``[branches, 7, 2]`` as offsets (outward 0 to 1, down -1 to 1) from the hilum,
    and each branch's order (0 the thickest).
    """
    rng = np.random.default_rng([number, 77])
    curves: list[Points] = []
    orders: list[int] = []
    for angle in np.linspace(-1.35, 1.45, 11):
        _grow(rng, curves, orders, np.zeros(2), angle + rng.normal(0, 0.1), 0.34, 0)
    return np.stack(curves), np.asarray(orders)


def _grow(
    rng: np.random.Generator,
    curves: list[Points],
    orders: list[int],
    start: Points,
    angle: float,
    length: float,
    order: int,
) -> None:
    bend = rng.normal(0, 0.32)
    turn = angle + bend * np.linspace(0, 1, _POINTS)
    step = length * rng.uniform(0.75, 1.2) / (_POINTS - 1)
    moves = np.stack([np.cos(turn), np.sin(turn)], axis=1) * step
    moves[0] = 0
    points = start + np.cumsum(moves, axis=0)
    curves.append(points)
    orders.append(order)
    if order >= 3 or not -1.2 < points[-1, 1] < 1.2 or points[-1, 0] > 1.05:
        return
    for spread in (-0.38, 0.34):
        _grow(
            rng, curves, orders, points[-1], turn[-1] + spread + rng.normal(0, 0.14),
            length * 0.74, order + 1,
        )  # fmt: skip


def placed(build: Anatomy, sign: int, number: int) -> tuple[Points, Orders]:
    """A tree's curves ``[branches, 7, 2]`` in mm in one lung, and their orders."""
    curves, orders = tree(number % TREES)
    x, y = build.hilum(sign)
    up, down = y - build.apex, build.dome[sign] + 12 - y
    tall = np.where(curves[..., 1] < 0, up, down)
    heights = y + curves[..., 1] * tall
    reach = build.lateral(heights) - abs(x - build.centre) - 4
    across = x + sign * curves[..., 0] * reach * 0.98
    return np.stack([across, heights], axis=-1), orders


def vessels(build: Anatomy) -> Layer:
    """Both lungs' vessels and hila on the canvas; 255 is 1.55 cm of water."""
    layer = blank()
    body = build.body.seed
    congestion = build.strength("edema", 0)
    for sign in BOTH:
        _tree(layer, build, sign, body % TREES + (0 if sign > 0 else 5), congestion)
        _hilum(layer, build, sign, congestion)
    return np.asarray(cv2.GaussianBlur(layer, (0, 0), 0.5), dtype=np.uint8)


def _tree(layer: Layer, build: Anatomy, sign: int, number: int, congestion: float) -> None:
    curves, orders = placed(build, sign, number)
    upper = curves[:, -1, 1] < build.hilum(sign)[1] - 8
    gain = 1 + 0.12 * build.traits["vessels"]
    for order, (pixels, value) in enumerate(((4, 170), (3, 165), (2, 150), (1, 150))):
        for above in (True, False):
            chosen = curves[(orders == order) & (upper == above)]
            wider = round(congestion * 2.2) if above and order < 3 else 0
            calm = 0.72 if above else 1.0
            strokes(
                layer, chosen, pixels + wider, min(255, value * gain * (calm + congestion * 0.6))
            )


def _hilum(layer: Layer, build: Anatomy, sign: int, congestion: float) -> None:
    x, y = build.hilum(sign)
    grow = 1 + 0.5 * congestion
    ellipse(layer, (x + sign * 3, y - 8), (8 * grow, 13 * grow), 120)
    _end_on(layer, build, sign)
    ellipse(layer, (x + sign * 7, y + 12), (6.5 * grow, 18 * grow), 150)


def _end_on(layer: Layer, build: Anatomy, sign: int) -> None:
    """Vessels that run along the ray: dense dots about the hilum."""
    rng = np.random.default_rng([build.body.seed, 40 + sign])
    x, y = build.hilum(sign)
    out, down = 4 + 24 * rng.random((9, 1)), rng.normal(4, 20, (9, 1))
    centres = np.concatenate([x + sign * out, y + down], axis=1)
    radii = rng.uniform(1.0, 2.1, (9, 1, 1))
    for dot in circle(10) * radii + centres[:, None]:
        polygon(layer, dot, 175)


def depth(layer: Layer, size: int) -> Floats:
    """The layer's thickness in cm of water at ``size`` pixels."""
    return np.asarray(resized(layer, size) * np.float32(1.55 / 255), dtype=np.float32)
