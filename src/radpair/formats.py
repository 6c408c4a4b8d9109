"""How image files begin, which tells their kind whatever they are called; and pydicom kept quiet.

Files of one kind are looked at in several rooms: headers by ``sources``, pixels by ``images``.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

STARTS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
"""TIFF is BigTIFF too."""
DICOM_HEAD = 132
"""Bytes that tell DICOM: a preamble that says nothing, and the mark."""
MARK = b"DICM"
META_LENGTH, META_START = 140, 144
"""Where the length of the file meta information stands, and where it begins that this counts."""


def raster_kind(head: bytes) -> str | None:
    """``JPEG``, ``PNG`` or ``TIFF`` by the first bytes of a file; None for another."""
    return next((kind for start, kind in STARTS.items() if head.startswith(start)), None)


def is_marked(head: bytes) -> bool:
    """Whether a DICOM file with its preamble begins so."""
    return head[128:DICOM_HEAD] == MARK


def is_bare(head: bytes) -> bool:
    """A DICOM data set without preamble, which begins with an element of group 0002 or 0008."""
    return len(head) > 8 and head[:2] in (b"\x02\x00", b"\x08\x00") and head[3] == 0


def data_set_start(content: bytes) -> int:
    """Where the data set of a DICOM file begins, behind its meta information."""
    return META_START + int.from_bytes(content[META_LENGTH:META_START], "little")


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps pydicom from printing tag values, which may name a patient."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
