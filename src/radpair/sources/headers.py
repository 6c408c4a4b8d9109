"""What a DICOM file says of itself before its pixels, as far as radpair may know it.

``TAGS`` is the list of all that is ever read of a header here; names, dates, addresses and
institutions are not on it. Pixels are decoded elsewhere, by ``radpair.images``.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pydicom import Dataset, dcmread
from pydicom.filereader import read_dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian, MediaStorageDirectoryStorage

from radpair.errors import ImageError, PlaceError
from radpair.formats import DICOM_HEAD, data_set_start, is_bare, is_marked, quiet
from radpair.places import beginning

TAGS = (
    "SOPClassUID",
    "StudyInstanceUID",
    "PatientID",
    "AccessionNumber",
    "Modality",
    "SeriesDescription",
    "ViewPosition",
    "ViewCodeSequence",
    "PatientSex",
    "PatientAge",
    "BodyPartExamined",
    "Manufacturer",
    "ManufacturerModelName",
    "Rows",
)
ATTRIBUTES = {
    "sex": "PatientSex",
    "age": "PatientAge",
    "modality": "Modality",
    "body_part": "BodyPartExamined",
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
}
"""What a study set keeps of a header, and under which name; nothing else goes into it."""
INFLATED = 4 << 20
"""Bytes of a deflated data set that are looked through for its header."""
LONGEST = 64
"""Characters of every tag here at most (PS3.5, 6.2)."""
OLDEST = 90
"""Ages above are kept as this, since few people bear them."""
YEAR = {"Y": 1.0, "M": 12.0, "W": 52.1775, "D": 365.2425}
"""How many of each unit of an age string make a year."""


@dataclass(frozen=True, slots=True)
class Header:
    """The header of one DICOM file; what it does not say is empty."""

    study: str = ""
    patient: str = ""
    accession: str = ""
    modality: str = ""
    position: str = ""
    """``PA``, ``AP``, ``LATERAL`` or empty."""
    directory: bool = False
    """Whether it is the table of contents of a disc (DICOMDIR)."""
    attributes: tuple[tuple[str, str], ...] = ()
    """Names of ``ATTRIBUTES`` with what the header says."""


def read_header(path: Path) -> Header | None:
    """The header of a DICOM file, told by content; None for a file of another kind.

    Reads no pixels, and of the header ``TAGS`` only. Raises ``ImageError`` for a file that cannot
    be opened or whose header is damaged; no message holds a tag's value.
    """
    try:
        with beginning(path) as handle:
            head = handle.read(DICOM_HEAD)
            marked = is_marked(head)
            if not marked and not is_bare(head):
                return None
            handle.seek(0)
            with quiet():
                data = _parse(handle)
                found = _header(data)
                kind = _text(data, "SOPClassUID") or found.modality
    except (MemoryError, PlaceError):
        raise
    except Exception as error:  # a damaged file makes the parser raise anything at all
        raise _fault(path, error) from error
    if marked and not kind:
        raise ImageError(
            f"{path}: its DICOM header is damaged or cut off before it says what it is; fetch or "
            "export the file again"
        )
    return found if marked or len(data) else None


def _fault(path: Path, error: Exception) -> ImageError:
    if isinstance(error, OSError) and error.strerror:
        return ImageError(f"{path}: cannot be opened ({error.strerror}); check the file")
    return ImageError(
        f"{path}: its DICOM header is damaged ({type(error).__name__}); fetch or export the file "
        "again"
    )


def header_of(path: Path) -> Header:
    """The header; empty for a file that the reader will quarantine, with its reason."""
    try:
        return read_header(path) or Header()
    except ImageError:
        return Header()


def _parse(handle: BinaryIO) -> Dataset:
    start = handle.read(4096)
    handle.seek(0)
    if is_marked(start) and DeflatedExplicitVRLittleEndian.encode() in start:
        return _deflated(handle)
    return dcmread(handle, stop_before_pixels=True, force=True, specific_tags=list(TAGS))


def _deflated(handle: BinaryIO) -> Dataset:
    """As far as ``INFLATED`` bytes go, however large the rest would become."""
    content = handle.read(INFLATED)
    packed = content[data_set_start(content) :]
    plain = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, INFLATED)
    return read_dataset(
        BytesIO(plain),
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=lambda tag, vr, length: tag >= 0x7FE00008,
        specific_tags=[Tag(name) for name in TAGS],
    )


def _header(data: Dataset) -> Header:
    kept = {name: _text(data, keyword) for name, keyword in ATTRIBUTES.items()}
    kept["age"] = years(kept["age"], OLDEST)
    return Header(
        study=_text(data, "StudyInstanceUID"),
        patient=_text(data, "PatientID"),
        accession=_text(data, "AccessionNumber"),
        modality=_text(data, "Modality").upper(),
        position=view_of(
            _text(data, "ViewPosition"), _view_code(data), _text(data, "SeriesDescription")
        ),
        directory=_text(data, "SOPClassUID") == MediaStorageDirectoryStorage,
        attributes=tuple((name, value) for name, value in kept.items() if value),
    )


def _text(data: Dataset, keyword: str) -> str:
    """A tag as text; empty where it is missing or holds what no such tag may hold.

    A damaged length makes one tag swallow the next ones, which may name the patient.
    """
    try:
        value = data.get(keyword)
    except Exception:  # pydicom converts a value when it is first asked for, and may fail
        return ""
    if value is None or isinstance(value, bytes):
        return ""
    first = value[0] if isinstance(value, (list, tuple, MultiValue)) and value else value
    text = str(first).strip("\0 ")
    return text if len(text) <= LONGEST and text.isprintable() else ""


def _view_code(data: Dataset) -> str:
    try:
        return str(data.ViewCodeSequence[0].CodeMeaning)
    except Exception:  # absent, empty or damaged: then the view is told by other tags
        return ""


VIEWS = {
    "PA": re.compile(r"\bP\.?A\b|\bpostero-?\s?anterior\b", re.IGNORECASE),
    "AP": re.compile(r"\bA\.?P\b|\bantero-?\s?posterior\b", re.IGNORECASE),
    "LATERAL": re.compile(r"\b[LR]?LAT\b|\blateral\b|\b(LL|RL)\b", re.IGNORECASE),
}
LYING = re.compile("decub", re.IGNORECASE)
"""A lateral decubitus film is a frontal view of someone who lies on a side."""


def view_of(*texts: str) -> str:
    """``PA``, ``AP`` or ``LATERAL`` as the first text says that names just one; else empty."""
    for text in texts:
        words = text.replace("_", " ")
        named = [name for name, pattern in VIEWS.items() if pattern.search(words)]
        if len(named) == 1 and not (named == ["LATERAL"] and LYING.search(words)):
            return named[0]
    return ""


def years(text: str, oldest: int | None = None) -> str:
    """An age such as ``045Y``, ``018M`` or ``62`` in years; empty where it is none.

    Ages above ``oldest`` become ``oldest``.
    """
    found = re.fullmatch(r"(\d{1,4})\s*([YMWD]?)", text.strip().upper())
    if not found:
        return ""
    age = int(found[1]) / YEAR[found[2] or "Y"]
    if oldest is not None and age > oldest:
        age = float(oldest)
    return f"{age:.2f}".rstrip("0").rstrip(".")
