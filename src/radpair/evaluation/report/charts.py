"""The page's charts as inline SVG: label efficiency, labels one by one, losses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from radpair.evaluation.report.marks import (
    GRID,
    INK,
    QUIET,
    Scale,
    dot,
    drawing,
    line,
    number,
    path,
    percent,
    text,
)

Rows = Sequence[Mapping[str, Any]]
_WIDTH = 620


def efficiency_chart(rows: Rows, colours: Mapping[str, str]) -> str:
    """Macro AUROC over label fractions: a point, its interval, each draw as a faint dot."""
    fractions = sorted({row["fraction"] for row in rows})
    height, left = 350, 44
    right = min(200, 24 + 8 * max(map(len, colours)))
    ends = [value for row in rows for value in _ends(row["metrics"]["auroc"])]
    low = math.floor(20 * min([0.5, *ends])) / 20
    y = Scale(low, math.ceil(20 * max([0.55, *ends])) / 20, height - 58, 16)
    x = _fraction_scale(fractions, left + 40, _WIDTH - right - 30)
    parts = _horizontal_grid(y, left, _WIDTH - right)
    parts += [
        text(left, height - 6, "share of the training labels (studies)", fill=QUIET, font_size=12)
    ]
    for fraction in fractions:
        studies = next(row["studies"] for row in rows if row["fraction"] == fraction)
        place = x(math.log10(fraction))
        parts.append(text(place, height - 40, percent(fraction), text_anchor="middle", fill=INK))
        parts.append(
            text(place, height - 25, f"{studies:,}", text_anchor="middle", fill=QUIET, font_size=11)
        )
    middle = (len(colours) - 1) / 2
    for place, (name, colour) in enumerate(colours.items()):
        mine = sorted((r for r in rows if r["model"] == name), key=lambda r: r["fraction"])
        parts += _model_line(mine, x, y, colour, 7 * (place - middle))
    parts += _end_names(rows, colours, y, _WIDTH - right + 8, fractions[-1])
    return drawing(_WIDTH, height, "AUROC by share of training labels", parts)


def label_chart(
    rows: Rows, labels: Sequence[str], positives: Mapping[str, int], colours: Mapping[str, str]
) -> str:
    """AUROC of every label at one fraction, one dot with its interval per encoder."""
    ordered = sorted(labels, key=lambda name: -_best(rows, name))
    step = 11 * len(colours) + 10
    height, left = 44 + step * len(ordered), 62 + 8.2 * max(map(len, ordered))
    ends = [v for row in rows for name in labels for v in _bounds(_label(row, name))]
    x = Scale(math.floor(10 * min([0.5, *ends])) / 10, 1.0, left, _WIDTH - 16)
    parts = []
    for tick in x.ticks(8):
        heavy = abs(tick - 0.5) < 1e-9
        colour = "#b8c0ca" if heavy else GRID
        parts.append(line(x(tick), 20, x(tick), height - 14, stroke=colour))
        parts.append(text(x(tick), 13, f"{tick:g}", text_anchor="middle", fill=QUIET, font_size=12))
    for place, name in enumerate(ordered):
        top = 30 + place * step
        if place % 2 == 0:
            parts.insert(
                0, f'<rect x="0" y="{top - 5}" width="{_WIDTH}" height="{step}" fill="#f7f9fb"/>'
            )
        centre = top + (step - 10) / 2
        parts.append(text(left - 52, centre + 4, name, text_anchor="end", fill=INK))
        count = f"{positives.get(name, 0):,} +"
        parts.append(
            text(left - 12, centre + 4, count, text_anchor="end", fill=QUIET, font_size=11)
        )
        parts += _label_dots(rows, name, x, top, colours)
    return drawing(_WIDTH, height, "AUROC of every label", parts)


def loss_chart(runs: Sequence[Mapping[str, Any]], colours: Mapping[str, str]) -> str:
    """Training loss thin, validation loss with points, over steps."""
    height, left = 300, 52
    lines = [
        (run["name"], split, _points(run["metrics"], split))
        for run in runs
        for split in ("train", "validate")
    ]
    every = [point for _, _, points in lines for point in points]
    if not every:
        return ""
    least, top = min(value for _, value in every), max(value for _, value in every)
    room = 0.1 * (top - least) or 0.1
    x = Scale(0, max(1, *(step for step, _ in every)), left, _WIDTH - 20)
    y = Scale(least - room, top + room, height - 44, 12)
    parts = _horizontal_grid(y, left, _WIDTH - 20)
    parts += [
        text(x(tick), height - 26, f"{tick:,g}", text_anchor="middle", fill=QUIET, font_size=12)
        for tick in x.ticks(6)
    ]
    parts.append(text(left, height - 6, "step", fill=QUIET, font_size=12))
    for name, split, points in lines:
        placed = [(x(step), y(value)) for step, value in points]
        colour = colours.get(name, INK)
        if split == "train" and placed:
            parts.append(path(placed, stroke=colour, stroke_width=1.2, opacity=0.45))
        elif placed:
            parts.append(path(placed, stroke=colour, stroke_width=2.2))
            parts += [
                dot(*place, 3, f"{name}, step {step:,}: {value:.3f}", fill=colour)
                for place, (step, value) in zip(placed, points, strict=True)
            ]
    return drawing(_WIDTH, height, "Contrastive loss over training steps", parts)


def _horizontal_grid(y: Scale, left: float, right: float) -> list[str]:
    parts = []
    for tick in y.ticks():
        parts.append(line(left, y(tick), right, y(tick), stroke=GRID))
        parts.append(
            text(left - 8, y(tick) + 4, f"{tick:g}", text_anchor="end", fill=QUIET, font_size=12)
        )
    return parts


def _fraction_scale(fractions: Sequence[float], start: float, stop: float) -> Scale:
    low, high = math.log10(fractions[0]), math.log10(fractions[-1])
    return Scale(low, high, start, stop) if high > low else Scale(low - 1, low + 1, start, stop)


def _model_line(rows: Rows, x: Scale, y: Scale, colour: str, shift: float) -> list[str]:
    places = [x(math.log10(row["fraction"])) + shift for row in rows]
    shown = [
        (place, row["metrics"]["auroc"])
        for place, row in zip(places, rows, strict=True)
        if row["metrics"]["auroc"]["macro"]["value"] is not None
    ]
    points = [(place, y(metric["macro"]["value"])) for place, metric in shown]
    parts = [path(points, stroke=colour, stroke_width=2)] if len(points) > 1 else []
    for (place, metric), (_, level), row in zip(shown, points, rows, strict=False):
        macro = metric["macro"]
        parts.append(
            line(
                place,
                y(macro["low"]),
                place,
                y(macro["high"]),
                stroke=colour,
                stroke_width=5,
                opacity=0.3,
                stroke_linecap="round",
            )
        )
        parts += [
            dot(place, y(draw), 1.8, fill=colour, opacity=0.55)
            for draw in metric["draws"]
            if draw is not None and len(metric["draws"]) > 1
        ]
        parts.append(dot(place, level, 4.5, _note(row["model"], macro), fill=colour))
    return parts


def _end_names(
    rows: Rows, colours: Mapping[str, str], y: Scale, x: float, last: float
) -> list[str]:
    """Each model's name at the end of its line, pushed apart where two would touch."""
    found = [
        (y(row["metrics"]["auroc"]["macro"]["value"]), row["model"])
        for row in rows
        if row["fraction"] == last and row["metrics"]["auroc"]["macro"]["value"] is not None
    ]
    parts, free = [], -math.inf
    for level, name in sorted(found):
        free = max(level, free)
        parts.append(
            text(x, free + 4, name[:24], fill=colours[name], font_weight=600, font_size=13)
        )
        free += 16
    return parts


