"""Headers of DICOM files: views and ages from words, damage, and pixels that are never read."""

from __future__ import annotations

import logging
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian

from radpair.errors import ImageError
from radpair.sources.headers import Header, header_of, read_header, view_of, years
from sources.fakes.dicoms import dicom_file

TAGS = {"StudyInstanceUID": "1.2", "PatientID": "P", "AccessionNumber": "A", "PatientSex": "M"}


@pytest.mark.parametrize(
    ("texts", "view"),
    [
        (("PA",), "PA"),
        (("AP", "PA"), "AP"),
        (("", "", "CHEST PA"), "PA"),
        (("", "postero-anterior"), "PA"),
        (("", "antero-posterior"), "AP"),
        (("LL",), "LATERAL"),
        (("RL",), "LATERAL"),
        (("", "", "Chest_LAT"), "LATERAL"),
        (("", "", "W Chest Lat."), "LATERAL"),
        (("", "left lateral"), "LATERAL"),
        (("", "", "CHEST (PA AND LAT)"), ""),
        (("", "", "PA/LAT", "AP"), "AP"),
        (("", "", "LEFT LATERAL DECUBITUS"), ""),
        (("", "", "APPENDIX"), ""),
        (("", "", "PALM"), ""),
        (("view: PA",), "PA"),
        ((), ""),
    ],
)
def test_views_are_told_by_the_first_text_that_names_just_one(
    texts: tuple[str, ...], view: str
) -> None:
    assert view_of(*texts) == view


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("045Y", "45"),
        ("62", "62"),
        ("006M", "0.5"),
        ("000Y", "0"),
        ("026W", "0.5"),
        ("018M", "1.5"),
        ("073D", "0.2"),
        ("090Y", "90"),
        ("101Y", "90"),
        ("", ""),
        ("old", ""),
        ("-5Y", ""),
    ],
)
def test_ages_are_years(text: str, age: str) -> None:
    assert years(text, 90) == age
    assert years("101Y") == "101"


def test_a_header_holds_what_is_allowed(tmp_path: Path) -> None:
    code = Dataset()
    code.CodeMeaning = "postero-anterior"
    more = {"ViewCodeSequence": Sequence([code]), "PatientName": "Nobody^Real", "Manufacturer": "M"}
    header = read_header(dicom_file(tmp_path / "a", **TAGS, **more))
    assert header == Header(
        study="1.2",
        patient="P",
        accession="A",
        modality="DX",
        position="PA",
        attributes=(("sex", "M"), ("modality", "DX"), ("manufacturer", "M")),
    )


def test_pixels_are_not_needed_and_a_deflated_flood_is_not_followed(tmp_path: Path) -> None:
    file = dicom_file(tmp_path / "a", **TAGS)
    header = read_header(file)
    content = file.read_bytes()
    file.write_bytes(content[: content.index(b"\xe0\x7f\x10\x00") + 12])
    assert read_header(file) == header
    data = dcmread(dicom_file(tmp_path / "b", **TAGS))
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data.save_as(tmp_path / "c")
    assert read_header(tmp_path / "c") == header
    content = (tmp_path / "c").read_bytes()
    start = 144 + int.from_bytes(content[140:144], "little")
    plain = zlib.decompressobj(-15).decompress(content[start:])
    flood = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = flood.compress(plain) + flood.compress(bytes(64 << 20)) + flood.flush()
    (tmp_path / "c").write_bytes(content[:start] + packed)
    assert read_header(tmp_path / "c") == header


def test_other_files_and_damage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name, content in {"t": b"text", "e": b"", "j": b"\xff\xd8\xff", "b": b"\x08\x00"}.items():
        (tmp_path / name).write_bytes(content)
        assert read_header(tmp_path / name) is None
        assert header_of(tmp_path / name) == Header()
    with pytest.raises(ImageError, match="cannot be opened"):
        read_header(tmp_path / "gone")
    assert header_of(tmp_path / "gone") == Header()
    assert not caplog.records


def test_a_tag_that_swallowed_others_is_not_kept(tmp_path: Path) -> None:
    file = dicom_file(tmp_path / "a", Manufacturer="M", PatientName="Nobody^Real", **TAGS)
    content = file.read_bytes()
    place = content.index(b"\x08\x00\x70\x00LO")
    longer = content[: place + 6] + b"\x30\0" + content[place + 8 :]
    file.write_bytes(longer)
    assert "Nobody" in str(dcmread(file, force=True).Manufacturer)
    header = read_header(file)
    assert header is not None
    assert "Nobody" not in str(header)
    file.write_bytes(content.replace(b"\x08\x00\x16\x00UI", b"\x08\x00\x16\x00U\x98"))
    with pytest.raises(ImageError, match="damaged or cut off before it says what it is"):
        read_header(file)
    file.write_bytes(content[:128] + b"DICM" + b"\xff" * 100)
    with pytest.raises(ImageError, match="DICOM header is damaged"):
        read_header(file)


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 500), value=st.integers(0, 255), end=st.integers(100, 2000))
def test_no_damage_raises_anything_else(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int, end: int
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    file = dicom_file(folder / "a", PatientName="Nobody^Real", **TAGS)
    content = bytearray(file.read_bytes())
    content[place] = value
    file.write_bytes(content[:end])
    level = logging.getLogger("pydicom").level
    told = ""
    try:
        read_header(file)
    except ImageError as error:
        told = str(error)
    assert "Nobody" not in told
    assert logging.getLogger("pydicom").level == level
