"""Fitting and augmenting a batch of films of any shapes by tensor operations, without padding.

The host copies the films as they are, one after the other, into one buffer and adds a row of
numbers for each; ``render`` does on the device what ``augment.vary`` and ``augment.fit`` do film by
film: the same average where the warp would skip pixels, the same map, table and blur, each rounded
to eight bits. Pictures differ from OpenCV's by rounding alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radpair.images.augment import DENSEST, FAINTEST, KEPT, Pixels, Variation, affine
from radpair.tensors import TensorGroup

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Many = TypeVar("Many", Floats, Tensor)
AT_ONCE = {"cpu": 1 << 15, "cuda": 1 << 22}
"""Pixels worked on at once by kind of device, at least one film: a processor is fastest in its
cache, and memory for intermediate results is bounded anywhere."""


class Part(NamedTuple):
    """Films that are rendered together, and sizes that the device need not be asked for."""

    first: int
    last: int
    rows: int
    """Pixels of the films averaged along their rows."""
    cells: int
    """Pixels of the films averaged along rows and columns; 0 where none is."""
    taps: int
    """Pixels that a cell may touch in one direction."""
    reach: int
    """Pixels to either side that the widest blur looks at."""


@dataclass(frozen=True)
class FilmBatch(TensorGroup):
    """Films of any shapes and what is to become of them, for ``render``."""

    size: int
    """Height and width of the pictures."""
    pixels: Tensor
    """``[bytes]`` uint8: the films, row by row, one after the other."""
    place: Tensor
    """``[films, 6]`` int64: start, height and width of a film in ``pixels``, then of its averaged
    self, which starts behind all films; the same three again where a film is not averaged."""
    numbers: Tensor
    """``[films, columns]`` float64, the fields of ``Columns``."""
    work: Ints
    """``[films, 4]``, for the host: the last four fields of ``Part``."""

    def __len__(self) -> int:
        return len(self.place)


class Columns(NamedTuple, Generic[Many]):
    """What the device knows of each film; every field is ``[films]``."""

    across_x: Many
    """The matrix from a pixel of the picture to a place in the film or its averaged self."""
    across_y: Many
    left: Many
    down_x: Many
    down_y: Many
    top: Many
    low_x: Many
    """Places left of this are moved to it; -1 lies outside the film, where all is black."""
    high_x: Many
    low_y: Many
    high_y: Many
    cell: Many
    """Side of the squares that become one pixel each before the map, in pixels of the film."""
    begin_x: Many
    """Where the first square begins; left of 0 the film is padded with black."""
    begin_y: Many
    end_x: Many
    """Where the last square is cut off."""
    end_y: Many
    brightness: Many
    contrast: Many
    sigma: Many
    """Of the blur, in pixels of the picture."""
    reach: Many
    """Pixels to either side that the blur looks at, 0 without a blur."""


def pack_films(
    pixels: Pixels, shapes: Ints, size: int, variations: Sequence[Variation] | None
) -> FilmBatch:
    """Films as they lie in ``pixels [bytes]``, with ``shapes [films, 2]``, for ``render``.

    Without ``variations`` the pictures are those of ``augment.fit``: validation.
    """
    if variations is None:
        columns, grid = _fitted(shapes, size)
    else:
        columns, grid = _varied(shapes, size, Variation(*np.array(variations, np.float64).T))
    counts = shapes.prod(axis=1)
    starts = np.cumsum(counts) - counts
    averaged = columns.cell != 1.0
    rows = np.where(averaged, shapes[:, 0] * grid[:, 1], 0)
    cells = np.where(averaged, grid.prod(axis=1), 0)
    behind = len(pixels) + np.cumsum(cells) - cells
    place = np.column_stack([starts, shapes, np.where(averaged, behind, starts), grid])
    work = np.column_stack([rows, cells, np.ceil(columns.cell) + 1, columns.reach])
    return FilmBatch(
        size,
        torch.from_numpy(pixels),
        torch.from_numpy(place.astype(np.int64)),
        torch.from_numpy(np.stack(columns, axis=1)),
        work.astype(np.int64),
    )


def _varied(shapes: Ints, size: int, variation: Variation) -> tuple[Columns[Floats], Ints]:
    """What ``augment.vary`` does, and the shapes of the averaged films."""
    side = shapes.min(axis=1) * variation.crop
    factor = size / side
    factor = np.where(factor <= DENSEST, factor * KEPT, 1.0)
    grid = np.rint(shapes * factor[:, None])
    height, width = grid.T
    sigma = variation.blur * size / 224
    outside, zero = np.full(len(shapes), -1.0), np.zeros(len(shapes))
    reach = np.where(sigma >= FAINTEST, np.maximum(1, np.rint(2 * sigma)), 0)
    columns = Columns(
        *affine((height, width), side * factor, size, variation),
        *(outside, width, outside, height),
        *(1 / factor, zero, zero, shapes[:, 1].astype(float), shapes[:, 0].astype(float)),
        *(variation.brightness, variation.contrast, sigma, reach),
    )
    return columns, grid.astype(np.int64)


def _fitted(shapes: Ints, size: int) -> tuple[Columns[Floats], Ints]:
    """What ``augment.fit`` does; only enlarged films keep their own pixels until the map."""
    height, width = shapes.T
    side = shapes.max(axis=1)
    above, before = (side - height) // 2, (side - width) // 2
    shrunk = side > size
    step, zero = np.where(shrunk, 1.0, side / size), np.zeros(len(shapes))
    left, top = (np.where(shrunk, 0, step / 2 - 0.5 - gap) for gap in (before, above))
    grid = np.where(shrunk[:, None], size, shapes)
    lows = (np.where(shrunk, -1.0, np.maximum(-gap, -1)) for gap in (before, above))
    highs = (
        np.where(shrunk, size, np.minimum(side - 1 - gap, length))
        for gap, length in ((before, width), (above, height))
    )
    (low_x, low_y), (high_x, high_y) = lows, highs
    columns = Columns(
        *(step, zero, left, zero, step, top),
        *(low_x, high_x, low_y, high_y),
        *(np.where(shrunk, side / size, 1.0), -before, -above, side - before, side - above),
        *(zero + 1, zero + 1, zero, zero),
    )
    return Columns(*(np.asarray(column, np.float64) for column in columns)), grid


def parts_of(films: FilmBatch) -> list[Part]:
    """Runs of films that together hold about as many pixels as their device works on at once."""
    limit = AT_ONCE.get(films.pixels.device.type, AT_ONCE["cuda"])
    number = np.cumsum(np.maximum(films.work[:, 0], films.size**2)) // limit
    edges = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(films)]
    parts = []
    for first, last in pairwise(edges):
        rows, cells, taps, reach = films.work[first:last].T
        sums, most = (rows.sum(), cells.sum()), (taps.max(), reach.max())
        parts.append(Part(first, last, *(int(n) for n in (*sums, *most))))
    return parts


@torch.no_grad()
def render(films: FilmBatch) -> Tensor:
    """The pictures ``[films, size, size]`` uint8, 0 black to 255 white, where ``films`` lie.

    Equal inputs give equal pictures on one device; no random number is drawn here.
    """
    pictures = films.pixels.new_empty(len(films), films.size, films.size)
    pixels, end = films.pixels, films.pixels.numel()
    cells = int(films.work[:, 1].sum())
    if cells:
        pixels = torch.cat([pixels, pixels.new_empty(cells)])
    for part in parts_of(films):
        place = films.place[part.first : part.last]
        numbers = Columns(*films.numbers[part.first : part.last].unbind(1))
        if part.cells:
            pixels[end : end + part.cells] = _averaged(pixels, place, numbers, part)
            end += part.cells
        warped = _warped(pixels, place[:, 3:], numbers, films.size)
        toned = _toned(warped, numbers)
        pictures[part.first : part.last] = _blurred(toned, numbers, part.reach)
    return pictures


def _averaged(pixels: Tensor, place: Tensor, c: Columns[Tensor], part: Part) -> Tensor:
    """``[cells]`` uint8: the mean over each square of the films that are too fine, film by film."""
    start, height, width, _, grid_height, grid_width = place.unbind(1)
    fine = c.cell != 1.0
    counts = torch.where(fine, height * grid_width, 0)
    film, row, column = _places(counts, grid_width, part.rows)
    along = _boxes(column, film, (c.begin_x, c.cell, c.end_x))
    base = start[film] + row * width[film]
    means = _means(pixels, base, 1, width[film], along, part.taps)
    begins = torch.cumsum(counts, 0) - counts
    film, row, column = _places(
        torch.where(fine, grid_height * grid_width, 0), grid_width, part.cells
    )
    along = _boxes(row, film, (c.begin_y, c.cell, c.end_y))
    stride = grid_width[film]
    found = _means(means, begins[film] + column, stride, height[film], along, part.taps)
    return found.round().to(torch.uint8)


def _places(counts: Tensor, widths: Tensor, total: int) -> tuple[Tensor, Tensor, Tensor]:
    """Film, row and column of every pixel of grids that lie one after the other."""
    numbers = torch.arange(len(counts), device=counts.device)
    film = torch.repeat_interleave(numbers, counts, output_size=total)
    within = torch.arange(total, device=counts.device) - (torch.cumsum(counts, 0) - counts)[film]
    row = torch.div(within, widths[film], rounding_mode="floor")
    return film, row, within - row * widths[film]


def _boxes(number: Tensor, film: Tensor, of: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Where the square with this number begins and ends along one side of its film."""
    begin, cell, end = (column.float()[film] for column in of)
    low = begin + number * cell
    return low, torch.minimum(low + cell, end)


