"""Bones, drawn as bands with a denser rim; thickness in cm of water."""

from __future__ import annotations

import numpy as np

from radpair.phantom.anatomy import BOTH, Anatomy
from radpair.phantom.frame import (
    Floats,
    Frame,
    Layer,
    blank,
    circle,
    fill,
    polygon,
    resized,
    ribbon,
    spline,
)
from radpair.phantom.ribs import draw_ribs

_FULL = 3.2
"""cm of water at a layer's value 255."""


def bones(build: Anatomy, grid: Frame) -> Floats:
    """All bones of one film, ``[size, size]``, cm of water."""
    density = 1.12 - 0.004 * max(build.body.age - 45, 0)
    back, fore, limb = blank(), blank(), blank()
    draw_ribs(build, back, fore)
    _spine(back, build)
    _clavicles(fore, build)
    for sign in BOTH:
        _shoulder(limb, build, sign)
    total = resized(back, grid.size) + resized(fore, grid.size) + resized(limb, grid.size)
    return np.asarray(total * np.float32(density * _FULL / 255), dtype=np.float32)


def _spine(layer: Layer, build: Anatomy) -> None:
    """Vertebral bodies with end plates, pedicles, transverse and spinous processes."""
    step = build.height / 9.57
    y = build.apex - 9 + step * (np.arange(27) - 4.0)
    half = 14.5 + 0.42 * np.arange(27)
    corners = np.array([(-1, 0), (1, 0), (1, 1), (-1, 1)], dtype=float)
    for wide, above, below, value in (
        (1.0, 2.0, 1.5, 106),
        (0.9, 2.0, 1.5, 94),
        (0.86, 4.0, 3.5, 84),
    ):
        box = np.empty((27, 4, 2))
        box[..., 0] = corners[:, 0] * wide * half[:, None]
        box[..., 1] = y[:, None] + np.where(corners[:, 1] > 0, step - below, above)
        fill(layer, box, value)
    middle = -0.25 * build.front
    for x, down, radii, value in (
        (-half * 0.6, 0.40, (2.6, 4.2), 116),
        (half * 0.6, 0.40, (2.6, 4.2), 116),
        (-half - 6, 0.42, (7.0, 3.4), 48),
        (half + 6, 0.42, (7.0, 3.4), 48),
        (half * 0 + middle, 0.72, (2.4, 5.5), 124),
    ):
        centres = np.stack([x, y + down * step], axis=1)
        fill(layer, circle(16) * np.array(radii) + centres[:, None], value)


def _clavicles(layer: Layer, build: Anatomy) -> None:
    lift = 20 * build.squash + 5 * build.traits["clavicle"]
    for sign in BOTH:
        inner = (sign * 16 + 1.1 * build.front, build.apex + 30 - lift)
        reach = build.half_width
        curve = spline(
            [
                inner,
                (sign * 0.36 * reach + 0.8 * build.front, build.apex + 25 - 1.1 * lift),
                (sign * 0.78 * reach, build.apex + 4 - 0.8 * lift),
                (sign * 1.14 * reach, build.apex - 6 - 0.3 * lift),
            ]
        )
        width = 10.5 + 3.5 * np.abs(np.linspace(-1, 1, len(curve))) ** 2
        ribbon(layer, curve, width, 168)
        ribbon(layer, curve, width - 4.0, 112)


def _shoulder(layer: Layer, build: Anatomy, sign: int) -> None:
    """Scapula (over the lung in AP films), humeral head and shaft, acromion."""
    reach, top = build.half_width, build.apex
    inset = 100 * build.squash - 12 + 6 * build.traits["scapula"]
    joint = reach + 26 + 0.4 * build.fat

    def at(out: float, down: float) -> tuple[float, float]:
        """The point ``out`` from the midline and ``down`` below the lungs' tops, mm."""
        return sign * out, top + down

    blade = spline(
        [
            at(joint - 14, 24),
            at(joint - 36 - inset, 14),
            at(joint - 58 - inset, 22),
            at(joint - 60 - inset, 60),
            at(joint - 44 - inset, 118),
            at(joint - 34 - inset, 122),
            at(joint - 24, 70),
            at(joint - 14, 44),
            at(joint - 14, 24),
        ],
        40,
    )
    polygon(layer, blade, 32)
    ribbon(layer, blade[20:36], 4.0, 66)
    ribbon(
        layer, spline([at(joint - 52 - inset, 40), at(joint - 20, 16), at(joint + 8, -2)]), 7.5, 76
    )
    lean = 0.16 + 0.10 * build.traits["arms"] - (0.08 if build.supine else 0)
    shaft = spline(
        [
            at(joint + 1, 9),
            at(joint + 4, 26),
            at(joint + 10, 52),
            at(joint + 16 + lean * 90, 150),
            at(joint + 20 + lean * 330, 420),
        ],
        40,
    )
    along = np.linspace(0, 4, 40)
    width = np.interp(along, (0, 0.4, 1, 1.6, 2.2, 4), (20, 38, 43, 30, 23, 23))
    ribbon(layer, shaft, width, 96)
    ribbon(layer, shaft, width - np.interp(along, (0, 1.5, 2.5), (4, 5, 10)), 74)
