"""What every reader of pictures holds to: limits of size, the 0 to 255 range, and its errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radpair.errors import ImageError

MAX_PIXELS = 100_000_000
"""A chest film has 4 to 25 million; more is refused before memory is given to it."""
MAX_COLOUR = 25_000_000
"""Of DICOM in colour, and of colour of more than 8 bits, which take several times as much."""
MAX_SIDE = 30_000
MIN_SIDE = 32
MAX_BYTES = 1 << 29
"""Of a file, and of what a deflated one unpacks to."""
STRIP = 1 << 20
"""Pixels that are worked on at a time, so that intermediate values take little memory."""
ADDRESS = re.compile(r"<[^<>]* at 0x[0-9a-f]+>")
"""An object as a decoder's message shows it, with a place in memory that changes."""


def check_shape(path: Path | str, height: int, width: int, most: int = MAX_PIXELS) -> None:
    """Raises ``ImageError`` for a picture too small to use or too large to hold in memory."""
    if min(height, width) < MIN_SIDE:
        raise ImageError(
            f"{path}: too small, {width} x {height} pixels where {MIN_SIDE} are the least; "
            "put the original image in its place"
        )
    if height * width > most or max(height, width) > MAX_SIDE:
        raise ImageError(
            f"{path}: too large, {width:,} x {height:,} pixels where {most // 10**6} million "
            f"{'in colour ' * (most < MAX_PIXELS)}and {MAX_SIDE:,} a side are the most; "
            "reduce it first"
        )


def check_picture(path: Path | str, pixels: NDArray[np.uint8]) -> None:
    """Raises ``ImageError`` for a wrong size or a single grey level."""
    check_shape(path, *pixels.shape)
    if pixels.min() == pixels.max():
        raise ImageError(
            f"{path}: blank, every pixel has the grey level {int(pixels.flat[0])}; "
            "put the original image in its place"
        )


def unreadable(path: Path | str, why: str) -> ImageError:
    """The error for a file whose content cannot be used, the same words in every run."""
    return ImageError(f"{path}: {ADDRESS.sub('its content', why)}; fetch or export the file again")


def strips(rows: int, columns: int) -> Iterator[slice]:
    """Rows that have about ``STRIP`` pixels together, one strip after the other."""
    step = max(1, STRIP // max(columns, 1))
    for top in range(0, rows, step):
        yield slice(top, min(top + step, rows))


def stretch(values: NDArray[np.generic], low: float, high: float) -> NDArray[np.uint8]:
    """Maps ``low``..``high`` linearly to 0..255, clipped. All black when they are equal."""
    result = np.zeros(values.shape, dtype=np.uint8)
    if high <= low:
        return result
    width = values[0].size if values.ndim > 1 and len(values) else 1
    for part in strips(len(values), width):
        scaled = values[part].astype(np.float32)
        scaled -= np.float32(low)
        scaled *= np.float32(255.0 / (high - low))
        np.clip(scaled, 0, 255, out=scaled)
        result[part] = np.rint(scaled, out=scaled)
    return result
