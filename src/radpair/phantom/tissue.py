"""Soft tissue and air: front-to-back thicknesses in cm of water."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from radpair.phantom.anatomy import BOTH, LEFT, RIGHT, Anatomy
from radpair.phantom.frame import (
    COARSE,
    Floats,
    Frame,
    Layer,
    blank,
    circle,
    frame,
    polygon,
    resized,
    ribbon,
    smoothstep,
    spline,
    texture,
)


@dataclass
class Chest:
    """The thicknesses of one film's chest, each ``[size, size]`` in cm of water."""

    body: Floats
    """Everything within the skin, were there no air."""
    above: Floats
    """1 above the hemidiaphragms, falling to 0 below."""
    lung: dict[int, Floats]
    """The path through each lung, where heart and abdomen leave room."""


def chest(build: Anatomy, grid: Frame) -> Chest:
    """Body and lungs of one film."""
    heart = _heart(build, grid)
    above = {sign: _above_dome(build, grid, sign) for sign in BOTH}
    lung = {sign: np.maximum(_cavity(build, grid, sign) - heart, 0) * above[sign] for sign in BOTH}
    cover = np.where(grid.x > build.shift, above[LEFT], above[RIGHT])
    return Chest(resized(_body(build), grid.size), cover, lung)


def _cavity(build: Anatomy, grid: Frame, sign: int) -> Floats:
    """Depth of one pleural cavity, from the cage's ellipse and the mediastinum's border."""
    rows = grid.y
    outer = build.lateral(rows)
    s = np.clip((rows - build.apex) / build.height, 0, None)
    depth = build.depth * np.sqrt(1 - np.exp(-s / 0.16))
    across = sign * grid.x / outer
    chord = np.sqrt(np.clip(1 - np.abs(across) ** 3.2, 0, 1))
    inner = build.medial(rows, sign)
    border = np.clip((sign * grid.x - inner) / (11 + 18 * smoothstep((s - 0.3) / 0.3)), 0, 1)
    return np.asarray(depth * chord * np.sqrt(border), dtype=np.float32)


def _above_dome(build: Anatomy, grid: Frame, sign: int) -> Floats:
    """1 above the hemidiaphragm, falling to 0 below it as the abdomen fills the cavity."""
    line = build.dome_line(grid.x, sign)
    below = np.clip((grid.y - line) / 24, 0, 1)
    return np.asarray(1 - np.sqrt(below), dtype=np.float32)


_LEVELS = (0.0, 0.10, 0.20, 0.27, 0.33, 0.40, 0.48, 0.57, 0.69, 0.82, 0.93, 1.03, 1.12)
_RIGHT_EDGE = (18, 20, 22, 23, 23, 24, 27, 33, 39, 41, 38, 30, 12)
_LEFT_EDGE = (22, 24, 26, 28, 28, 31, 36, 46, 62, 75, 81, 76, 56)
_DEPTHS = (5.0, 7.0, 8.0, 8.3, 8.3, 8.4, 9.0, 9.6, 10.2, 10.5, 10.3, 9.6, 8.3)


def _heart(build: Anatomy, grid: Frame) -> Floats:
    """Depth of heart and great vessels in front of the lungs, from their two borders."""
    s = (grid.y[:, 0] - build.apex) / build.height
    right, left = _borders(build, s)
    middle, half = (left - right) / 2 + build.centre, (left + right) / 2
    depth = _smooth(s, _DEPTHS) * (0.93 + 0.07 * build.heart)
    across = (grid.x - middle[:, None]) / half[:, None]
    chord = np.sqrt(np.clip(1 - np.abs(across) ** 3, 0, 1))
    return np.asarray(depth[:, None] * chord, dtype=np.float32)


