"""The comparison's drawings as inline SVG: ROC planes, maps, differences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from radpair.comparison.compare_words import ahead, mean_of
from radpair.comparison.pictures import Map
from radpair.evaluation.report.marks import (
    COLOURS,
    GRID,
    INK,
    NONE,
    QUIET,
    Scale,
    dot,
    drawing,
    line,
    number,
    path,
    signed,
    text,
)

CLASS_COLOURS = ("#1f6fb4", "#d9711c", "#2e9a6b", "#8757b5", "#c2405d")
_SIZE, _LEFT, _TOP, _BOTTOM, _RIGHT = 250, 34, 24, 30, 6
Rows = Sequence[Mapping[str, Any]]


def shades(names: Sequence[str]) -> dict[str, str]:
    """A colour for every model; random ones are grey."""
    bright = [name for name in names if not name.startswith("random:")]
    found = {name: COLOURS[1 + place % (len(COLOURS) - 1)] for place, name in enumerate(bright)}
    greys = ("#8b929c", "#b3b9c1", "#666d77")
    dull = [name for name in names if name.startswith("random:")]
    found |= {name: greys[place % len(greys)] for place, name in enumerate(dull)}
    return {name: found[name] for name in names}


def roc_plane(rows: Rows, label: str, colours: Mapping[str, str]) -> str:
    """The curves of every model for one finding, with their AUROCs."""
    x = Scale(0, 1, _LEFT, _SIZE - _RIGHT)
    y = Scale(0, 1, _SIZE - _BOTTOM, _TOP)
    parts = [line(x(0), y(0), x(1), y(1), stroke="#b8c0ca", stroke_dasharray="3 4")]
    for tick in (0, 0.5, 1):
        parts.append(line(x(tick), y(0), x(tick), y(1), stroke=GRID))
        parts.append(line(x(0), y(tick), x(1), y(tick), stroke=GRID))
        small = {"fill": QUIET, "font_size": 10.5}
        parts.append(text(x(tick), y(0) + 14, f"{tick:g}", text_anchor="middle", **small))
        parts.append(text(x(0) - 5, y(tick) + 4, f"{tick:g}", text_anchor="end", **small))
    parts.append(text(_LEFT, 14, label, fill=INK, font_weight=600, font_size=13))
    shown = [row for row in rows if label in row["roc"]]
    for row in shown:
        curve = row["roc"][label]
        points = [(x(f), y(t)) for f, t in zip(curve["fpr"], curve["tpr"], strict=True)]
        if points:
            colour = colours[row["model"]]
            parts.append(path(points, stroke=colour, stroke_width=1.8, stroke_linejoin="round"))
    for place, row in enumerate(reversed(shown)):
        value = row["metrics"]["auroc"]["labels"][label]["value"]
        level = y(0) - 8 - 15 * place
        style = {"fill": colours[row["model"]], "font_size": 12, "font_weight": 600}
        parts.append(text(x(1) - 6, level, number(value), text_anchor="end", **style))
    return drawing(_SIZE, _SIZE, f"ROC curves of {label}", parts)


def map_plane(found: Map, side: int = 280) -> str:
    """The studies as points; one path a colour keeps the page small."""
    scale = Scale(0, 1, 8, side - 8)
    parts = []
    for number_, colour in [(-1, "#cdd3da"), *enumerate(CLASS_COLOURS)]:
        chosen = found.points[found.classes == number_]
        if len(chosen):
            steps = "".join(f"M{scale(a):.1f} {scale(b):.1f}h0" for a, b in chosen)
            parts.append(
                f'<path d="{steps}" stroke="{colour}" stroke-width="5" stroke-linecap="round" '
                f'opacity="{0.55 if number_ < 0 else 0.85}" fill="none"/>'
            )
    return drawing(side, side, f"t-SNE of {found.model}", parts)


def difference_chart(gaps: Rows, titles: Sequence[str], level: float) -> str:
    """Differences of one pair as dots with intervals around 0, one row a protocol.

    An interval that runs beyond what a difference can be, -1 to 1, does not stretch the axis: it
    ends in an arrow.
    """
    means = [mean_of(gap) for gap in gaps if mean_of(gap)["value"] is not None]
    ends = [abs(mean[key]) for mean in means for key in ("low", "high")]
    values = [abs(mean["value"]) for mean in means]
    reach = max([0.01, *values, *(end for end in ends if end < 1)]) * 1.08
    width, step, left = 700, 26, 300
    height = 30 + step * len(gaps)
    x = Scale(-reach, reach, left, width - 70)
    parts = []
    for tick in x.ticks(5):
        stroke = "#98a2ad" if abs(tick) < 1e-12 else GRID
        parts.append(line(x(tick), 20, x(tick), height - 4, stroke=stroke))
        shown = "0" if abs(tick) < 1e-12 else signed(tick, _digits(reach))
        parts.append(text(x(tick), 13, shown, text_anchor="middle", fill=QUIET, font_size=11))
    for place, (gap, title) in enumerate(zip(gaps, titles, strict=True)):
        parts += _difference_row(gap, title, x, 36 + step * place, width, level)
    return drawing(width, height, "Differences by protocol", parts)


def _digits(reach: float) -> int:
    return max(1, min(3, 1 - math.floor(math.log10(reach))))


def _difference_row(
    gap: Mapping[str, Any], title: str, x: Scale, y: float, width: int, level: float
) -> list[str]:
    mean = mean_of(gap)
    parts = [text(x.start - 14, y + 4, title, text_anchor="end", fill=INK, font_size=12.5)]
    if mean["value"] is None:
        return [*parts, text(x(0), y + 4, NONE, fill=QUIET)]
    side = ahead(gap, level)
    colour = {1: "#1c7a50", -1: "#b3541a", 0: "#8b929c"}[side]
    ends = (max(x.start, x(mean["low"])), min(x.stop, x(mean["high"])))
    style = {"stroke": colour, "stroke_width": 5, "opacity": 0.35, "stroke_linecap": "round"}
    parts.append(line(ends[0], y, ends[1], y, **style))
    for clipped, tip, way in (
        (x(mean["low"]) < x.start, x.start, -1),
        (x(mean["high"]) > x.stop, x.stop, 1),
    ):
        if clipped:
            head = [(tip, y - 6), (tip + 8 * way, y), (tip, y + 6)]
            parts.append(path(head, stroke=colour, stroke_width=2))
    note = f"{signed(mean['value'])} [{signed(mean['low'])}, {signed(mean['high'])}]"
    parts.append(dot(x(mean["value"]), y, 4.5, note, fill=colour))
    weight = {"font_weight": 600} if side else {}
    words = signed(mean["value"])
    parts.append(
        text(width - 6, y + 4, words, text_anchor="end", fill=colour, font_size=12.5, **weight)
    )
    return parts
