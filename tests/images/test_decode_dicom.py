"""DICOM files made by the tests: windows, tables, padding, polarity, faults, privacy."""

from __future__ import annotations

import csv
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_windowing
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    generate_uid,
)

from radpair.errors import ImageError
from radpair.images import decode, limits
from radpair.images import dicom as dicom_module
from radpair.images.dicom import apply_window

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "dicom"
NAME = "Testcase^Never^Printed"


def ramp(low: int, high: int, dtype: Any = np.uint16) -> NDArray[Any]:
    return np.linspace(low, high, 64 * 80).reshape(64, 80).astype(dtype)


def dicom(path: Path, stored: NDArray[Any], **tags: Any) -> Path:
    """Writes ``stored`` as an uncompressed file; ``tags`` override or add elements."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = tags.pop("syntax", ExplicitVRLittleEndian)
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["test"])
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.PatientName = NAME
    data.Modality = "DX"
    data.Rows, data.Columns = stored.shape[:2]
    data.SamplesPerPixel = 3 if stored.ndim == 3 else 1
    data.PhotometricInterpretation = "RGB" if stored.ndim == 3 else "MONOCHROME2"
    if stored.ndim == 3:
        data.PlanarConfiguration = 0
    bits = stored.dtype.itemsize * 8
    data.BitsAllocated = data.BitsStored = bits
    data.HighBit = bits - 1
    data.PixelRepresentation = int(np.issubdtype(stored.dtype, np.signedinteger))
    data.PixelData = stored.tobytes()
    for name, value in tags.items():
        setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return path


def test_eight_bits_are_kept_and_monochrome1_is_turned_over(tmp_path: Path) -> None:
    stored = ramp(10, 240, np.uint8)
    path = dicom(tmp_path / "a", stored)
    np.testing.assert_array_equal(decode(path), stored)
    path = dicom(tmp_path / "b", stored, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(decode(path), 255 - stored)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_rescale_that_changes_nothing_is_none(tmp_path: Path, photometric: str) -> None:
    stored = ramp(50, 176, np.uint8)
    tags = {"PhotometricInterpretation": photometric}
    path = dicom(tmp_path / "a", stored, RescaleSlope="1.0", RescaleIntercept="0", **tags)
    kept = 255 - stored if photometric == "MONOCHROME1" else stored
    np.testing.assert_array_equal(decode(path), kept)
    np.testing.assert_array_equal(decode(path), decode(dicom(tmp_path / "b", stored, **tags)))
    path = dicom(tmp_path / "c", stored, RescaleSlope=2, RescaleIntercept=0, **tags)
    assert (decode(path).min(), decode(path).max()) == (0, 255)


WIDE: dict[str, tuple[NDArray[Any], dict[str, Any]]] = {
    "32 bits": (ramp(0, 4_000_000_000, np.uint32), {}),
    "32 bits, padded": (ramp(-9, 2_000_000_000, np.int32), {"PixelPaddingValue": -9}),
    "32 bits, window": (
        ramp(0, 1 << 20, np.uint32),
        {"RescaleSlope": 0.5, "RescaleIntercept": 7, "WindowCenter": 2**18, "WindowWidth": 2**17},
    ),
    "16 bits, rescaled": (
        ramp(-900, 31_000, np.int16),
        {"RescaleSlope": -3, "RescaleIntercept": 9},
    ),
}


@pytest.mark.parametrize("kind", WIDE)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_work_in_strips_is_that_on_the_whole(
    tmp_path: Path, kind: str, photometric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few rows a strip has; beside the formula on all pixels at once."""
    stored, tags = WIDE[kind]
    path = dicom(tmp_path / "a", stored, PhotometricInterpretation=photometric, **tags)
    values = stored * float(tags.get("RescaleSlope", 1)) + tags.get("RescaleIntercept", 0)
    padding = stored == tags.get("PixelPaddingValue", 0.5)
    low, high = values[~padding].min(), values[~padding].max()
    if "WindowCenter" in tags:
        low, high = (2**18 - 0.5 + side * (2**17 - 1) / 2 for side in (-1, 1))
    expected = np.clip((values - low) * 255 / (high - low), 0, 255)
    expected = 255 - expected if photometric == "MONOCHROME1" else expected
    whole = decode(path)
    assert np.abs(whole - np.where(padding, 0, expected)).max() <= 1
    monkeypatch.setattr(limits, "STRIP", 1000)
    np.testing.assert_array_equal(decode(path), whole)


