"""Diseases of lung and pleura as changes of air and water in one film.

Every shape is drawn from its finding's own seed in lung coordinates, so a finding that stays looks
the same in the patient's next film.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from radpair.phantom.anatomy import LEFT, RIGHT, ZONE_SPAN, Anatomy
from radpair.phantom.frame import (
    COARSE,
    Floats,
    Frame,
    Layer,
    Points,
    blank,
    frame,
    resized,
    ribbon,
    smoothstep,
    spline,
    strokes,
    texture,
)
from radpair.phantom.lesions import focus
from radpair.phantom.truth import Finding
from radpair.phantom.vessels import placed

LINE_CM = 3.0
"""cm of water at the value 255 of a layer of lines."""


@dataclass
class Changes:
    """What the findings do to the lungs."""

    grid: Frame
    soft: Floats
    """Share of air replaced, smooth, on the coarse grid, 0 to 1."""
    crisp: Floats
    """The same for shapes with sharp borders, ``[size, size]``."""
    fluid: Floats
    """Pleural fluid, 0 to 1, ``[size, size]``."""
    gap: Floats
    """Pleural air, where neither lung nor fluid is: 0 to 1, ``[size, size]``."""
    bright: Layer
    """Lines and plates on the canvas."""
    dark: Layer
    """Air in bronchi within filled lung, on the canvas."""
    drawn: set[str]
    """Which of the layers hold anything."""

    def fill(self) -> Floats:
        """Share of the lung's air replaced by fluid or cells, ``[size, size]``."""
        size = self.grid.size
        smooth = resized(self.soft, size) if "soft" in self.drawn else np.float32(0)
        return np.asarray(1 - (1 - smooth) * (1 - self.crisp), dtype=np.float32)

    def blend(self, share: Floats) -> None:
        """Adds a filled share; on the coarse or the film's grid by its shape."""
        if share.shape[0] == COARSE:
            self.soft = np.asarray(1 - (1 - self.soft) * (1 - share), dtype=np.float32)
            self.drawn.add("soft")
        else:
            self.crisp = np.asarray(1 - (1 - self.crisp) * (1 - share), dtype=np.float32)


def changes(build: Anatomy, grid: Frame) -> Changes:
    """All lung and pleural findings of one film."""
    size = grid.size
    found = Changes(
        grid=grid,
        soft=np.zeros((COARSE, COARSE), np.float32),
        crisp=np.zeros((size, size), np.float32),
        fluid=np.zeros((size, size), np.float32),
        gap=np.zeros((size, size), np.float32),
        bright=blank(),
        dark=blank(),
        drawn=set(),
    )
    for kind, draw in _DRAW.items():
        for finding, sign in build.of(kind):
            rng = np.random.default_rng([finding.seed, 5 + sign])
            draw(build, found, finding, sign, rng)
    return found


def _effusion(
    build: Anatomy, found: Changes, finding: Finding, sign: int, rng: np.random.Generator
) -> None:
    """A meniscus that climbs the chest wall, or a level under air; a veil besides in AP films."""
    grid, amount = found.grid, finding.severity
    bottom = build.dome[sign] + build.dome_rise * 1.25
    height = 14 + 212 * amount**1.1 * (0.95 + 0.1 * rng.random())
    out = np.clip(sign * grid.x / build.half_width, 0, 1)
    climb = 0.50 + 0.50 * out**2.4 + 0.08 * (1 - out) ** 3
    if build.strength("pneumothorax", sign) > 0.15:
        climb = np.full_like(out, 0.78)
    level = bottom - height * climb
    share = smoothstep((grid.y - level) / (9 + 0.13 * height)) * (sign * grid.x > -60)
    fluid = np.asarray(0.97 * share * _half(build, grid, sign), dtype=np.float32)
    found.fluid = np.maximum(found.fluid, fluid)
    found.blend(fluid)
    if build.supine:
        coarse = frame(COARSE)
        veil = smoothstep((coarse.y - build.apex) / build.height) * _half(build, coarse, sign)
        found.blend(np.asarray(0.42 * amount * veil, dtype=np.float32))


def _half(build: Anatomy, grid: Frame, sign: int) -> Floats:
    """1 on one side of the mediastinum, 0 on the other."""
    return smoothstep((sign * (grid.x - build.shift) + 6) / 12)