def _borders(build: Anatomy, s: Floats) -> tuple[Floats, Floats]:
    """Distances of the right and left heart borders from the mediastinum's middle."""
    size = build.half_width / 130
    grow = 1 + (build.heart - 1) * smoothstep((s - 0.42) / 0.25)
    right = _smooth(s, _RIGHT_EDGE) * (1 + 0.5 * (grow - 1)) * size
    left = _smooth(s, _LEFT_EDGE) * (1 + 1.15 * (grow - 1)) * size
    age = np.clip((build.body.age - 35) / 50, 0, 1)
    knob = 7.5 + 2.5 * build.traits["aorta"] + 6 * age
    left = left + knob * np.exp(-(np.abs((s - 0.265) / 0.058) ** 2.4))
    left = left + (3 + 2 * build.traits["heart"]) * np.exp(-(((s - 0.405) / 0.04) ** 2))
    return right, left


def _smooth(s: Floats, values: tuple[float, ...]) -> Floats:
    curve = spline(np.stack([_LEVELS, values], axis=1), 60)
    return np.asarray(np.interp(s, curve[:, 0], curve[:, 1]), dtype=np.float32)


def _ellipsoid(grid: Frame, x: float, y: float, rx: float, ry: float, tilt: float) -> Floats:
    """Chord of a tilted ellipsoid, 1 at its middle."""
    turn = np.deg2rad(tilt)
    c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    dx, dy = grid.x - np.float32(x), grid.y - np.float32(y)
    along = (c / rx) * dx + (s / rx) * dy
    across = (c / ry) * dy - (s / ry) * dx
    inside = 1 - along * along - across * across
    return np.asarray(np.sqrt(np.maximum(inside, 0)), dtype=np.float32)


def _body(build: Anatomy) -> Floats:
    """Thickness within the skin on the coarse grid: torso, neck, arms, breasts, abdomen."""
    grid = frame(COARSE)
    skin = np.maximum(np.maximum(_torso(build, grid), _neck(build, grid)), _arms(build, grid))
    inside = skin.copy()
    seed = build.body.seed
    uneven = 0.32 * texture(seed, 40) + 0.20 * texture(seed + 1, 12)
    skin += _breasts(build, grid) + _pectorals(build, grid) + uneven
    skin = cv2.GaussianBlur(skin * (inside > 1), (0, 0), 0.9)
    return np.asarray(skin, dtype=np.float32)


def _torso(build: Anatomy, grid: Frame) -> Floats:
    below = grid.y - build.apex
    cage = build.half_width * (0.93 + 0.10 * smoothstep((below - 40) / 160))
    axilla = 30 * np.exp(-(((below - 45) / 55) ** 2))
    hips = (0.10 + 0.05 * build.traits["wall"]) * np.clip(below - 150, 0, None)
    half = cage + build.fat + axilla + hips
    depth = build.depth + 4.6 + 0.11 * build.fat + 1.6 * smoothstep((grid.y - build.rest) / 60)
    chord = np.sqrt(np.clip(1 - np.abs(grid.x / half) ** 4.5, 0, 1))
    slope = _shoulder_top(build, grid.x)
    top = np.sqrt(np.clip((grid.y - slope) / 85, 0, 1))
    return np.asarray(depth * chord * top, dtype=np.float32)


def _shoulder_top(build: Anatomy, x: Floats) -> Floats:
    """y of the skin over the trapezius and shoulder."""
    out = np.clip((np.abs(x) - 48) / 130, 0, 1.4)
    line: Floats = build.apex - 62 + 52 * out**0.8 + 60 * np.clip(out - 0.9, 0, 1) ** 2
    return line


def _neck(build: Anatomy, grid: Frame) -> Floats:
    half = 52 + 4 * build.body.build + 26 * np.clip((grid.y - build.apex + 46) / 50, 0, 1) ** 2
    fade = smoothstep((build.apex + 70 - grid.y) / 60)
    chord = np.sqrt(np.clip(1 - ((grid.x - 0.4 * build.front) / half) ** 2, 0, 1))
    return np.asarray(13.0 * chord * fade, dtype=np.float32)


