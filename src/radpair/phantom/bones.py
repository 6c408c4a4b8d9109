"""Bones, drawn as bands with a denser rim; thickness in cm of water."""

from __future__ import annotations

import cv2
import numpy as np

from radpair.phantom.anatomy import BOTH, Anatomy
from radpair.phantom.frame import (
    Floats,
    Frame,
    Layer,
    Points,
    blank,
    ellipse,
    polygon,
    resized,
    ribbon,
    spline,
)
from radpair.phantom.truth import Finding

RIB_COUNT = 11
_FULL = 3.2
"""cm of water at a layer's value 255."""


def bones(build: Anatomy, grid: Frame) -> Floats:
    """All bones of one film, ``[size, size]``, cm of water."""
    density = 1.12 - 0.004 * max(build.body.age - 45, 0)
    paths = ribs(build)
    broken = _broken(build, paths)
    paths = [path for path in paths if not any(path is rib for rib, _ in broken)]
    back, fore, limb = blank(), blank(), blank()
    for path in paths:
        _rib(back, fore, path)
    for rib, finding in broken:
        _fracture(back, fore, rib, finding)
    _spine(back, build)
    _clavicles(fore, build)
    for sign in BOTH:
        _shoulder(limb, build, sign)
    total = resized(back, grid.size) + resized(fore, grid.size) + resized(limb, grid.size)
    return np.asarray(total * np.float32(density * _FULL / 255), dtype=np.float32)


_ENDS = (0.86, 0.87, 0.87, 0.86, 0.85, 0.83, 0.80, 0.76, 0.70, 0.62, 0.44)
"""How far each rib's bone reaches around the chest, 1 from spine to breastbone."""


class Rib:
    """One rib's centre line from spine to front, with its side and number (1 at the top)."""

    def __init__(self, number: int, sign: int, points: Points, turn: int, width: float) -> None:
        self.number, self.sign = number, sign
        self.points = points
        """``[n, 2]`` mm."""
        self.turn = turn
        """Index of the point farthest to the side, where back becomes front."""
        self.width = width


def ribs(build: Anatomy) -> list[Rib]:
    """Every rib, broken ones displaced at their fracture."""
    angle = np.linspace(0.0, 1.0, 40)
    found = []
    spacing = build.height / 9.0 * (1 + 0.02 * build.traits["ribs"])
    for sign in BOTH:
        for number in range(1, RIB_COUNT + 1):
            end = _ENDS[number - 1]
            theta = angle * np.pi * end
            drop = (46 + 6.5 * number) * (1 - 0.45 * build.squash)
            start = build.apex - 9 + spacing * (number - 1) * 0.94
            rise = 7.0 * np.sin(np.clip(2 * theta, 0, np.pi))
            y = start + drop * (1 - np.cos(theta)) / 2 - rise
            side = build.lateral(y + 6) - 0.5
            back = theta < np.pi / 2
            root = np.where(back, 19.0, build.front * sign * 0.8)
            x = root + (side - root) * np.sin(theta) ** np.where(back, 0.9, 0.8)
            width = 7.6 + 0.14 * number + (1.0 if build.body.sex == "M" else 0.0)
            points = np.stack([sign * x, y], axis=1)
            found.append(Rib(number, sign, points, int(back.sum()), width))
    return found


def _rib(back: Layer, fore: Layer, rib: Rib) -> None:
    """The part behind is crisp; the part in front is wider and fades toward its cartilage."""
    turn = rib.turn
    _tube(back, rib.points[: turn + 1], rib.width, 126, 90)
    _front(fore, rib.points[turn - 1 :], rib.width * 1.2)
    edge = rib.points[turn - 5 : turn + 5]
    ribbon(fore, edge, rib.width * 0.3, 112)


def _tube(layer: Layer, points: Points, width: float, rim: float, core: float) -> None:
    ribbon(layer, points, width, rim)
    ribbon(layer, points, width - 3.0, core)


def _front(layer: Layer, points: Points, width: float) -> None:
    for share, fade in ((1.0, 0.5), (0.85, 0.68), (0.7, 0.85), (0.5, 1.0)):
        part = points[: int(len(points) * share)]
        if len(part) > 2:
            _tube(layer, part, width, 78 * fade, 60 * fade)


