"""JPEG, PNG and TIFF by Pillow, with the size checked before any pixel is decoded."""

from __future__ import annotations

import warnings
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from radpair.errors import ImageError
from radpair.formats import raster_kind
from radpair.images.limits import (
    MAX_COLOUR,
    MAX_PIXELS,
    check_shape,
    stretch,
    strips,
    unreadable,
)

FORMATS = ("JPEG", "PNG", "TIFF")
MARGIN = 1.5
PNG_DEPTH = 24
"""The byte of a PNG that has the bits of a channel; the next one says which channels there are."""
PNG_CHANNELS = (2, 4, 6)
"""Colour, grey with transparency, colour with transparency."""
TIFF_RGB = 2
BGR_THOUSANDTHS = np.array([114, 587, 299])
"""ITU-R 601 in OpenCV's order; grey written as colour keeps its values to the bit."""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each EXIF orientation."""
TIFF_BITS, TIFF_PHOTOMETRIC, TIFF_PLANES, ORIENTATION = 258, 262, 284, 274
DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def read_raster(path: Path, head: bytes, size: int | None) -> NDArray[np.uint8]:
    """Grey pixels ``[height, width]``, at least ``size`` on the shorter side where the file has it.

    A JPEG is reduced to ``size``, far larger ones by 2, 4 or 8 in their cosine transform first,
    which leaves ``MARGIN`` times ``size`` or more to average over.
    Raises ``ImageError``.
    """
    if raster_kind(head) is None:
        raise unreadable(path, "is not a JPEG, PNG, TIFF or DICOM image")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                return _grey(path, image, head, size)
    except (ImageError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        most = MAX_PIXELS // 10**6
        raise ImageError(
            f"{path}: too large, more than {most} million pixels; reduce it first"
        ) from error
    except Exception as error:  # a damaged file makes the parser raise anything at all
        raise unreadable(path, f"is damaged or truncated ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "its header cannot be read"
    lines = str(error).splitlines()
    return lines[0][:120] if lines and "object at 0x" not in lines[0] else type(error).__name__


def _grey(path: Path, image: Image.Image, head: bytes, size: int | None) -> NDArray[np.uint8]:
    width, height = image.size
    deep_colour = _is_deep_colour(path, image, head)
    check_shape(path, height, width, MAX_COLOUR if deep_colour else MAX_PIXELS)
    frames = getattr(image, "n_frames", 1)
    if frames != 1:
        raise ImageError(f"{path}: holds {frames} pictures; save the radiograph as its own file")
    if size is not None and image.format == "JPEG":
        scale = MARGIN * size / min(width, height)
        if scale < 1:
            image.draft("L", (round(width * scale), round(height * scale)))
    inverted = _is_white_zero(image)
    turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
    image.load()
    if deep_colour:
        image.close()
        pixels = _deep_colour(path)
        return pixels if turn is None else np.array(Image.fromarray(pixels).transpose(turn))
    before = image.size
    ImageOps.exif_transpose(image, in_place=True)
    pixels = _levels(path, image)
    if size is not None and image.format == "JPEG":
        turned = image.size != before
        pixels = shrink(pixels, size, (width, height) if turned else (height, width))
    return 255 - pixels if inverted else pixels


def _levels(path: Path, image: Image.Image) -> NDArray[np.uint8]:
    if image.mode in DEEP_MODES:
        return _deep(path, np.asarray(image))
    if image.mode == "L" and "transparency" not in image.info:
        return np.array(image, dtype=np.uint8)
    width, height = image.size
    pixels = np.empty((height, width), dtype=np.uint8)
    for part in strips(height, width):
        pixels[part] = _luma(image.crop((0, part.start, width, part.stop)))
    return pixels


def _luma(image: Image.Image) -> NDArray[np.uint8]:
    """8 bits of any kind, over black where transparent."""
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        coloured = image.convert("RGBA")
        black = Image.new("RGBA", coloured.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, coloured).convert("RGB")
    elif image.mode not in ("L", "RGB", "1"):
        image = image.convert("RGB")
    return np.asarray(image.convert("L"), dtype=np.uint8)


def _is_deep_colour(path: Path, image: Image.Image, head: bytes) -> bool:
    """Whether several channels have more than 8 bits, of which Pillow would give the highest 8.

    Raises ``ImageError`` for such files that are not read.
    """
    if image.format == "PNG":
        depth, kind = head[PNG_DEPTH], head[PNG_DEPTH + 1]
        deep, plain = depth == 16 and kind in PNG_CHANNELS, "transparency" not in image.info
    else:
        tags = getattr(image, "tag_v2", {})
        bits = tags.get(TIFF_BITS, (8,))
        deep = isinstance(bits, tuple) and len(bits) > 1 and max(bits) > 8
        interleaved = tags.get(TIFF_PLANES, 1) == 1
        plain = tags.get(TIFF_PHOTOMETRIC) == TIFF_RGB and interleaved and set(bits) == {16}
    if deep and not plain:
        raise ImageError(
            f"{path}: has more than 8 bits in each of several channels in a way that is not read; "
            "save it as grey of 16 bits"
        )
    return deep


def _deep_colour(path: Path) -> NDArray[np.uint8]:
    """A PNG or TIFF of 16 bits a channel, as its luma in grey of 16 bits would be read."""
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        channels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if channels is None or channels.dtype != np.uint16 or channels.shape[2:] not in ((3,), (4,)):
        raise unreadable(path, "its 16 bits a channel cannot be decoded")
    luma = np.empty(channels.shape[:2], dtype=np.float32)
    for part in strips(*luma.shape):
        thousandths = channels[part][..., :3].astype(np.int64) @ BGR_THOUSANDTHS
        luma[part] = thousandths / 1000
        if channels.shape[2] == 4:
            luma[part] *= channels[part][..., 3] / np.float32(65535)
    return _deep(path, luma)


def _deep(path: Path, values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """More than 8 bits a pixel: the darkest becomes 0, the brightest 255."""
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise unreadable(path, "has pixels that are not numbers")
    return stretch(values, low, high)


def _is_white_zero(image: Image.Image) -> bool:
    """A 16-bit TIFF stored with white as 0, which Pillow does not turn over as it does 8 bits."""
    tags = getattr(image, "tag_v2", {})
    return image.mode in DEEP_MODES and tags.get(TIFF_PHOTOMETRIC) == 0


def shrink(
    pixels: NDArray[np.uint8], size: int, full: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Reduces ``[height, width]`` so that the shorter side has ``size`` pixels; never enlarges.

    ``full`` is the height and width that a decoder reduced before, which the result follows.
    """
    height, width = full or pixels.shape
    shorter = min(height, width)
    if shorter <= size:
        return pixels
    target = (round(width * size / shorter), round(height * size / shorter))
    return np.asarray(cv2.resize(pixels, target, interpolation=cv2.INTER_AREA), dtype=np.uint8)