def _arms(build: Anatomy, grid: Frame) -> Floats:
    """Shoulders and upper arms; arms hang close in heavy patients and AP films."""
    spread = 0.16 + 0.10 * build.traits["arms"] - (0.08 if build.supine else 0)
    start = build.apex + 22
    radius = 38 + 5 * build.body.build
    along = np.clip(grid.y - start, 0, None)
    total = np.zeros((COARSE, COARSE), np.float32)
    for sign in BOTH:
        middle = build.half_width + 34 + 0.5 * build.fat + spread * along
        off = (sign * grid.x - middle) / radius
        cap = np.clip((start - grid.y) / radius, 0, None)
        chord = np.sqrt(np.clip(1 - off**2 - cap**2, 0, 1))
        total = np.maximum(total, 11.5 * chord).astype(np.float32)
    return total


def _breasts(build: Anatomy, grid: Frame) -> Floats:
    total = np.zeros((COARSE, COARSE), np.float32)
    if build.body.sex != "F":
        return total
    size = 1 + 0.28 * build.traits["breast"] + 0.22 * build.body.build
    for sign in BOTH:
        x = sign * (78 + 8 * build.body.build) + 0.8 * build.front
        y = build.rest - 42 + 12 * size
        pad = _ellipsoid(grid, x, y, 64 * size, 52 * size, sign * 25)
        total += np.float32(2.8 * size) * pad
    return total


def _pectorals(build: Anatomy, grid: Frame) -> Floats:
    """Chest muscles before the upper outer lungs."""
    bulk = 1.0 if build.body.sex == "F" else 1.7
    total = np.zeros((COARSE, COARSE), np.float32)
    for sign in BOTH:
        x, y = sign * 0.82 * build.half_width, build.apex + 66
        total += np.float32(bulk) * _ellipsoid(grid, x, y, 78, 46, -sign * 35)
    return total


def airways(build: Anatomy, size: int) -> Floats:
    """Air in trachea and main bronchi, 0 to 1, ``[size, size]``."""
    layer = blank()
    x, y = build.carina
    neck = 0.3 * build.front
    trachea = spline([(neck, -8), (neck + 0.5, build.apex - 20), (x + 1, y - 40), (x, y)])
    ribbon(layer, trachea, 16.5 if build.body.sex == "M" else 14.5, 235)
    for sign, out, down in ((LEFT, 44, 30), (RIGHT, 34, 34)):
        branch = spline(
            [(x, y - 5), (x + sign * out * 0.5, y + down * 0.4), (x + sign * out, y + down)]
        )
        ribbon(layer, branch, np.linspace(12, 8, len(branch)), 130)
    return resized(cv2.GaussianBlur(layer, (0, 0), 1.6), size) / 255


def bowel_gas(build: Anatomy, size: int) -> Floats | None:
    """The stomach bubble under the left dome and at times colon gas, 0 to 1."""
    rng = np.random.default_rng([build.film.seed, 3])
    present, wide, tall, place, colon = rng.random(5)
    if present < 0.35:
        return None
    layer = blank()
    x = 52 + 36 * place + 0.5 * build.front
    y = float(build.dome_line(np.asarray([x]), LEFT)[0]) + 18 + 12 * tall
    _bubble(layer, (x, y), (14 + 22 * wide, 7 + 11 * tall), 130 + 90 * rng.random(), rng)
    for _ in range(int(colon * 4.5) - 2):
        centre = (rng.uniform(0, 110), y + rng.uniform(28, 80))
        _bubble(layer, centre, (10 + 14 * rng.random(), 7 + 9 * rng.random()), 95, rng)
    return resized(cv2.GaussianBlur(layer, (0, 0), 2.6), size) / 255


def _bubble(
    layer: Layer,
    centre: tuple[float, float],
    radii: tuple[float, float],
    value: float,
    rng: np.random.Generator,
) -> None:
    """Gas with an uneven wall."""
    turn = circle(40)
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    edge = 1 + 0.16 * np.cos(2 * angle + rng.uniform(0, 6.3))
    edge += 0.10 * np.cos(3 * angle + rng.uniform(0, 6.3)) * rng.random()
    polygon(layer, turn * edge[:, None] * np.array(radii) + np.array(centre), value)