def _pneumothorax(
    build: Anatomy, found: Changes, finding: Finding, sign: int, rng: np.random.Generator
) -> None:
    """Air beside and above the lung, bounded by the thin line of its pleura."""
    grid, amount = found.grid, finding.severity
    wide = (6 + 62 * amount**1.1) * (0.92 + 0.16 * rng.random())
    top = build.apex + 1.25 * wide

    def border(y: Floats | Points) -> Floats:
        """x of the collapsed lung's edge at heights ``y``, mm."""
        down = np.clip((y - build.apex) / (build.dome[sign] - build.apex), 0, 1.1)
        at = build.lateral(y - 1.25 * wide * (1 - 0.8 * down))
        edge: Floats = at - wide * (1.0 - (0.85 - 0.35 * amount) * down)
        return edge

    rows = grid.y
    beside = smoothstep((sign * grid.x - border(rows)) / 2.5)
    above = smoothstep((top - rows) / 6)
    free = np.maximum(beside, above) * _half(build, grid, sign)
    found.gap = np.maximum(found.gap, free * (1 - found.fluid))
    found.blend(np.asarray(0.32 * amount * (1 - free) * _half(build, grid, sign), np.float32))
    y = np.linspace(top + 4, build.dome[sign] + 12, 40)
    x = border(y)
    inner = build.medial(y, sign)
    edge = np.stack([sign * np.maximum(x, inner), y], axis=1)
    cap = [
        (sign * float(inner[0]), top + 7.0),
        (sign * float((x[0] + inner[0]) / 2), top),
        tuple(edge[0]),
    ]
    line = np.concatenate([spline(cap, 10), edge[1:]])
    ribbon(found.bright, line, 1.7, 74)
    found.drawn.add("bright")


def _consolidation(
    build: Anatomy, found: Changes, finding: Finding, sign: int, rng: np.random.Generator
) -> None:
    """Patchy filled lung with dark bronchi; in the right upper lobe at times to the fissure."""
    x, y = focus(build, finding, sign, rng)
    amount = finding.severity
    wide = (24 + 22 * amount) * rng.uniform(0.85, 1.25)
    tall = (20 + 17 * amount) * rng.uniform(0.85, 1.2)
    coarse = frame(COARSE)
    radius = np.hypot((coarse.x - x) / wide, (coarse.y - y) / tall)
    patchy = 0.24 * texture(finding.seed, 22) + 0.10 * texture(finding.seed + 1, 7)
    share = (0.18 + 0.76 * amount) * smoothstep((1.25 - radius + patchy) / 0.75)
    if sign == RIGHT and finding.zone == "upper" and rng.random() < 0.6:
        slope = rng.uniform(-0.12, 0.12)
        fissure = y + 0.42 * tall + slope * (coarse.x - x)
        share = share * smoothstep((fissure - coarse.y) / 4 + 0.5)
    found.blend(np.asarray(share, dtype=np.float32))
    _bronchograms(build, found, finding, sign)


def _bronchograms(build: Anatomy, found: Changes, finding: Finding, sign: int) -> None:
    curves, orders = placed(build, sign, finding.seed)
    for order, pixels in ((0, 4), (1, 3), (2, 2)):
        strokes(found.dark, curves[orders == order], pixels, 150 + 60 * finding.severity)
    found.drawn.add("dark")


def _atelectasis(
    build: Anatomy, found: Changes, finding: Finding, sign: int, rng: np.random.Generator
) -> None:
    """One to three plates, nearly horizontal, in slightly underfilled lung."""
    coarse = frame(COARSE)
    amount = finding.severity
    low, high = ZONE_SPAN[finding.zone or "lower"]
    for _ in range(1 + int(amount * 2.6)):
        x, y = build.point(sign, rng.uniform(0.4, 0.62), rng.uniform(low, high) + 0.02)
        half = 0.5 * (46 + 40 * rng.random() + 24 * amount)
        lean, bow = rng.normal(0, 0.22), rng.normal(0, 3)
        control = [(x - half, y + lean * half), (x, y + bow), (x + half, y - lean * half)]
        away = np.hypot((coarse.x - x) / (1.2 * half), (coarse.y - y) / 16)
        found.blend(np.asarray((0.05 + 0.22 * amount) * np.exp(-(away**2)), dtype=np.float32))
        curve = spline(control, 24)
        taper = np.sqrt(np.clip(1 - np.linspace(-1, 1, 24) ** 2, 0.02, 1))
        ribbon(found.bright, curve, (2.5 + 5.4 * amount) * taper, 100 + 150 * amount)
    found.drawn.add("bright")


def _collapse(
    build: Anatomy, found: Changes, finding: Finding, sign: int, rng: np.random.Generator
) -> None:
    if finding.zone == "lower":
        _lower_collapse(build, found, finding, sign, rng)
    elif sign == RIGHT:
        _right_upper_collapse(build, found, finding, rng)
    else:
        _left_upper_collapse(build, found, finding, rng)


