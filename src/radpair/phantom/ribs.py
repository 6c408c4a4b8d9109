"""Ribs as curves around the chest: behind they arch outward and down, in front they return."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from radpair.phantom.anatomy import BOTH, Anatomy
from radpair.phantom.frame import Layer, Points, bands, blank, ellipse, fill, ribbon
from radpair.phantom.truth import Finding

COUNT = 11
_BACK, _FRONT = 20, 16
_ENDS = np.array([0.84, 0.86, 0.86, 0.85, 0.84, 0.82, 0.79, 0.75, 0.69, 0.60, 0.52])
"""How far each rib's bone reaches around the chest, 1 from spine to breastbone."""
_FADES = ((1.0, 0.45), (0.8, 0.72), (0.6, 1.0))
"""The front part is drawn up to each share of its length, ever denser toward the side."""


@dataclass
class Ribs:
    """Centre lines of all ribs of one film, mm; the right side's ribs come first."""

    back: Points
    """``[ribs, 20, 2]`` from the spine to the side."""
    front: Points
    """``[ribs, 16, 2]`` from the side to the bone's end in front."""
    width: Points
    """``[ribs]``."""


def ribs(build: Anatomy) -> Ribs:
    """The ribs' curves, before any fracture."""
    number = np.tile(np.arange(float(COUNT)), len(BOTH))[:, None]
    sign = np.repeat(np.array(BOTH, dtype=float), COUNT)[:, None]
    to_side = np.linspace(0, 0.5, _BACK) ** 0.9 / 0.5**0.9 * 0.5
    to_front = 0.5 + (_ENDS[number.astype(int)] - 0.5) * np.linspace(0, 1, _FRONT)
    behind = _curve(build, number, sign, np.broadcast_to(to_side, (len(number), _BACK)), 19.0)
    before = _curve(build, number, sign, to_front, np.asarray(build.front * sign * 0.8))
    size = 1.0 if build.body.sex == "M" else 0.0
    width: Points = 7.4 + 0.14 * number[:, 0] + size
    return Ribs(behind, before, width)


def _curve(
    build: Anatomy, number: Points, sign: Points, turn: Points, root: float | Points
) -> Points:
    """Places at ``turn`` (0 spine, 0.5 side, 1 breastbone) around the chest."""
    theta = turn * np.pi
    lean = (1 - 0.45 * build.squash) * (1 + 0.12 * build.traits["ribs"])
    drop = (62 + 6.5 * number) * lean * (1.12 - 0.2 * build.film.inspiration)
    spacing = build.height / 9.57
    y = build.apex - 12 + spacing * number + drop * (1 - np.cos(theta)) / 2
    y = y - 7.5 * np.sin(np.clip(2 * theta, 0, np.pi))
    side = build.lateral(y + 6) - 0.5
    x = root + (side - root) * np.sin(theta) ** np.where(turn < 0.5, 0.9, 0.8)
    return np.stack([sign * x, y], axis=-1)


def draw_ribs(build: Anatomy, back: Layer, fore: Layer) -> None:
    """Draws every rib: its back on one canvas, its front on another, broken ones as they are."""
    cage = ribs(build)
    broken = {_index(finding, sign): finding for finding, sign in build.of("rib_fracture")}
    whole = np.array([row not in broken for row in range(len(cage.width))])
    for odd in (0, 1):
        chosen = whole & (np.arange(len(whole)) % COUNT % 2 == odd)
        _tubes(back, cage.back[chosen], cage.width[chosen], 102, 72)
        _fronts(fore, cage.front[chosen], cage.width[chosen])
    for row, finding in broken.items():
        _fracture(back, fore, cage, row, finding)


def _index(finding: Finding, sign: int) -> int:
    number = int(finding.detail.rstrip("stndrh") or 6)
    return BOTH.index(sign) * COUNT + min(number, COUNT) - 1


def _tubes(layer: Layer, points: Points, width: Points, rim: float, core: float) -> None:
    """Bones of one parity (they do not overlap): a rim of cortex and a lighter core."""
    fill(layer, bands(points, width), rim)
    fill(layer, bands(points, width - 2.8), core)


def _fronts(layer: Layer, points: Points, width: Points) -> None:
    for share, fade in _FADES:
        part = points[:, : max(3, int(points.shape[1] * share))]
        _tubes(layer, part, width * 1.25, 58 * fade, 46 * fade)
    fill(layer, bands(points[:, :3], width * 0.5), 84)


def _fracture(back: Layer, fore: Layer, cage: Ribs, row: int, finding: Finding) -> None:
    """Two ends with a gap, the outer one displaced and tilted, and a little blood around."""
    rng = np.random.default_rng([finding.seed, 6])
    points, width, amount = cage.back[row], cage.width[row], finding.severity
    at = int(_BACK * rng.uniform(0.34, 0.58))
    step = points[at + 1] - points[at - 1]
    along = step / np.hypot(*step)
    across = np.array([-along[1], along[0]]) * (1 if rng.random() < 0.6 else -1)
    rest = np.arange(_BACK - at)[:, None]
    outer = points[at:] + across * (3.0 + 10.0 * amount) * np.exp(-rest / 4.5)
    gap = along * (1.2 + 4.0 * amount) / 2
    inner = np.concatenate([points[:at], [points[at] - gap]])
    outer[0] += gap
    for part in (inner, outer):
        ribbon(back, part, width, 128)
        ribbon(back, part, width - 2.8, 88)
    for end in (inner[-3:], outer[:2]):
        ribbon(back, end, width + 1.0 * amount, 142 + 44 * amount)
    _fronts(fore, cage.front[row : row + 1], cage.width[row : row + 1])
    blood = blank()
    spot = (float(points[at, 0]), float(points[at, 1]))
    ellipse(blood, spot, (16 + 9 * amount, 12 + 6 * amount), 55 + 115 * amount)
    np.maximum(fore, cv2.GaussianBlur(blood, (0, 0), 4.0), out=fore)
