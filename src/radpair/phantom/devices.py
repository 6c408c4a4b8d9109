"""Tubes, lines and pacemakers, in cm of water."""

from __future__ import annotations

import numpy as np

from radpair.phantom.anatomy import LEFT, RIGHT, Anatomy
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

_FULL = 9.0
"""cm of water at the layer's value 255."""
_TUBE_TIP = {"good": -45.0, "high": -88.0, "low": 16.0}
"""mm below the carina."""
_LINE_TIP = {"svc": 8.0, "cavoatrial": 44.0, "atrium": 78.0}
"""mm below the carina."""


def devices(build: Anatomy, grid: Frame) -> Floats | None:
    """Everything foreign in one film, ``[size, size]`` cm of water, or None."""
    layer: Layer | None = None
    for finding in build.findings:
        if finding.kind in ("endotracheal_tube", "central_line", "pacemaker"):
            layer = blank() if layer is None else layer
            rng = np.random.default_rng([finding.seed, 8])
            sign = LEFT if finding.side == "left" else RIGHT
            if finding.kind == "endotracheal_tube":
                _tube(layer, build, finding)
            elif finding.kind == "central_line":
                _line(layer, build, finding, sign, rng)
            else:
                _pacemaker(layer, build, finding, sign, rng)
    if build.supine:
        layer = _leads(layer, build)
    if layer is None:
        return None
    return resized(layer, grid.size) * np.float32(_FULL / 255)


def _leads(layer: Layer | None, build: Anatomy) -> Layer | None:
    """The wires of a heart monitor, on some bedside films; they lie on the skin."""
    rng = np.random.default_rng([build.film.seed, 12])
    if rng.random() > 0.4:
        return layer
    layer = blank() if layer is None else layer
    for _ in range(int(rng.integers(1, 4))):
        sign = LEFT if rng.random() < 0.5 else RIGHT
        end = (sign * rng.uniform(60, 135), build.apex + rng.uniform(10, 230))
        start = (sign * rng.uniform(120, 210), -10.0 if rng.random() < 0.5 else 440.0)
        bend = ((start[0] + end[0]) / 2 + rng.normal(0, 25), (start[1] + end[1]) / 2)
        ribbon(layer, spline([start, bend, end], 30), 1.5, 30)
        ellipse(layer, end, (4.5, 4.5), 42)
        ellipse(layer, end, (2.0, 2.0), 75)
    return layer


def _contrast(finding: Finding) -> float:
    return 0.55 + 0.6 * finding.severity


def _tube(layer: Layer, build: Anatomy, finding: Finding) -> None:
    """A faint tube with a dense stripe, from the mouth down the trachea."""
    x, y = build.carina
    depth = _TUBE_TIP[finding.detail or "good"]
    aside = -9.0 if finding.detail == "low" else 1.5
    above = 0.3 * build.front
    path = spline([(above + 4, -12), (above + 2, build.apex - 30), (x + aside, y + depth)], 30)
    ribbon(layer, path, 10.0, 26 * _contrast(finding))
    ribbon(layer, path + np.array([2.4, 0.0]), 2.1, 120 * _contrast(finding))
    ribbon(layer, path[-2:], 9.0, 60 * _contrast(finding))


def _cava(build: Anatomy) -> float:
    return build.centre - 19.0


def _line(
    layer: Layer, build: Anatomy, finding: Finding, sign: int, rng: np.random.Generator
) -> None:
    """From the neck, below the clavicle, or the arm, to the superior vena cava or the atrium."""
    cava, carina, top = _cava(build), build.carina[1], build.apex
    route = rng.random()
    start: list[tuple[float, float]]
    if route < 0.5:
        start = [(sign * 48, top - 64), (sign * 40, top - 34), (sign * 32, top + 4)]
    elif route < 0.72:
        start = [(sign * 112, top + 52), (sign * 88, top + 22), (sign * 52, top + 10)]
    else:
        arm = build.half_width + 36 + 0.4 * build.fat
        start = [
            (sign * (arm + 26), top + 150),
            (sign * arm, top + 66),
            (sign * 92, top + 22),
            (sign * 52, top + 10),
        ]
    path = spline(
        [*start, *_to_cava(build, sign), (cava, carina + _LINE_TIP[finding.detail or "svc"])], 60
    )
    ribbon(layer, path, 2.5, 100 * _contrast(finding))


def _to_cava(build: Anatomy, sign: int) -> list[tuple[float, float]]:
    cava, carina, top = _cava(build), build.carina[1], build.apex
    if sign == RIGHT:
        return [(cava - 3, top + 34), (cava, carina - 18)]
    return [(build.centre + 20, top + 28), (build.centre - 8, top + 44), (cava, carina - 12)]


def _pacemaker(
    layer: Layer, build: Anatomy, finding: Finding, sign: int, rng: np.random.Generator
) -> None:
    """A box below the clavicle and one to three leads, by severity."""
    x = sign * (0.70 * build.half_width + rng.uniform(-5, 8))
    y = build.apex + 58 + rng.uniform(-8, 8)
    gain = _contrast(finding)
    _box(layer, x, y, rng.uniform(-0.5, 0.5), gain)
    carina, centre, base = build.carina[1], build.centre, build.rest
    wide = build.heart * build.half_width / 130
    tips = [
        [
            (centre - 26 * wide, carina + 70),
            (centre + 2, base - 16),
            (centre + 52 * wide, base - 8),
        ],
        [(centre - 26 * wide, carina + 62), (centre - 14, carina + 78), (centre - 4, carina + 58)],
        [(centre - 20, carina + 60), (centre + 18, base - 52), (centre + 68 * wide, base - 46)],
    ]
    way: list[tuple[float, float]] = [
        (x, y - 10),
        (x - sign * 8, y - 34),
        (sign * 56, build.apex + 12),
    ]
    for number, tip in enumerate(tips[: 1 + int(finding.severity * 2.4)]):
        path = spline([*way, *_to_cava(build, sign), *tip], 70)
        path = path + np.array([1.6 * number, 0.0])
        ribbon(layer, path, 2.0, 88 * gain)
        ribbon(layer, path[-3:], 3.4, 140 * gain)


def _box(layer: Layer, x: float, y: float, turn: float, gain: float) -> None:
    corner = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    c, s = np.cos(corner), np.sin(corner)
    shape: Points = np.stack(
        [23 * np.sign(c) * np.abs(c) ** 0.45, 20 * np.sign(s) * np.abs(s) ** 0.45], axis=1
    )
    spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    polygon(layer, shape @ spin + (x, y), 150 * gain)
    polygon(layer, (shape * (0.72, 0.55) + (0, 5)) @ spin + (x, y), 205 * gain)
    polygon(layer, (shape * (0.8, 0.22) + (0, -17)) @ spin + (x, y), 95 * gain)
    ellipse(layer, (x, y), (2, 2), 120 * gain)