def _label_dots(
    rows: Rows, name: str, x: Scale, top: float, colours: Mapping[str, str]
) -> list[str]:
    parts = []
    for place, (model, colour) in enumerate(colours.items()):
        row = next((row for row in rows if row["model"] == model), None)
        found = _label(row, name) if row else None
        if row is None or found is None or found["value"] is None:
            continue
        level = top + 5 + 11 * place
        parts.append(
            line(
                x(found["low"]),
                level,
                x(found["high"]),
                level,
                stroke=colour,
                stroke_width=4,
                opacity=0.3,
                stroke_linecap="round",
            )
        )
        parts.append(
            dot(x(found["value"]), level, 4, _note(f"{model}, {name}", found), fill=colour)
        )
    return parts


def _note(name: str, found: Mapping[str, Any]) -> str:
    return f"{name}: {number(found['value'])} [{number(found['low'])}, {number(found['high'])}]"


def _label(row: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = row["metrics"]["auroc"]["labels"][name]
    return found


def _best(rows: Rows, name: str) -> float:
    return max((_label(row, name)["value"] or 0.0) for row in rows)


def _ends(metric: Mapping[str, Any]) -> list[float]:
    return _bounds(metric["macro"]) + [draw for draw in metric["draws"] if draw is not None]


def _bounds(found: Mapping[str, Any]) -> list[float]:
    return [found[key] for key in ("value", "low", "high") if found[key] is not None]


def _points(metrics: Sequence[Mapping[str, Any]], split: str) -> list[tuple[float, float]]:
    """(step, loss) of one split, thinned to at most 400 points."""
    found = [
        (float(entry["step"]), float(entry["loss"]))
        for entry in metrics
        if entry.get("split", "train") == split
        and math.isfinite(float(entry.get("loss", math.nan)))
    ]
    return found[:: max(1, math.ceil(len(found) / 400))]
