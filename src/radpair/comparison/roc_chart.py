"""The ROC plane of one label: the model's curve, every reader's point, the model's point."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from radpair.comparison.readers_text import Found
from radpair.evaluation.report.marks import (
    COLOURS,
    GRID,
    INK,
    QUIET,
    Scale,
    drawing,
    line,
    number,
    path,
    text,
)

_SIZE, _LEFT, _TOP, _BOTTOM, _RIGHT = 320, 48, 30, 44, 10
_MODEL = "#1f6fb4"
_SHAPES = ("circle", "square", "triangle", "diamond", "cross")


def shades(found: Found) -> dict[str, tuple[str, str]]:
    """A colour and a shape for every reader, so that none is told by colour alone."""
    colours = [colour for colour in COLOURS if colour != _MODEL][1:]
    return {
        one["name"]: (colours[place % len(colours)], _SHAPES[place % len(_SHAPES)])
        for place, one in enumerate(found["readers"])
    }


def key(found: Found, looks: Mapping[str, tuple[str, str]]) -> str:
    """The readers' and the model's marks beside their names, as HTML."""
    shown = [(name, mark(shape, 7, 7, 5, colour)) for name, (colour, shape) in looks.items()]
    if found["model"]:
        name = found["model"]["name"]
        shown.append((name, line(0, 7, 14, 7, stroke=_MODEL, stroke_width=2.5)))
        if found["model"]["thresholds"] is not None:
            shown.append((f"{name} at its threshold", mark("star", 7, 7, 6, _MODEL)))
    items = "".join(
        f'<li class="key"><svg width="14" height="14" viewBox="0 0 14 14">{drawn}</svg>'
        f"{escape(name)}</li>"
        for name, drawn in shown
    )
    return f'<ul class="legend">{items}</ul>'


def roc_chart(found: Found, label: str, looks: Mapping[str, tuple[str, str]]) -> str:
    """The plane as SVG: false positive rate to the right, true positive rate up."""
    x = Scale(0, 1, _LEFT, _SIZE - _RIGHT)
    y = Scale(0, 1, _SIZE - _BOTTOM, _TOP)
    parts = [*_frame(x, y), *_heading(found, label)]
    model = found["model"]
    if model:
        curve = model["curves"][label]
        points = [(x(f), y(t)) for f, t in zip(curve["fpr"], curve["tpr"], strict=True)]
        if points:
            parts.append(path(points, stroke=_MODEL, stroke_width=2, stroke_linejoin="round"))
    for one in found["readers"]:
        parts += _point(one["name"], one["metrics"], label, (x, y), looks[one["name"]])
    if model and "tpr" in model["metrics"]:
        parts += _point(model["name"], model["metrics"], label, (x, y), (_MODEL, "star"))
    return drawing(_SIZE, _SIZE, f"ROC plane of {label}", parts)


def mark(shape: str, x: float, y: float, size: float, colour: str, note: str = "") -> str:
    """A filled mark with a white edge; ``note`` shows under the pointer."""
    corners = {
        "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        "triangle": [(0, -1.15), (1.1, 0.85), (-1.1, 0.85)],
        "diamond": [(0, -1.25), (1.1, 0), (0, 1.25), (-1.1, 0)],
        "cross": [
            *((-0.4, -1.1), (0.4, -1.1), (0.4, -0.4), (1.1, -0.4), (1.1, 0.4), (0.4, 0.4)),
            *((0.4, 1.1), (-0.4, 1.1), (-0.4, 0.4), (-1.1, 0.4), (-1.1, -0.4), (-0.4, -0.4)),
        ],
        "star": [
            *((0, -1.4), (0.35, -0.45), (1.35, -0.4), (0.55, 0.2), (0.85, 1.15)),
            *((0, 0.6), (-0.85, 1.15), (-0.55, 0.2), (-1.35, -0.4), (-0.35, -0.45)),
        ],
    }
    style = f'fill="{colour}" stroke="#fff" stroke-width="1"'
    inner = f"<title>{escape(note)}</title>" if note else ""
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:g}" {style}>{inner}</circle>'
    steps = " ".join(f"{x + size * dx:.1f},{y + size * dy:.1f}" for dx, dy in corners[shape])
    return f'<polygon points="{steps}" {style}>{inner}</polygon>'


def _frame(x: Scale, y: Scale) -> list[str]:
    parts = [line(x(0), y(0), x(1), y(1), stroke="#b8c0ca", stroke_dasharray="3 4")]
    for tick in (0, 0.25, 0.5, 0.75, 1):
        parts.append(line(x(tick), y(0), x(tick), y(1), stroke=GRID))
        parts.append(line(x(0), y(tick), x(1), y(tick), stroke=GRID))
        small = {"fill": QUIET, "font_size": 11}
        parts.append(text(x(tick), y(0) + 15, f"{tick:g}", text_anchor="middle", **small))
        parts.append(text(x(0) - 6, y(tick) + 4, f"{tick:g}", text_anchor="end", **small))
    middle, small = (x(0) + x(1)) / 2, {"fill": QUIET, "font_size": 11, "text_anchor": "middle"}
    parts.append(text(middle, _SIZE - 8, "false positive rate", **small))
    turned = f"rotate(-90 12 {(y(0) + y(1)) / 2:.0f})"
    parts.append(text(12, (y(0) + y(1)) / 2, "true positive rate", transform=turned, **small))
    return parts


def _heading(found: Found, label: str) -> list[str]:
    count = found["counts"][label]
    told = f"{count['positives']:,} of {count['studies']:,} present"
    if found["model"]:
        told = f"AUROC {number(found['model']['metrics']['auroc']['labels'][label]['value'])}"
    return [
        text(_LEFT, 16, label, fill=INK, font_weight=600, font_size=14),
        text(_SIZE - _RIGHT, 16, told, text_anchor="end", fill=QUIET, font_size=12),
    ]


def _point(
    name: str,
    metrics: Mapping[str, Any],
    label: str,
    scales: tuple[Scale, Scale],
    look: tuple[str, str],
) -> list[str]:
    """The mark at (FPR, TPR) and its interval in both directions."""
    x, y = scales
    tpr, fpr = (metrics[rate]["labels"][label] for rate in ("tpr", "fpr"))
    if tpr["value"] is None or fpr["value"] is None:
        return []
    colour, shape = look
    across, up = x(fpr["value"]), y(tpr["value"])
    thin = {"stroke": colour, "stroke_width": 1.4, "opacity": 0.45}
    note = f"{name}: TPR {number(tpr['value'])}, FPR {number(fpr['value'])}"
    return [
        line(x(fpr["low"]), up, x(fpr["high"]), up, **thin),
        line(across, y(tpr["low"]), across, y(tpr["high"]), **thin),
        mark(shape, across, up, 5.5, colour, note),
    ]
