"""Charts of a study set as inline SVG: shares as bars, numbers as histograms, labels as dots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from radpair.description.facts import Facts, prevalence
from radpair.evaluation.report.marks import GRID, INK, QUIET, Scale, dot, drawing, line, text

_WIDTH = 620
Counts = Mapping[str, Mapping[str, int]]


def share_chart(title: str, found: Counts, colours: Mapping[str, str]) -> str:
    """A bar a value, its splits side by side in it; the number stands behind."""
    left = 20 + 7.5 * max(map(len, found))
    most = max(sum(row.values()) for row in found.values())
    x = Scale(0, most, left, _WIDTH - 80)
    parts = []
    for place, (name, row) in enumerate(found.items()):
        top = 6 + 28 * place
        parts.append(text(left - 10, top + 14, name, text_anchor="end", fill=INK))
        before = 0
        for split, count in row.items():
            note = f"{name}, {split}: {count:,}"
            parts.append(_bar(x(before), top, x(before + count), top + 19, colours[split], note))
            before += count
        parts.append(text(x(before) + 8, top + 14, f"{before:,}", fill=QUIET, font_size=12))
    return drawing(_WIDTH, 10 + 28 * len(found), title, parts)


def histogram(title: str, spread: Facts, colours: Mapping[str, str]) -> str:
    """Studies in each step of a number, the splits on top of each other."""
    bins, width = spread["bins"], spread["width"]
    height, left = 230, 58
    tallest = max(sum(step.values()) for step in bins)
    y = Scale(0, tallest * 1.04, height - 44, 10)
    x = Scale(0, len(bins), left, _WIDTH - 20)
    parts = []
    for tick in y.ticks(4):
        parts.append(line(left, y(tick), _WIDTH - 20, y(tick), stroke=GRID))
        parts.append(
            text(left - 8, y(tick) + 4, f"{tick:,g}", text_anchor="end", fill=QUIET, font_size=12)
        )
    every = max(1, -(-len(bins) // 12))
    for place, step in enumerate(bins):
        low = place * width
        last = place == len(bins) - 1
        name = f"{low:,}" + (" and more" if last else f" to {low + width - 1:,}")
        base = 0
        for split, count in step.items():
            note = f"{name}, {split}: {count:,}"
            parts.append(
                _bar(x(place) + 1, y(base + count), x(place + 1) - 1, y(base), colours[split], note)
            )
            base += count
        if place % every == 0:
            parts.append(text(x(place), height - 27, f"{low:,}", text_anchor="middle", fill=QUIET))
    parts.append(text(left, height - 6, title, fill=QUIET, font_size=12))
    return drawing(_WIDTH, height, title, parts)


def label_chart(labels: Sequence[Facts], colours: Mapping[str, str]) -> str:
    """How frequent each label is in each split: present among present and absent, in percent."""
    rows = [(label["name"], {s: prevalence(label[s]) for s in colours}) for label in labels]
    rows.sort(key=lambda row: -max((v for v in row[1].values() if v is not None), default=-1.0))
    left = 24 + 7.5 * max(len(name) for name, _ in rows)
    most = max((v for _, row in rows for v in row.values() if v is not None), default=0.0)
    x = Scale(0, max(100 * most, 1) * 1.05, left, _WIDTH - 20)
    height = 34 + 24 * len(rows)
    parts = []
    for tick in x.ticks(6):
        parts.append(line(x(tick), 22, x(tick), height - 6, stroke=GRID))
        parts.append(
            text(x(tick), 14, f"{tick:g} %", text_anchor="middle", fill=QUIET, font_size=12)
        )
    for place, (name, row) in enumerate(rows):
        middle = 38 + 24 * place
        parts.append(text(left - 12, middle + 4, name, text_anchor="end", fill=INK))
        known = {split: 100 * value for split, value in row.items() if value is not None}
        if known:
            ends = x(min(known.values())), x(max(known.values()))
            parts.append(line(ends[0], middle, ends[1], middle, stroke="#b8c0ca", stroke_width=2))
        for split, value in known.items():
            note = f"{name}, {split}: {value:.1f} %"
            parts.append(dot(x(value), middle, 5, note, fill=colours[split], opacity=0.9))
    return drawing(_WIDTH, height, "Share of studies with each label", parts)


def _bar(left: float, top: float, right: float, bottom: float, colour: str, note: str) -> str:
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{max(right - left, 0):.1f}" '
        f'height="{max(bottom - top, 0):.1f}" fill="{colour}"><title>{escape(note)}</title></rect>'
    )