def _broken(build: Anatomy, paths: list[Rib]) -> list[tuple[Rib, Finding]]:
    """The ribs that a finding names, each with its finding."""
    return [
        (rib, finding)
        for finding, sign in build.of("rib_fracture")
        for rib in paths
        if rib.sign == sign and rib.number == int(finding.detail.rstrip("stndrh") or 6)
    ]


def _fracture(back: Layer, fore: Layer, rib: Rib, finding: Finding) -> None:
    """Two ends with a gap, the outer one displaced and tilted, and a little blood around."""
    rng = np.random.default_rng([finding.seed, 6])
    at = int(rib.turn * rng.uniform(0.62, 0.84))
    amount = finding.severity
    step = rib.points[at + 1] - rib.points[at - 1]
    along = step / np.hypot(*step)
    across = np.array([-along[1], along[0]]) * (1 if rng.random() < 0.6 else -1)
    moved = rib.points.copy()
    rest = np.clip(np.arange(len(moved)) - at, 0, None)[:, None]
    moved += across * (2.5 + 8.0 * amount) * np.exp(-rest / 7.0) * (rest > 0)
    gap = 1.2 + 4.0 * amount
    inner = np.concatenate([rib.points[:at], [rib.points[at] - along * gap / 2]])
    outer = np.concatenate([[moved[at + 1] - along * 2 + along * gap / 2], moved[at + 1 :]])
    for part in (inner, outer[: rib.turn - at + 1]):
        _tube(back, part, rib.width, 134, 94)
    _front(fore, moved[rib.turn - 1 :], rib.width * 1.2)
    blood = blank()
    spot = rib.points[at]
    ellipse(
        blood,
        (float(spot[0]), float(spot[1])),
        (13 + 6 * amount, 10 + 4 * amount),
        40 + 80 * amount,
    )
    np.maximum(fore, cv2.GaussianBlur(blood, (0, 0), 4.0), out=fore)


def _spine(layer: Layer, build: Anatomy) -> None:
    """Vertebral bodies with end plates, pedicles and spinous processes."""
    step = build.height / 9.3 * 0.94
    top = build.apex - 9 - 4 * step
    for level in range(27):
        y = top + level * step
        half = 14.5 + 0.42 * level
        box = np.array(
            [(-half, y + 2), (half, y + 2), (half, y + step - 1.5), (-half, y + step - 1.5)]
        )
        polygon(layer, box, 110)
        polygon(layer, box * (0.9, 1) + (0, 0), 98)
        inner = box.copy()
        inner[:2, 1] += 2.0
        inner[2:, 1] -= 2.0
        polygon(layer, inner * (0.86, 1), 88)
        for sign in BOTH:
            ellipse(layer, (sign * half * 0.6, y + 0.4 * step), (2.6, 4.2), 118)
            ellipse(layer, (sign * (half + 6), y + 0.42 * step), (7, 3.4), 48)
        ellipse(layer, (-0.25 * build.front, y + 0.72 * step), (2.4, 5.5), 128)


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
    inset = 26 * build.squash * 2 - 14 + 5 * build.traits["scapula"]
    joint = reach + 26 + 0.4 * build.fat

    def at(out: float, down: float) -> tuple[float, float]:
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
    polygon(layer, blade, 26)
    ribbon(layer, blade[20:36], 4.0, 52)
    ribbon(
        layer, spline([at(joint - 52 - inset, 40), at(joint - 20, 16), at(joint + 8, -2)]), 7.5, 60
    )
    ellipse(layer, at(joint + 6, 30), (22, 23), 105)
    ellipse(layer, at(joint + 6, 30), (19, 20), 85)
    lean = 0.16 + 0.10 * build.traits["arms"] - (0.08 if build.supine else 0)
    shaft = np.array(
        [at(joint + 12, 40), at(joint + 16 + lean * 120, 190), at(joint + 20 + lean * 330, 420)]
    )
    ribbon(layer, shaft, 23, 110)
    ribbon(layer, shaft, 14, 72)
