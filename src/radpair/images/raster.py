"""JPEG, PNG and TIFF by Pillow, with the size checked before any pixel is decoded."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from radpair.errors import ImageError
from radpair.images.decode import shrink
from radpair.images.limits import MAX_PIXELS, check_shape, stretch, unreadable

FORMATS = ("JPEG", "PNG", "TIFF")
MAGIC = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}
TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MARGIN = 1.5
TIFF_PHOTOMETRIC = 262
DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def read_raster(path: Path, head: bytes, size: int | None) -> NDArray[np.uint8]:
    """Grey pixels ``[height, width]``, at least ``size`` on the shorter side where the file has it.

    A JPEG is reduced to ``size``, far larger ones by 2, 4 or 8 in their cosine transform first,
    which leaves ``MARGIN`` times ``size`` or more to average over.
    Raises ``ImageError``.
    """
    if _format(head) is None:
        raise unreadable(path, "is not a JPEG, PNG, TIFF or DICOM image")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                return _grey(path, image, size)
    except (ImageError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        most = MAX_PIXELS // 10**6
        raise ImageError(
            f"{path}: too large, more than {most} million pixels; reduce it first"
        ) from error
    except Exception as error:  # a damaged file makes the parser raise anything at all
        raise unreadable(path, f"is damaged or truncated ({_reason(error)})") from error


def _format(head: bytes) -> str | None:
    for magic, name in MAGIC.items():
        if head.startswith(magic):
            return name
    return "TIFF" if head.startswith(TIFF_MAGIC) else None


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "its header cannot be read"
    lines = str(error).splitlines()
    return lines[0][:120] if lines and "object at 0x" not in lines[0] else type(error).__name__


def _grey(path: Path, image: Image.Image, size: int | None) -> NDArray[np.uint8]:
    width, height = image.size
    check_shape(path, height, width)
    frames = getattr(image, "n_frames", 1)
    if frames != 1:
        raise ImageError(f"{path}: holds {frames} pictures; save the radiograph as its own file")
    if size is not None and image.format == "JPEG":
        scale = MARGIN * size / min(width, height)
        if scale < 1:
            image.draft("L", (round(width * scale), round(height * scale)))
    inverted = _is_white_zero(image)
    image.load()
    upright = ImageOps.exif_transpose(image)
    pixels = _levels(path, upright)
    if size is not None and image.format == "JPEG":
        turned = upright.size != image.size
        pixels = shrink(pixels, size, (width, height) if turned else (height, width))
    return 255 - pixels if inverted else pixels


def _levels(path: Path, image: Image.Image) -> NDArray[np.uint8]:
    if image.mode in DEEP_MODES:
        return _deep(path, np.asarray(image))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        coloured = image.convert("RGBA")
        black = Image.new("RGBA", coloured.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, coloured).convert("RGB")
    elif image.mode not in ("L", "RGB", "1"):
        image = image.convert("RGB")
    return np.array(image.convert("L"), dtype=np.uint8)


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
