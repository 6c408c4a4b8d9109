"""A sheet of films with captions, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from radpair.errors import ImageError
from radpair.phantom.render import render
from radpair.phantom.truth import Exam, Finding

_LINE = 13
_LINES = 3


def contact_sheet(
    exams: Sequence[Exam], path: Path | str, size: int = 224, columns: int = 6
) -> None:
    """Saves a PNG grid of the exams' first films, each ``size`` pixels, with its findings below.

    Raises ``ImageError`` without exams.
    """
    if not exams:
        raise ImageError("A contact sheet needs at least one exam; the list is empty.")
    columns = max(1, min(columns, len(exams)))
    tiles = [_tile(exam, size) for exam in exams]
    empty = np.zeros_like(tiles[0])
    tiles += [empty] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[at : at + columns]) for at in range(0, len(tiles), columns)]
    Image.fromarray(np.vstack(rows)).save(path, format="PNG")


def caption(exam: Exam) -> str:
    """The findings of an exam in few words, worst first."""
    order = sorted(exam.findings, key=lambda finding: -finding.severity)
    return "; ".join(_words(finding) for finding in order) or "no finding"


def _words(finding: Finding) -> str:
    side = {"left": "L", "right": "R", "bilateral": "both"}.get(finding.side, "")
    words = [finding.kind.replace("_", " "), side, finding.zone, finding.detail]
    if finding.size_mm:
        words.append(f"{finding.size_mm:.0f} mm")
    return " ".join(word for word in words if word) + f" {finding.severity:.1f}"


def _tile(exam: Exam, size: int) -> NDArray[np.uint8]:
    film = render(exam, 0, size)
    sheet = Image.new("L", (size + 4, size + 4 + _LINE * _LINES), 0)
    sheet.paste(Image.fromarray(film), (2, 2))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(10)
    for number, line in enumerate(_wrapped(caption(exam), draw, font, size)[:_LINES]):
        draw.text((4, size + 4 + _LINE * number), line, fill=215, font=font)
    return np.asarray(sheet)


def _wrapped(
    text: str,
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    width: int,
) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and draw.textlength(longer, font=font) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
