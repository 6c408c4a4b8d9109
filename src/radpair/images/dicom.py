"""DICOM files: from stored values to the grey picture that a reader sees.

Stored values go through the modality LUT or rescale, then the first VOI LUT or window, and
MONOCHROME1 is turned over (PS3.3 C.7.6.3, C.11.1, C.11.2). Without a usable window, 8-bit values
are kept and deeper ones are stretched so that the darkest pixel is 0 and the brightest 255.
Padding pixels become 0. No message holds the value of a tag that could identify a patient.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi, pixel_array
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from radpair.errors import ImageError
from radpair.formats import DICOM_HEAD, data_set_start, is_marked, quiet
from radpair.images.limits import (
    MAX_BYTES,
    MAX_COLOUR,
    MAX_PIXELS,
    check_shape,
    stretch,
    strips,
    unreadable,
)

LUMA = np.array([0.299, 0.587, 0.114])
"""ITU-R 601, as for colour in other formats."""
DEFLATED = DeflatedExplicitVRLittleEndian.encode()
PIECE = 1 << 16
TABLE = 1 << 16
"""Stored values that are so near each other are looked up, each computed once."""


def read_dicom(path: Path, frame: int | None = None) -> NDArray[np.uint8]:
    """The picture in a DICOM file: uint8 ``[height, width]``, 0 black (air) to 255 white.

    ``frame``, from 1, says which one of several is meant; a single one needs no telling.
    Raises ``ImageError`` for a file without pixels, with several frames and none chosen, damaged,
    truncated, too small or too large, or of a transfer syntax that no installed decoder reads.
    """
    with quiet():
        content = path.read_bytes()
        several = _check_header(path, _parse(path, content, pixels=False), frame)
        data = _parse(path, content, pixels=True)
        del content
        values = _stored(path, data, frame if several else None)
        try:
            return _picture(path, data, values)
        except (ImageError, MemoryError):
            raise
        except Exception as error:  # malformed tables make pydicom raise anything at all
            raise unreadable(
                path, f"its grey scale tables cannot be used ({type(error).__name__})"
            ) from error


def _parse(path: Path, content: bytes, pixels: bool) -> Dataset:
    """The data set, parsed from memory, where a length that lies costs nothing."""
    try:
        _refuse_inflation(path, content)
        return dcmread(BytesIO(content), stop_before_pixels=not pixels, force=True)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # a damaged file makes the parser raise anything at all
        raise unreadable(
            path, f"is a damaged or truncated DICOM file ({type(error).__name__})"
        ) from error


def _refuse_inflation(path: Path, content: bytes) -> None:
    """A deflated data set that would fill the memory is refused before it is parsed."""
    if not is_marked(content) or DEFLATED not in content[DICOM_HEAD:4096]:
        return
    if content[DICOM_HEAD : DICOM_HEAD + 4] != b"\x02\x00\x00\x00":
        raise unreadable(path, "is a deflated DICOM file without the length of its header")
    inflater, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    for place in range(data_set_start(content), len(content), PIECE):
        rest = content[place : place + PIECE]
        while rest and not inflater.eof:
            total += len(inflater.decompress(rest, 16 * PIECE))
            if total > MAX_BYTES:
                most = f"{MAX_BYTES >> 20} MiB"
                raise ImageError(f"{path}: inflates to more than {most}; export it uncompressed")
            rest = inflater.unconsumed_tail


def _check_header(path: Path, header: Dataset, frame: int | None) -> bool:
    """Whether there are several frames, of which ``frame`` is one.

    Raises ``ImageError`` for what can be refused before pixels are read.
    """
    rows, columns = (_number(path, header, name) for name in ("Rows", "Columns"))
    if rows is None or columns is None:
        kind = str(header.get("Modality", "") or "unknown")[:16]
        raise unreadable(path, f"is a DICOM file without an image (modality {kind})")
    frames = _number(path, header, "NumberOfFrames")
    several = frames is not None and frames != 1
    if several and frame is None:
        raise ImageError(
            f"{path}: holds {frames} frames where a radiograph has one; choose one with --frame, "
            "or export the one that is meant as its own file"
        )
    if several and not 1 <= (frame or 0) <= (frames or 0):
        raise ImageError(f"{path}: holds {frames} frames and no number {frame}; choose another")
    samples = _number(path, header, "SamplesPerPixel") or 1
    check_shape(path, rows, columns, MAX_PIXELS if samples == 1 else MAX_COLOUR)
    return several


def _number(path: Path, data: Dataset, keyword: str) -> int | None:
    if keyword not in data:
        return None
    try:
        value = data[keyword].value
        return None if value is None else int(value)
    except Exception as error:
        raise unreadable(path, f"its DICOM tag {keyword} is not a number") from error


def _stored(path: Path, data: Dataset, frame: int | None) -> NDArray[Any]:
    """Stored values ``[height, width]``, or RGB ``[height, width, 3]``, of one frame."""
    syntax = _syntax(data)
    if not any(name in data for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise unreadable(path, "is a truncated DICOM file: its pixel data is missing")
    try:
        values = np.asarray(pixel_array(data, index=None if frame is None else frame - 1))
    except MemoryError:
        raise
    except Exception as error:  # each decoder raises its own errors
        raise unreadable(
            path, f"its pixel data ({syntax.name}) cannot be decoded: {_reason(error)}"
        ) from error
    for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"):
        data.pop(name, None)
    if values.shape[:2] != (data.Rows, data.Columns):
        raise unreadable(path, f"its pixel data has the shape {values.shape}, not the header's")
    return values


def _reason(error: Exception) -> str:
    """What the decoders say, one after the other; what they are tried for is left out."""
    first, *each = [line.strip() for line in str(error).strip().splitlines()] or [""]
    return "; ".join(line[:160] for line in each or [first]) or "damaged"


def _syntax(data: Dataset) -> UID:
    """The transfer syntax; a file without meta information gets that of its data set."""
    if data.file_meta.get("TransferSyntaxUID") is None:
        implicit = data.original_encoding[0]
        data.file_meta.TransferSyntaxUID = (
            ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        )
    return UID(data.file_meta.TransferSyntaxUID)


def _picture(path: Path, data: Dataset, stored: NDArray[Any]) -> NDArray[np.uint8]:
    photometric = str(data.get("PhotometricInterpretation", ""))
    if photometric == "PALETTE COLOR":
        return _mapped(stored, lambda values: _palette(data, values))
    if stored.ndim == 3:
        return _luma(stored, 2.0 ** int(data.BitsStored) - 1)
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise unreadable(path, f"has the photometric interpretation '{photometric[:24]}'")
    if stored.dtype.kind not in "iu" and not np.isfinite(stored).all():
        raise unreadable(path, "has pixels that are not numbers")
    if _near(stored):
        return _mapped(stored, lambda values: _grey(data, values, _limits(data, [values])))
    parts = [stored[part] for part in strips(*stored.shape)]
    limits = _limits(data, parts)
    return np.concatenate([_grey(data, part, limits) for part in parts])


def _near(stored: NDArray[Any]) -> bool:
    """Whether the stored values are so near each other that they can be looked up."""
    whole = stored.dtype.kind in "iu"
    return whole and (stored.dtype.itemsize <= 2 or int(np.ptp(stored)) < TABLE)


def _mapped(
    stored: NDArray[Any], levels: Callable[[NDArray[Any]], NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """``levels`` of every pixel, which sees each value that occurs once, in ascending order."""
    low = int(stored.min())
    present = np.zeros(int(stored.max()) - low + 1, dtype=np.bool_)
    parts = list(strips(*stored.shape))
    for part in parts:
        present[stored[part].astype(np.int64) - low] = True
    table = np.zeros(len(present), dtype=np.uint8)
    values = np.flatnonzero(present)
    table[values] = levels((values + low).astype(stored.dtype))
    picture = np.empty(stored.shape, dtype=np.uint8)
    for part in parts:
        picture[part] = table[stored[part].astype(np.int64) - low]
    return picture


def _palette(data: Dataset, values: NDArray[Any]) -> NDArray[np.uint8]:
    colours = apply_color_lut(values, data)
    return stretch(colours[..., :3] @ LUMA, 0, np.iinfo(colours.dtype).max)


def _luma(stored: NDArray[Any], highest: float) -> NDArray[np.uint8]:
    """Of RGB ``[height, width, 3]``."""
    picture = np.empty(stored.shape[:2], dtype=np.uint8)
    for part in strips(*stored.shape[:2]):
        picture[part] = stretch(stored[part][..., :3] @ LUMA, 0, highest)
    return picture


def _grey(
    data: Dataset, stored: NDArray[Any], limits: tuple[float, float] | None
) -> NDArray[np.uint8]:
    """0 black to 255 white of stored values of any shape; ``limits`` as of ``_limits``."""
    grey = _levels(data, stored, limits)
    if data.PhotometricInterpretation == "MONOCHROME1":
        grey = 255 - grey
    padding = _padding(data, stored)
    if padding is not None:
        grey[padding] = 0
    return grey


def _levels(
    data: Dataset, stored: NDArray[Any], limits: tuple[float, float] | None
) -> NDArray[np.uint8]:
    """0 to 255 after rescale and window, still as stored for MONOCHROME1."""
    values = _rescaled(data, stored)
    if data.get("VOILUTSequence"):
        return _looked_up(data, values)
    window = _window(data)
    if window is not None:
        return apply_window(values, *window)
    if limits is None:
        return np.array(stored, dtype=np.uint8)
    return stretch(values, *limits)


def _rescaled(data: Dataset, stored: NDArray[Any]) -> NDArray[Any]:
    """After the modality LUT or rescale; as it is where that would change nothing."""
    slope, intercept = _first(data, "RescaleSlope"), _first(data, "RescaleIntercept")
    if not data.get("ModalityLUTSequence") and slope == 1 and intercept == 0:
        return stored
    return np.asarray(apply_modality_lut(stored, data))


def _limits(data: Dataset, parts: Sequence[NDArray[Any]]) -> tuple[float, float] | None:
    """The darkest and brightest value outside the padding; None where 8 bits are to be kept."""
    found = []
    for stored in parts:
        values = _rescaled(data, stored)
        if values is stored and stored.dtype == np.uint8 and int(data.BitsStored) == 8:
            return None
        padding = _padding(data, stored)
        inside = values if padding is None else values[~padding]
        if inside.size:
            found += [float(inside.min()), float(inside.max())]
    return (min(found), max(found)) if found else (0.0, 0.0)


def apply_window(
    values: NDArray[Any], centre: float, width: float, function: str = "LINEAR"
) -> NDArray[np.uint8]:
    """Maps a DICOM window to 0..255 (PS3.3 C.11.2.1.2): LINEAR, LINEAR_EXACT or SIGMOID."""
    if function == "SIGMOID":
        share = 1 / (1 + np.exp(-4 * (values.astype(np.float32) - centre) / width))
        return np.asarray(np.rint(share * 255), dtype=np.uint8)
    if function == "LINEAR_EXACT":
        return stretch(values, centre - width / 2, centre + width / 2)
    low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
    if high <= low:
        return np.where(values > low, 255, 0).astype(np.uint8)
    return stretch(values, low, high)


def _looked_up(data: Dataset, values: NDArray[Any]) -> NDArray[np.uint8]:
    """The first VOI LUT, whose lowest and highest output become 0 and 255."""
    entries, first = (int(number) for number in data.VOILUTSequence[0].LUTDescriptor[:2])
    domain = np.arange(first, first + (entries or 65536), dtype=np.int64)
    table = apply_voi(domain, data, index=0)
    looked_up = apply_voi(np.rint(values).astype(np.int64), data, index=0)
    return stretch(looked_up, float(table.min()), float(table.max()))


def _window(data: Dataset) -> tuple[float, float, str] | None:
    """Centre, width and function of the first window; None where there is no usable one."""
    centre, width = _first(data, "WindowCenter"), _first(data, "WindowWidth")
    if centre is None or width is None or not np.isfinite([centre, width]).all():
        return None
    function = str(data.get("VOILUTFunction", "") or "LINEAR").upper()
    least = 1.0 if function == "LINEAR" else 1e-9
    known = function in ("LINEAR", "LINEAR_EXACT", "SIGMOID")
    return (centre, width, function) if known and width >= least else None


def _first(data: Dataset, keyword: str) -> float | None:
    try:
        value = data[keyword].value if keyword in data else None
        if value is None or value == "":
            return None
        return float(value) if np.ndim(value) == 0 else float(value[0])
    except (ValueError, TypeError, IndexError):
        return None


def _padding(data: Dataset, stored: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Where the stored value is padding, outside the picture; None where nothing is."""
    value = data.get("PixelPaddingValue")
    if not isinstance(value, int):
        return None
    limit = data.get("PixelPaddingRangeLimit")
    other = limit if isinstance(limit, int) else value
    mask: NDArray[np.bool_] = (stored >= min(value, other)) & (stored <= max(value, other))
    return mask if mask.any() else None
