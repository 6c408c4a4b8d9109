"""From a file to grey pixels: JPEG, PNG, TIFF and DICOM, told apart by content.

One pixel range for everything that follows: uint8 ``[height, width]``, 0 black (air) to 255
white (dense).
"""

from __future__ import annotations

import math
import stat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radpair.errors import ImageError
from radpair.formats import is_bare, is_marked
from radpair.images.borders import MOST
from radpair.images.borders import trim as trim_frame
from radpair.images.limits import MAX_BYTES, check_picture, unreadable
from radpair.images.raster import read_raster, shrink

HEAD = 256
"""Bytes that tell the format."""


def decode(
    path: Path | str, size: int | None = None, frame: int | None = None
) -> NDArray[np.uint8]:
    """The grey picture in a file: uint8 ``[height, width]``, 0 black (air) to 255 white (dense).

    With ``size`` the shorter side is reduced to that many pixels by area averaging, aspect ratio
    kept; a smaller image keeps its own size. A large JPEG is reduced while it is decoded; a
    film then differs by less than 1 grey level, on average over its pixels. The format is told by
    content, not by extension. ``frame``, from 1, is the one to take of a DICOM file with several.

    8-bit pictures keep their values. 16-bit, 32-bit and float pictures are stretched so that
    their darkest pixel is 0 and their brightest 255. Colour becomes ITU-R 601 luma; transparent
    pixels are laid over black; EXIF rotation is applied. For DICOM see ``radpair.images.dicom``.

    Raises ``ImageError`` for a file that is missing, empty, truncated, damaged, no image, with
    several frames, smaller than 32 pixels, larger than 100 megapixels (25 in colour of more
    than 8 bits or in DICOM) or 30,000 pixels a side (refused from the header), or of a single
    grey level.
    """
    pixels = _whole(Path(path), size, frame)
    return pixels if size is None else shrink(pixels, size)


def decode_film(
    path: Path | str, size: int | None = None, frame: int | None = None
) -> tuple[NDArray[np.uint8], float]:
    """The picture of ``decode`` without its frame, and the share of its area that was cut.

    The frame around a film (``radpair.images.borders``) is cut before the film is reduced. Of a
    JPEG that was reduced while it was decoded, a film in a frame is read once more, so large that
    its part is ``size`` or more.
    """
    path = Path(path)
    whole = _whole(path, size, frame)
    if size is None:
        pixels, cut = trim_frame(whole)
        return np.ascontiguousarray(pixels), cut
    larger = whole
    if min(whole.shape) == size and trim_frame(whole, least=1)[1]:
        larger = _whole(path, math.ceil(size / MOST), frame)
    pixels, cut = trim_frame(larger)
    return shrink(pixels if cut else whole, size), cut


def _whole(path: Path, size: int | None, frame: int | None) -> NDArray[np.uint8]:
    """The whole picture; of a JPEG, at least ``size`` pixels on the shorter side."""
    head = _head(path)
    try:
        pixels = _read(path, head, size, frame)
    except MemoryError as error:
        raise unreadable(path, "asks for more memory than there is") from error
    check_picture(path, pixels)
    return pixels


def _read(path: Path, head: bytes, size: int | None, frame: int | None) -> NDArray[np.uint8]:
    if is_marked(head) or is_bare(head):
        from radpair.images.dicom import read_dicom

        return read_dicom(path, frame)
    return read_raster(path, head, size)


def _head(path: Path) -> bytes:
    """The first bytes of a regular, non-empty file."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(f"{path}: is not a file; give the path of an image")
        if status.st_size > MAX_BYTES:
            raise ImageError(f"{path}: is larger than {MAX_BYTES >> 20} MiB; reduce it first")
        with path.open("rb") as handle:
            head = handle.read(HEAD)
    except FileNotFoundError:
        raise ImageError(f"{path}: there is no such file; check the root and the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{path}: cannot be opened ({reason}); check the file") from error
    if not head:
        raise unreadable(path, "is empty (zero bytes)")
    return head