def test_deep_values_without_window_are_stretched(tmp_path: Path) -> None:
    pixels = decode(dicom(tmp_path / "a", ramp(700, 3100), BitsStored=12, HighBit=11))
    assert (pixels[0, 0], pixels[-1, -1]) == (0, 255)
    assert (np.diff(pixels.ravel().astype(int)) >= 0).all()


def test_window_acts_on_rescaled_values(tmp_path: Path) -> None:
    stored = ramp(0, 4095)
    path = dicom(
        tmp_path / "a",
        stored,
        RescaleSlope=2,
        RescaleIntercept=-1000,
        WindowCenter=[2000, 9],
        WindowWidth=[1500, 9],
    )
    share = np.clip((stored * 2.0 - 1000 - (2000 - 0.5)) / 1499 + 0.5, 0, 1)
    assert np.abs(decode(path) - share * 255).max() <= 1


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_window_functions_agree_with_pydicom(function: str) -> None:
    stored = ramp(0, 255, np.uint8)
    oracle = Dataset()
    oracle.WindowCenter, oracle.WindowWidth, oracle.VOILUTFunction = 120, 90, function
    oracle.PhotometricInterpretation = "MONOCHROME2"
    oracle.BitsStored, oracle.PixelRepresentation = 8, 0
    expected = apply_windowing(stored, oracle)
    assert np.abs(apply_window(stored, 120, 90, function) - expected).max() <= 1


@pytest.mark.parametrize("width", [0, -5, ""])
def test_unusable_window_is_left_aside(tmp_path: Path, width: Any) -> None:
    path = dicom(tmp_path / "a", ramp(0, 1000), WindowCenter=100, WindowWidth=width)
    np.testing.assert_array_equal(decode(path), decode(dicom(tmp_path / "b", ramp(0, 1000))))


def test_window_outside_the_values_leaves_a_blank_picture(tmp_path: Path) -> None:
    path = dicom(tmp_path / "a", ramp(0, 1000), WindowCenter=9000, WindowWidth=10)
    with pytest.raises(ImageError, match="blank"):
        decode(path)


def test_voi_table_goes_before_the_window(tmp_path: Path) -> None:
    table = (np.linspace(0, 1, 256) ** 2 * 4000 + 50).astype(np.uint16)
    item = Dataset()
    item.LUTDescriptor = [256, 100, 16]
    item.add_new("LUTData", "US", table.tolist())
    stored = ramp(0, 500)
    path = dicom(tmp_path / "a", stored, WindowCenter=5, WindowWidth=3, VOILUTSequence=[item])
    looked_up = table[np.clip(stored.astype(int) - 100, 0, 255)].astype(float)
    expected = (looked_up - table.min()) * 255 / (table.max() - table.min())
    assert np.abs(decode(path) - expected).max() <= 1


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_outside_the_range(tmp_path: Path, photometric: str) -> None:
    stored = ramp(500, 1500, np.int16)
    stored[:, :10] = -2000
    path = dicom(
        tmp_path / "a", stored, PixelPaddingValue=-2000, PhotometricInterpretation=photometric
    )
    pixels = decode(path)
    assert (pixels[:, :10] == 0).all()
    inside = pixels[:, 10:]
    assert inside.max() == 255
    assert np.ptp(inside.astype(int)) == 255


def test_colour_and_deep_colour(tmp_path: Path) -> None:
    colour = np.zeros((40, 60, 3), np.uint8)
    colour[:, :20, 0], colour[:, 20:40, 1], colour[:, 40:, 2] = 200, 200, 200
    expected = 200 * np.array([0.299, 0.587, 0.114])
    for dtype, factor in ((np.uint8, 1), (np.uint16, 257)):
        pixels = decode(dicom(tmp_path / "a", colour.astype(dtype) * dtype(factor)))
        assert np.abs(pixels[0, [0, 30, 59]] - expected).max() <= 1