def _means(
    values: Tensor,
    base: Tensor,
    stride: Tensor | int,
    length: Tensor,
    box: tuple[Tensor, Tensor],
    taps: int,
) -> Tensor:
    """The mean over each box along lines of ``length`` values; what lies outside them is black."""
    low, high = box
    first = low.floor()
    total = torch.zeros_like(low)
    for tap in range(taps):
        at = first + tap
        share = (torch.minimum(at + 1, high) - torch.maximum(at, low)).clamp_(min=0)
        index = at.long()
        inside = (index >= 0) & (index < length)
        index = torch.minimum(index.clamp_(min=0), length - 1)
        total += share * inside * values[base + index * stride]
    return total / (high - low)


def _warped(pixels: Tensor, place: Tensor, c: Columns[Tensor], size: int) -> Tensor:
    """``[films, size, size]`` uint8: bilinear between pixels, black outside the film."""
    start, height, width = place[:, :, None, None].unbind(1)
    steps = torch.arange(size, dtype=torch.float64, device=pixels.device)
    column, row = steps[None, None, :], steps[None, :, None]

    def along(across: Tensor, down: Tensor, first: Tensor, low: Tensor, high: Tensor) -> Tensor:
        across, down, first, low, high = (
            n[:, None, None] for n in (across, down, first, low, high)
        )
        place = (across * column + first).float() + (down * row).float()
        return place.clamp_(low.float(), high.float())

    x0, x1, left, right = _neighbours(
        along(c.across_x, c.across_y, c.left, c.low_x, c.high_x), width
    )
    y0, y1, upper, lower = _neighbours(along(c.down_x, c.down_y, c.top, c.low_y, c.high_y), height)
    found = torch.zeros_like(left)
    for y, share in ((y0, upper), (y1, lower)):
        line = y.mul_(width).add_(start)
        found += share * (left * pixels[line + x0] + right * pixels[line + x1])
    return found.round_().to(torch.uint8)