def _lower_collapse(
    build: Anatomy, found: Changes, finding: Finding, sign: int, rng: np.random.Generator
) -> None:
    """A triangle behind the heart whose straight edge runs from the hilum to the dome."""
    grid, amount = found.grid, finding.severity
    top = build.apex + 0.42 * build.height
    foot = build.half_width * (0.50 + 0.10 * rng.random() + (0.12 if sign == LEFT else 0))
    run = np.clip((grid.y - top) / (build.dome[sign] + 20 - top), 0, 1.2)
    edge = 20 + (foot - 20) * run
    share = smoothstep((edge - sign * grid.x) / 4 + 0.5) * smoothstep((grid.y - top) / 22)
    share = share * _half(build, grid, sign) * (0.28 + 0.68 * amount)
    found.blend(np.asarray(share, dtype=np.float32))


def _right_upper_collapse(
    build: Anatomy, found: Changes, finding: Finding, rng: np.random.Generator
) -> None:
    """The lobe above a raised minor fissure, concave below."""
    grid, amount = found.grid, finding.severity
    out = np.clip(-grid.x / build.half_width, 0, 1)
    lift = 0.40 - 0.08 * amount + 0.03 * rng.random()
    fissure = build.apex + build.height * (lift - 0.30 * out**1.6 + 0.10 * np.sin(np.pi * out))
    share = smoothstep((fissure - grid.y) / 5 + 0.5) * _half(build, grid, RIGHT)
    found.blend(np.asarray(share * (0.25 + 0.70 * amount), dtype=np.float32))


def _left_upper_collapse(
    build: Anatomy, found: Changes, finding: Finding, rng: np.random.Generator
) -> None:
    """A veil over the upper left lung, densest at the hilum, that blurs the heart's border."""
    coarse, amount = frame(COARSE), finding.severity
    x, y = build.hilum(LEFT)
    away = np.hypot((coarse.x - x - 4) / 62, (coarse.y - y + 38) / (88 + 10 * rng.random()))
    veil = np.exp(-(away**2)) * _half(build, coarse, LEFT)
    found.blend(np.asarray((0.20 + 0.66 * amount) * veil, dtype=np.float32))


def _edema(
    build: Anatomy, found: Changes, finding: Finding, sign: int, rng: np.random.Generator
) -> None:
    """Perihilar haze, septal lines at the bases, a thick fissure; vessels swell elsewhere."""
    coarse, amount = frame(COARSE), finding.severity
    x, y = build.hilum(sign)
    away = np.hypot((coarse.x - x - sign * 22) / 46, (coarse.y - y - 14) / 68)
    mottled = 1 + 0.20 * texture(finding.seed, 13) + 0.14 * texture(finding.seed + 3, 5)
    wing = (0.09 + 0.64 * amount) * np.exp(-(away**2.2)) + 0.20 * amount
    share = np.clip(wing * mottled, 0, 0.95) * _half(build, coarse, sign)
    found.blend(np.asarray(share, dtype=np.float32))
    septa = []
    for _ in range(5 + int(9 * amount)):
        at = build.point(sign, 1.0, rng.uniform(0.62, 0.97))
        length = rng.uniform(8, 17)
        septa.append(np.array([at, (at[0] - sign * length, at[1] + rng.normal(0, 1.5))]))
    strokes(found.bright, np.stack(septa), 1, 40 + 70 * amount)
    long = []
    for _ in range(2 + int(3 * amount)):
        end = build.point(sign, rng.uniform(0.4, 0.7), rng.uniform(0.15, 0.6))
        long.append(spline([(x + sign * 12, y), ((x + end[0]) / 2, (y + end[1]) / 2 - 3), end], 12))
    strokes(found.bright, np.stack(long), 1, 30 + 50 * amount)
    if sign == RIGHT:
        outer = build.point(RIGHT, 0.97, 0.50)
        ribbon(found.bright, spline([(x - 8, y + 4), outer], 12), 1.2 + amount, 35 + 60 * amount)
    found.drawn.add("bright")


def lines(found: Changes) -> Floats | None:
    """cm of water added by lines and plates, where lung is."""
    if "bright" not in found.drawn:
        return None
    soft = cv2.GaussianBlur(found.bright, (0, 0), 0.7)
    return resized(soft, found.grid.size) * np.float32(LINE_CM / 255)


def bronchograms(found: Changes) -> Floats | None:
    """How much of the filling dark bronchi spare, 0 to 1."""
    if "dark" not in found.drawn:
        return None
    soft = cv2.GaussianBlur(found.dark, (0, 0), 0.8)
    return resized(soft, found.grid.size) * np.float32(0.30 / 255)


_DRAW: dict[str, Callable[[Anatomy, Changes, Finding, int, np.random.Generator], None]] = {
    "pleural_effusion": _effusion,
    "pneumothorax": _pneumothorax,
    "consolidation": _consolidation,
    "atelectasis": _atelectasis,
    "lobar_collapse": _collapse,
    "edema": _edema,
}