def test_file_without_preamble_is_read(tmp_path: Path) -> None:
    stored = ramp(10, 240, np.uint8)
    content = dicom(tmp_path / "a", stored).read_bytes()
    length = int.from_bytes(content[140:144], "little")
    bare = tmp_path / "bare.dcm"
    bare.write_bytes(content[144 + length :])
    np.testing.assert_array_equal(decode(bare), stored)


def test_deflated_file_is_read_and_a_bomb_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = ramp(10, 240, np.uint8)
    path = dicom(tmp_path / "a", stored, syntax=DeflatedExplicitVRLittleEndian)
    np.testing.assert_array_equal(decode(path), stored)
    content = path.read_bytes()
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(b"\0" * (1 << 24)) + packer.flush()
    path.write_bytes(content[: 144 + int.from_bytes(content[140:144], "little")] + body)
    monkeypatch.setattr(dicom_module, "MAX_BYTES", 1 << 23)
    with pytest.raises(ImageError, match="inflates to more than 8 MiB"):
        decode(path)


def test_a_chosen_frame_is_that_one(tmp_path: Path) -> None:
    frames = [ramp(10 * number, 240, np.uint8) for number in (1, 2, 3)]
    content = b"".join(frame.tobytes() for frame in frames)
    several = dicom(tmp_path / "several", frames[0], NumberOfFrames=3, PixelData=content)
    single = dicom(tmp_path / "single", frames[1])
    for number, frame in enumerate(frames, 1):
        np.testing.assert_array_equal(decode(several, frame=number), frame)
    np.testing.assert_array_equal(decode(single, frame=2), frames[1])
    for number in (0, 4, -1):
        with pytest.raises(ImageError, match=rf"holds 3 frames and no number {number}"):
            decode(several, frame=number)


def _frames(path: Path) -> None:
    dicom(path, ramp(0, 9), NumberOfFrames=3, PixelData=ramp(0, 9).tobytes() * 3)


def _bad_frames(path: Path) -> None:
    dicom(path, ramp(0, 9), NumberOfFrames=1)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"IS\x02\x001 ", b"IS\x02\x001A"))


def _without_pixels(path: Path) -> None:
    dicom(path, ramp(0, 9), Modality="SR")
    from pydicom import dcmread

    data = dcmread(path)
    del data.PixelData, data.Rows, data.Columns
    data.save_as(path)


def _truncated(path: Path) -> None:
    content = dicom(path, ramp(0, 9)).read_bytes()
    path.write_bytes(content[:-3000])


def _broken_stream(path: Path) -> None:
    data = encapsulate([b"\xff\x4f\xff\x51" + b"\x07" * 200])
    dicom(path, ramp(0, 9), syntax=JPEG2000Lossless, PixelData=data)


def _huge(path: Path) -> None:
    dicom(path, ramp(0, 9), Rows=30_001, Columns=30_001)


def _small(path: Path) -> None:
    dicom(path, np.zeros((4, 4), np.uint8))


def _large_colour(path: Path) -> None:
    dicom(path, np.zeros((40, 40, 3), np.uint8), Rows=5000, Columns=5001)