def _neighbours(place: Tensor, length: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The two pixels beside each place along one side, and their shares; 0 outside the film."""
    first = torch.minimum(place.floor(), (length - 1).float())
    share = place - first
    index = first.long()
    near = (1 - share) * (index >= 0)
    far = share * (index < length - 1)
    return index.clamp(min=0), torch.minimum(index + 1, length - 1), near, far


def _toned(warped: Tensor, c: Columns[Tensor]) -> Tensor:
    """Brightness, then contrast around the brightened mean, by a table for each film."""
    mean = warped.sum(dim=(1, 2), dtype=torch.int64).double() / warped[0].numel()
    grey = torch.arange(256, dtype=torch.float64, device=warped.device)
    brightness, contrast = c.brightness[:, None], c.contrast[:, None]
    centre = (mean[:, None] * brightness).clamp(max=255)
    table = ((grey * brightness).clamp(0, 255) - centre) * contrast + centre
    rows = table.clamp_(0, 255).round_().to(torch.uint8)
    first = 256 * torch.arange(len(warped), device=warped.device)[:, None, None]
    return rows.flatten()[first + warped]


def _blurred(pictures: Tensor, c: Columns[Tensor], reach: int) -> Tensor:
    """A Gaussian of each film's own sigma along rows and columns, mirrored at the border."""
    if not reach:
        return pictures
    size = pictures.shape[1]
    taps = torch.arange(-reach, reach + 1, dtype=torch.float64, device=pictures.device)
    spread = c.sigma.clamp(min=FAINTEST)[:, None]
    kernel = torch.exp(-0.5 * (taps / spread) ** 2) * (taps.abs() <= c.reach[:, None])
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).float()
    period = max(2 * (size - 1), 1)
    mirrored = torch.arange(-reach, size + reach, device=pictures.device) % period
    mirrored = torch.minimum(mirrored, period - mirrored).clamp(max=size - 1)
    found = pictures.float()
    for side in (2, 1):
        wide = found.index_select(side, mirrored)
        found = torch.zeros_like(found)
        for tap in range(2 * reach + 1):
            found.addcmul_(wide.narrow(side, tap, size), kernel[:, tap, None, None])
    return found.round_().to(torch.uint8)
