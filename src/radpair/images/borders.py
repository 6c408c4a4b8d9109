"""Frames around a film: lines of one grey level at the edges of a picture, cut off on request.

A line (row or column) belongs to a frame when it has the level of the outermost line in all but
``SPECKS`` of its pixels, so no detail that a reader could see is cut with it. A frame ends at an
edge, where the picture leaves that level at once. Saturated air beside a body, and a saturated
body, mostly fade, and stay; where they too end at an edge they are taken for a frame. Burnt-in
letters are cut with the margin that they stand in: several of thin, clear strokes on plain ground,
where a plain gap parts them from a film that begins along a straight line. An arm in the air, a
bubble of gas in saturated tissue, or one letter alone is none of that, and ends what is cut. The
rest of a tilted or rounded collimator stays, for a rectangle without it would cut into the film;
so does a frame that is noisy or patterned. More than half of the height or the width is never
cut: such a picture is left whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from radpair.images.limits import MIN_SIDE

TOLERANCE = 4
"""Grey levels by which a frame may vary: what JPEG makes of black."""
SPECKS = 0.002
"""Share of a frame's line that may have another level."""
CONTRAST = 16
"""Grey levels by which the film differs from its frame."""
REACH, EDGE = 0.025, 0.2
"""A frame ends where this share of a line differs within this share of the lines behind it."""
STRAIGHT_REACH, STRAIGHT = 0.01, 0.6
"""The same for a frame with letters."""
LETTERS, TALLEST = 0.4, 0.08
"""Of a line's pixels, and of the lines: what letters take up at most."""
SEVERAL, WORD, STROKE = 2, 0.3, 0.008
"""How many letters there are at least; of the shorter side, what a letter, or a word whose letters
touch, measures at most, and half of a stroke's width."""
CLEAR = 64
"""Grey levels by which letters differ from what they stand on."""
BLOCK = 8
"""Pixels as far as JPEG spreads what is around a letter."""
LEAST = 3
"""Lines that are looked at behind a frame in a small picture."""
MOST = 0.5
"""Of the height or width."""


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a picture: rows ``top`` to ``bottom``, columns ``left`` to ``right``, exclusive."""

    top: int
    bottom: int
    left: int
    right: int

    def of(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The part of ``pixels``, a view."""
        return pixels[self.top : self.bottom, self.left : self.right]


def film_box(pixels: NDArray[np.uint8], least: int = MIN_SIDE) -> Box:
    """Where the film lies in ``[height, width]`` uint8; the whole picture where no frame is found.

    A film with a side of fewer than ``least`` pixels is none, and the picture is left whole.
    What it leaves has no frame: applied to its own result it cuts nothing.
    """
    height, width = pixels.shape
    box, before = Box(0, height, 0, width), None
    while box != before:
        before = box
        box = _without_frame(pixels, box)
        rows, columns = box.bottom - box.top, box.right - box.left
        if rows < max(MOST * height, least) or columns < max(MOST * width, least):
            return Box(0, height, 0, width)
    return box


def trim(pixels: NDArray[np.uint8], least: int = MIN_SIDE) -> tuple[NDArray[np.uint8], float]:
    """The film of ``film_box``, and the share of the picture's area that was cut, 0 to 1."""
    film = film_box(pixels, least).of(pixels)
    return film, 1 - film.size / pixels.size


def _without_frame(pixels: NDArray[np.uint8], box: Box) -> Box:
    top, bottom, left, right = box.top, box.bottom, box.left, box.right
    top += _frame(pixels[top:bottom, left:right])
    bottom -= _frame(pixels[top:bottom, left:right][::-1])
    left += _frame(pixels[top:bottom, left:right].T)
    right -= _frame(pixels[top:bottom, left:right].T[::-1])
    return Box(top, bottom, left, right)


def _frame(lines: NDArray[np.uint8]) -> int:
    """How many of the first lines are a frame."""
    level = int(np.median(lines[0]))
    if not _plain(lines[:1], level)[0]:
        return 0
    looked_at = lines[: int(len(lines) * (MOST + REACH)) + LEAST]
    plain = _plain(looked_at, level)
    end = _run(plain, 0)
    if end == len(plain):
        return 0
    edge = _leaves(looked_at, level, end, _lines(len(lines), REACH), EDGE)
    return _beyond_letters(looked_at, plain, level, end, len(lines)) or (end if edge else 0)


def _beyond_letters(
    lines: NDArray[np.uint8], plain: NDArray[np.bool_], level: int, end: int, count: int
) -> int:
    """Where a margin with letters ends, whose first plain lines end at ``end``; 0 if it is none."""
    found = 0
    while end < len(plain):
        gap = _run(~plain, end)
        if gap == len(plain) or gap - end > _lines(count, TALLEST):
            break
        if _share(lines[end:gap], level, TOLERANCE).max() > LETTERS:
            break
        end = _run(plain, gap)
        straight = _leaves(lines, level, end, _lines(count, STRAIGHT_REACH), STRAIGHT)
        if straight and _is_lettering(lines[:end], level, min(count, lines.shape[1])):
            found = end
    return found


def _is_lettering(margin: NDArray[np.uint8], level: int, side: int) -> bool:
    """Whether all that a margin of one level holds are letters, in a picture of shorter ``side``.

    Several, each of thin strokes that stand out clearly, and plain ground around them.
    """
    away = np.abs(margin.astype(np.int16) - level)
    ink = (away > CONTRAST).astype(np.uint8)
    near = cv2.dilate(ink, np.ones((2 * BLOCK + 1, 2 * BLOCK + 1), np.uint8))
    if ((away > TOLERANCE) & (near == 0)).mean(axis=1).max() > SPECKS:
        return False
    half = cv2.distanceTransform(ink, cv2.DIST_L2, 3).max()
    if half > STROKE * side + 1:
        return False
    found, _, boxes, _ = cv2.connectedComponentsWithStats(
        cv2.dilate(ink, np.ones((3, 3), np.uint8))
    )
    letters = boxes[1:]
    largest = letters[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(initial=0)
    return bool(found - 1 >= SEVERAL and largest <= WORD * side and away.max() >= CLEAR)


def _leaves(lines: NDArray[np.uint8], level: int, end: int, reach: int, share: float) -> bool:
    """Whether a line soon after ``end`` differs clearly from ``level`` in enough of its pixels."""
    behind = _share(lines[end : end + reach], level, CONTRAST)
    return bool(len(behind)) and bool(behind.max() >= share)


def _plain(lines: NDArray[np.uint8], level: int) -> NDArray[np.bool_]:
    return np.asarray(_share(lines, level, TOLERANCE) <= SPECKS)


def _share(lines: NDArray[np.uint8], level: int, limit: int) -> NDArray[np.float64]:
    """``[lines]``: the share of each line's pixels further than ``limit`` from ``level``."""
    away = (lines > min(level + limit, 255)) | (lines < max(level - limit, 0))
    return np.asarray(away.mean(axis=1))


def _run(flags: NDArray[np.bool_], start: int) -> int:
    """The first place from ``start`` on that is not set."""
    rest = flags[start:]
    return len(flags) if rest.all() else start + int(np.argmin(rest))


def _lines(count: int, share: float) -> int:
    return max(LEAST, round(count * share))
