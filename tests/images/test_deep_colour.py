"""PNG and TIFF of 16 bits in each of several channels, beside the same picture in grey."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from radpair.errors import ImageError
from radpair.images import decode, limits


def deep_grey(low: int = 40, high: int = 4095) -> NDArray[np.uint16]:
    """12 bits, whose highest 8 of 16 are nearly black; far from symmetric."""
    y, x = np.mgrid[:70, :90]
    return np.rint(low + (high - low) * (x / 89) * (y / 69) ** 2).astype(np.uint16)


def png(path: Path, samples: NDArray[np.uint16], kind: int, *more: bytes) -> Path:
    """A PNG of 16 bits a channel: kind 2 RGB, 4 grey and alpha, 6 RGBA."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    extra = b"".join(chunk(part[:4], part[4:]) for part in more)
    body = header + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def tiff(path: Path, samples: NDArray[np.uint16], compression: int = 1) -> Path:
    assert cv2.imwrite(str(path), samples[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, compression])
    return path


@pytest.mark.parametrize(("low", "high"), [(40, 4095), (0, 65535), (30000, 30200)])
@pytest.mark.parametrize("kind", ["RGB.png", "RGBA.png", "LA.png", "RGB.tif", "LZW.tif"])
def test_grey_written_as_colour_is_read_as_grey(
    tmp_path: Path, kind: str, low: int, high: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    grey = deep_grey(low, high)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    expected = decode(tmp_path / "grey.png")
    assert (expected.min(), expected.max()) == (0, 255)
    colour, opaque = np.dstack([grey] * 3), np.full_like(grey, 65535)
    path = tmp_path / kind
    match kind:
        case "RGB.png":
            png(path, colour, 2)
        case "RGBA.png":
            png(path, np.dstack([colour, opaque]), 6)
        case "LA.png":
            png(path, np.dstack([grey, opaque]), 4)
        case "RGB.tif":
            tiff(path, colour)
        case _:
            tiff(path, colour, 5)
    np.testing.assert_array_equal(decode(path), expected)
    monkeypatch.setattr(limits, "STRIP", 500)
    np.testing.assert_array_equal(decode(path), expected)


def luma_stretched(colour: NDArray[np.uint16], share: NDArray[np.float64]) -> NDArray[np.float64]:
    luma = colour @ np.array([0.299, 0.587, 0.114]) * share
    return (luma - luma.min()) * 255 / (luma.max() - luma.min())


def test_colour_becomes_luma_over_black(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    colour = rng.integers(0, 3000, (40, 50, 3)).astype(np.uint16)
    alpha = rng.integers(0, 65536, (40, 50)).astype(np.uint16)
    opaque, part = np.ones((40, 50)), alpha / 65535
    for path, share in (
        (png(tmp_path / "a.png", colour, 2), opaque),
        (tiff(tmp_path / "a.tif", colour), opaque),
        (png(tmp_path / "b.png", np.dstack([colour, alpha]), 6), part),
    ):
        assert np.abs(decode(path) - luma_stretched(colour, share)).max() <= 0.51
    pale = png(tmp_path / "c.png", np.dstack([colour[..., 0], alpha]), 4)
    grey = np.dstack([colour[..., 0]] * 3)
    assert np.abs(decode(pale) - luma_stretched(grey, part)).max() <= 0.51


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_rotation_that_a_camera_notes_is_applied(tmp_path: Path, orientation: int) -> None:
    grey = deep_grey()
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(grey).save(tmp_path / "grey.png", exif=exif)
    note = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    path = png(tmp_path / "a.png", np.dstack([grey] * 3), 2, note)
    np.testing.assert_array_equal(decode(path), decode(tmp_path / "grey.png"))


def test_what_is_not_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    colour = np.dstack([deep_grey()] * 3)
    see_through = png(tmp_path / "a.png", colour, 2, b"tRNS" + struct.pack(">3H", 40, 40, 40))
    planes = tiff(tmp_path / "a.tif", colour)
    content = planes.read_bytes()
    entry = struct.pack("<HHIHH", 284, 3, 1, 1, 0)
    assert content.count(entry) == 1
    planes.write_bytes(content.replace(entry, struct.pack("<HHIHH", 284, 3, 1, 2, 0)))
    for path in (see_through, planes):
        with pytest.raises(ImageError, match="save it as grey of 16 bits"):
            decode(path)


def test_truncated_and_too_large_ones_are_refused(tmp_path: Path) -> None:
    colour = np.dstack([deep_grey()] * 3)
    for path in (png(tmp_path / "a.png", colour, 2), tiff(tmp_path / "a.tif", colour)):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 2 // 3])
        with pytest.raises(ImageError, match="damaged"):
            decode(path)
    large = png(tmp_path / "b.png", colour, 2)
    content = large.read_bytes()
    header = b"IHDR" + struct.pack(">IIBBBBB", 5000, 5001, 16, 2, 0, 0, 0)
    patched = content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]
    large.write_bytes(patched)
    with pytest.raises(ImageError, match="25 million in colour"):
        decode(large)
