"""Nodules, masses and granulomas, and where focal findings lie."""

from __future__ import annotations

import numpy as np

from radpair.phantom.anatomy import ZONE_SPAN, Anatomy
from radpair.phantom.frame import Floats, Frame, smoothstep
from radpair.phantom.truth import Finding


def focus(
    build: Anatomy, finding: Finding, sign: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Where in its zone a focal finding lies."""
    low, high = ZONE_SPAN[finding.zone or "middle"]
    across, down = rng.uniform(0.38, 0.74), rng.uniform(low, high)
    return build.point(sign, across, down)


def thicken(build: Anatomy, grid: Frame) -> Floats | None:
    """Nodules, masses and granulomas: water to add where lung is, ``[size, size]`` cm."""
    total = None
    for kind in ("nodule", "mass", "granuloma"):
        for finding, sign in build.of(kind):
            rng = np.random.default_rng([finding.seed, 5 + sign])
            total = np.zeros((grid.size, grid.size), np.float32) if total is None else total
            _lesion(build, grid, finding, focus(build, finding, sign, rng), rng, total)
    return total


def _lesion(
    build: Anatomy,
    grid: Frame,
    finding: Finding,
    centre: tuple[float, float],
    rng: np.random.Generator,
    total: Floats,
) -> None:
    """Adds one rounded lesion within its own window of ``total``."""
    radius = finding.size_mm / 2
    rows, columns = _window(grid, centre, radius * 1.6 + 6)
    dx, dy = grid.x[:, columns] - centre[0], grid.y[rows] - centre[1]
    angle = np.arctan2(dy, dx)
    wobble = {"nodule": 0.06, "mass": 0.13, "granuloma": 0.10}[finding.kind]
    edge = np.ones_like(angle)
    for waves in (2, 3, 5):
        edge += wobble / (waves**0.5) * np.cos(waves * angle + rng.uniform(0, 6.3)) * rng.random()
    if finding.kind == "mass":
        spikes = 0.5 + 0.5 * np.cos(rng.integers(13, 19) * angle + rng.uniform(0, 6.3))
        edge += 0.10 * rng.random() * spikes**3
    away = np.hypot(dx, dy) / (radius * edge)
    soft = 1.15 / radius + 0.06
    profile = np.sqrt(np.clip(1 - (away / (1 + soft)) ** 2, 0, 1)) * smoothstep(
        (1 + soft - away) / (2 * soft)
    )
    total[rows, columns] += (_lesion_depth(finding) * profile).astype(np.float32)


def _lesion_depth(finding: Finding) -> float:
    """cm of water at a lesion's middle."""
    across, amount = finding.size_mm / 10, finding.severity
    if finding.kind == "granuloma":
        return float(1.4 + 2.0 * across**0.5 * (0.5 + 1.6 * amount))
    if finding.kind == "nodule":
        return float(across**0.75 * (0.60 + 1.60 * amount))
    return float(min(across, 7.0) ** 0.8 * (0.30 + 1.50 * amount))


def _window(grid: Frame, centre: tuple[float, float], reach: float) -> tuple[slice, slice]:
    x = np.searchsorted(grid.x[0], (centre[0] - reach, centre[0] + reach))
    y = np.searchsorted(grid.y[:, 0], (centre[1] - reach, centre[1] + reach))
    return slice(int(y[0]), int(y[1])), slice(int(x[0]), int(x[1]))