FAULTS = {
    "frames": (_frames, "holds 3 frames"),
    "bad frames": (_bad_frames, "NumberOfFrames is not a number"),
    "no pixels": (_without_pixels, r"without an image \(modality SR\)"),
    "truncated": (_truncated, "cannot be decoded"),
    "broken stream": (_broken_stream, r"JPEG 2000 .*cannot be decoded"),
    "huge": (_huge, "too large, 30,001 x 30,001"),
    "large colour": (_large_colour, "5,001 x 5,000 pixels where 25 million in colour and"),
    "small": (_small, "too small, 4 x 4"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_refused_with_its_reason(
    tmp_path: Path, fault: str, capfd: pytest.CaptureFixture[str]
) -> None:
    make, reason = FAULTS[fault]
    make(tmp_path / "a.dcm")
    with pytest.raises(ImageError, match=reason) as caught:
        decode(tmp_path / "a.dcm")
    assert "Testcase" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_nothing_of_a_patient_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    """A name where a date belongs makes pydicom warn with the name itself."""
    path = dicom(tmp_path / "a.dcm", ramp(0, 9), PatientBirthDate="19700101", PatientAge="044Y")
    content = path.read_bytes()
    for old, new in ((b"19700101", b"JANEROE1"), (b"044Y", b"ROE!")):
        assert old in content
        content = content.replace(old, new)
    path.write_bytes(content)
    decode(path)
    path.write_bytes(content[:-2000])
    with pytest.raises(ImageError) as caught:
        decode(path)
    printed = capfd.readouterr()
    text = printed.out + printed.err + str(caught.value) + "".join(str(w.message) for w in recwarn)
    assert "ROE" not in text
    assert "Testcase" not in text


def test_random_damage_ends_in_a_picture_or_a_reason(tmp_path: Path) -> None:
    chance = np.random.default_rng(5)
    content = dicom(tmp_path / "a", ramp(0, 4095), WindowCenter=900, WindowWidth=300).read_bytes()
    for _ in range(150):
        mutated = bytearray(content)
        for place in chance.integers(0, 900, chance.integers(1, 12)):
            mutated[place] = chance.integers(256)
        (tmp_path / "m").write_bytes(mutated)
        assert outcome(tmp_path / "m")


def outcome(path: Path) -> bool:
    """Whether the file gave a picture or a sentence that names it."""
    try:
        return decode(path).dtype == np.uint8
    except ImageError as error:
        return str(error).startswith(str(path))


def test_huge_length_in_a_tag_costs_no_memory(tmp_path: Path) -> None:
    """The pixels are all there; only their length is a lie."""
    content = dicom(tmp_path / "a", ramp(0, 9)).read_bytes()
    place = content.index(struct.pack("<HH", 0x7FE0, 0x0010)) + 8
    path = tmp_path / "b"
    path.write_bytes(content[:place] + struct.pack("<I", 2**31) + content[place + 4 :])
    tracemalloc.start()
    np.testing.assert_array_equal(decode(path), decode(tmp_path / "a"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real DICOM files are not beside the checkout")
def test_real_files_are_decoded_or_refused() -> None:
    with (SHARED / "samples.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    refused = {}
    for row in rows:
        try:
            pixels = decode(SHARED / row["path"])
        except ImageError as error:
            refused[Path(row["path"]).name] = str(error).split(": ", 1)[1]
        else:
            assert f"({pixels.shape[0]}, {pixels.shape[1]}" in row["pixels"]
    reasons = {
        "emri_small_RLE.dcm": "holds 10 frames",
        "emri_small_jpeg_2k_lossless.dcm": "holds 10 frames",
        "emri_small_jpeg_2k_lossless_too_short.dcm": "holds 10 frames",
        "liver_deflate.dcm": "holds 3 frames",
        "MR_truncated.dcm": "less than expected",
        "no_meta_group_length.dcm": "without an image",
        "badVR.dcm": "NumberOfFrames is not a number",
        "ExplVR_LitEndNoMeta.dcm": "without an image (modality RTPLAN)",
        "rtplan.dcm": "without an image (modality RTPLAN)",
        "test-SR.dcm": "without an image (modality SR)",
        "JPEG-lossy.dcm": "JPEG Extended",
        "SC_rgb_small_odd.dcm": "too small, 3 x 3",
    }
    assert refused.keys() == reasons.keys()
    for name, reason in reasons.items():
        assert reason in refused[name]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real DICOM files are not beside the checkout")
def test_real_twins_are_complements() -> None:
    """The same stored values under MONOCHROME1 and MONOCHROME2."""
    inverted = decode(SHARED / "chest" / "Fake_MONOHR1.dcm")
    (twin,) = (p for p in (SHARED / "chest").iterdir() if p.name.startswith("1.2.276"))
    np.testing.assert_array_equal(inverted, 255 - decode(twin))


def test_every_decoder_that_was_tried_gives_its_reason() -> None:
    tried = RuntimeError("Unable to decode by all plugins:\n  one: misplaced marker\n  two: 12 bit")
    assert dicom_module._reason(tried) == "one: misplaced marker; two: 12 bit"
    assert dicom_module._reason(ValueError("too short\n")) == "too short"
    assert dicom_module._reason(ValueError()) == "damaged"
