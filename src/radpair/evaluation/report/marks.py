"""Small parts of SVG drawings and of HTML, every text escaped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

COLOURS = ("#8b929c", "#1f6fb4", "#d9711c", "#2e9a6b", "#8757b5", "#c2405d", "#0f8b9c")
"""The first is the reference's: a quiet grey. All are told apart without red against green."""
NONE, MINUS = "\u2013", "\u2212"
_MOST_DIGITS = 6
INK, QUIET, GRID = "#1f2933", "#66717f", "#e4e8ed"


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear map from values to pixels."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """Where ``value`` stands, in pixels; beyond the ends too."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.stop - self.start)

    def ticks(self, count: int = 6) -> list[float]:
        """Round values within the scale, about ``count`` of them."""
        step = round_step((self.high - self.low) / count)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(index * step, 10) for index in range(first, last + 1)]


def round_step(rough: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is not below ``rough``."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * unit for unit in (1, 2, 2.5, 5, 10) if power * unit >= rough * (1 - 1e-9))


def colours(names: Sequence[str]) -> dict[str, str]:
    """One colour a model, by its place."""
    return {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}


def drawing(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    """An SVG that scales with the page and reads as ``title`` without sight."""
    return (
        f'<svg class="chart" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )


def text(x: float, y: float, words: str, **style: Any) -> str:
    """An SVG text at ``x, y`` pixels; ``style`` are its attributes."""
    return f'<text x="{x:.1f}" y="{y:.1f}"{_style(style)}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, **style: Any) -> str:
    """An SVG line between two points in pixels."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"{_style(style)}/>'


def dot(x: float, y: float, radius: float, note: str = "", **style: Any) -> str:
    """An SVG circle in pixels; ``note`` is shown where it is pointed at."""
    inner = f"<title>{escape(note)}</title>" if note else ""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"{_style(style)}>{inner}</circle>'


def path(points: Sequence[tuple[float, float]], **style: Any) -> str:
    """An SVG line without a filling through ``points`` in pixels."""
    steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path d="M{steps}" fill="none"{_style(style)}/>'


def legend(names: dict[str, str]) -> str:
    """Names beside their colours, as HTML."""
    items = (
        f'<li><i style="background:{colour}"></i>{escape(name)}</li>'
        for name, colour in names.items()
    )
    return f'<ul class="legend">{"".join(items)}</ul>'


def number(value: float | None, digits: int = 3) -> str:
    """``0.873``; a dash where there is none; ``0.0004`` with digits until one is not 0."""
    return NONE if value is None else _shown(value, digits, "").replace("-", MINUS)


def signed(value: float, digits: int = 3) -> str:
    """``+0.021`` or ``−0.004``, with a true minus sign; nothing has no sign."""
    return _shown(value, digits, "+").replace("-", MINUS)


def _shown(value: float, digits: int, sign: str) -> str:
    """With more digits where so few would show 0 for what is not; below a millionth it is."""
    for more in range(digits, max(digits, _MOST_DIGITS) + 1):
        told = f"{value:{sign}.{more}f}"
        if told.strip("+-0."):
            return told
    return f"{0:.{digits}f}"


def percent(fraction: float) -> str:
    """``1 %``."""
    return f"{100 * fraction:g} %"


def _style(style: dict[str, Any]) -> str:
    return "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in style.items()
    )
