"""Files of every kind to grey pixels, and every damage to a sentence."""

from __future__ import annotations

import os
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from radpair.errors import ImageError
from radpair.images import decode, shrink


def film(height: int = 300, width: int = 260) -> NDArray[np.uint8]:
    """A smooth picture with a bright bar, far from symmetric."""
    y, x = np.mgrid[:height, :width]
    grey = 60 + 90 * x / width + 40 * np.sin(y / 23)
    grey[height // 5 : height // 4, : width // 2] = 240
    return grey.astype(np.uint8)


def saved(folder: Path, name: str, image: Image.Image, **options: object) -> Path:
    image.save(folder / name, **options)
    return folder / name


def test_lossless_formats_keep_their_values(tmp_path: Path) -> None:
    grey = film()
    image = Image.fromarray(grey)
    for name in ("a.png", "a.tif"):
        np.testing.assert_array_equal(decode(saved(tmp_path, name, image)), grey)
    packed = saved(tmp_path, "packed.tif", image, compression="tiff_lzw")
    np.testing.assert_array_equal(decode(packed), grey)


def test_content_decides_and_not_the_extension(tmp_path: Path) -> None:
    saved(tmp_path, "a.png", Image.fromarray(film()))
    (tmp_path / "a.png").rename(tmp_path / "a.dcm")
    np.testing.assert_array_equal(decode(tmp_path / "a.dcm"), film())


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "1", "CMYK"])
def test_every_mode_becomes_grey(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(film()).convert(mode)
    name = "a.tif" if mode == "CMYK" else "a.png"
    pixels = decode(saved(tmp_path, name, image))
    assert pixels.shape == (300, 260)
    expected = np.asarray(image.convert("RGB").convert("L")).astype(int)
    assert np.abs(pixels - expected).max() <= 1


def test_colour_becomes_luma(tmp_path: Path) -> None:
    colour = np.zeros((64, 64, 3), np.uint8)
    colour[:, :20], colour[:, 20:40], colour[:, 40:] = (200, 0, 0), (0, 200, 0), (0, 0, 200)
    pixels = decode(saved(tmp_path, "a.png", Image.fromarray(colour)))
    assert np.abs(pixels[0, [0, 30, 60]] - 200 * np.array([0.299, 0.587, 0.114])).max() <= 1


def test_transparency_lies_over_black(tmp_path: Path) -> None:
    grey = np.full((64, 64), 200, np.uint8)
    alpha = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))
    image = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])
    pixels = decode(saved(tmp_path, "a.png", image))
    assert np.abs(pixels - grey * (alpha / 255.0)).max() <= 1


@pytest.mark.parametrize(("low", "high"), [(0, 65535), (100, 4095), (30000, 30200)])
def test_sixteen_bits_are_stretched_to_the_full_range(tmp_path: Path, low: int, high: int) -> None:
    ramp = np.linspace(low, high, 80 * 90).reshape(80, 90)
    deep = np.rint(ramp).astype(np.uint16)
    expected = np.rint((deep.astype(float) - low) * 255 / (high - low))
    for name in ("a.png", "a.tif"):
        pixels = decode(saved(tmp_path, name, Image.fromarray(deep)))
        assert np.abs(pixels - expected).max() <= 1
        assert (pixels.min(), pixels.max()) == (0, 255)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_white_is_zero_tiff_is_turned_over(tmp_path: Path, dtype: type) -> None:
    """Whatever the writer did, the stored numbers count down from white."""
    image = Image.fromarray(np.rint(_stretched(film())).astype(dtype))
    path = saved(tmp_path, "a.tif", image, tiffinfo={262: 0})
    with Image.open(path) as opened:
        assert opened.tag_v2[262] == 0
        (offset,) = opened.tag_v2[273]
    stored = np.frombuffer(path.read_bytes(), dtype, 300 * 260, offset).reshape(300, 260)
    np.testing.assert_array_equal(decode(path), 255 - stored)


def _stretched(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    low, high = float(grey.min()), float(grey.max())
    return np.rint((grey - low) * 255 / (high - low))


def test_float_tiff_is_stretched_and_refused_with_nan(tmp_path: Path) -> None:
    values = film().astype(np.float32) / 7 - 3
    pixels = decode(saved(tmp_path, "a.tif", Image.fromarray(values)))
    assert np.abs(pixels - _stretched(film())).max() <= 1
    values[3, 3] = np.nan
    with pytest.raises(ImageError, match="not numbers"):
        decode(saved(tmp_path, "b.tif", Image.fromarray(values)))


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    pixels = decode(saved(tmp_path, "a.png", Image.fromarray(film()), exif=exif))
    np.testing.assert_array_equal(pixels, np.rot90(film(), -1))


@pytest.mark.parametrize("factor", [2, 3])
def test_reduction_is_the_mean_of_blocks(factor: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (96 * factor, 64 * factor), np.uint8)
    blocks = pixels.reshape(96, factor, 64, factor).mean((1, 3))
    assert np.abs(shrink(pixels, 64) - blocks).max() <= 0.51


@given(st.integers(32, 200), st.integers(32, 200), st.integers(32, 128))
@settings(max_examples=40, deadline=None)
def test_reduction_keeps_the_aspect_and_never_enlarges(height: int, width: int, size: int) -> None:
    pixels = film(height, width)
    reduced = shrink(pixels, size)
    if min(height, width) <= size:
        assert reduced is pixels
    else:
        assert min(reduced.shape) == size
        assert abs(max(reduced.shape) - max(height, width) * size / min(height, width)) <= 0.5


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize(("width", "turned"), [(330, 1), (650, 1), (1290, 1), (1291, 6), (2500, 8)])
def test_jpeg_reduced_while_decoding_is_near_the_full_decode(
    tmp_path: Path, width: int, turned: int, progressive: bool
) -> None:
    """The same shape, within a grey level on average and within three at 99 % of the pixels."""
    smooth = film(width * 6 // 5, width)
    grain = np.random.default_rng(0).normal(0, 2, smooth.shape)
    image = Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))
    exif = Image.Exif()
    exif[274] = turned
    path = saved(tmp_path, "a.jpg", image, quality=95, progressive=progressive, exif=exif)
    full = shrink(decode(path), 320)
    reduced = decode(path, 320)
    assert reduced.shape == full.shape == ((384, 320) if turned == 1 else (320, 384))
    apart = np.abs(reduced.astype(int) - full)
    assert apart.mean() < 1
    assert np.percentile(apart, 99) <= 3


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def plain(width: int, height: int) -> bytes:
    return png(width, height, chunk(b"IDAT", zlib.compress(b"\0" * ((width + 1) * height))))


def text_bomb() -> bytes:
    text = b"Comment\0\0" + zlib.compress(b"a" * 200_000_000, 9)
    return png(64, 64, chunk(b"zTXt", text), chunk(b"IDAT", zlib.compress(b"\0" * 65 * 64)))


BAD_FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is empty"),
    "one pixel": (lambda: plain(1, 1), "too small, 1 x 1"),
    "narrow": (lambda: plain(31, 400), "too small, 31 x 400"),
    "30,000 a side": (lambda: png(30_000, 30_000), "too large, more than 100 million"),
    "120 million pixels": (lambda: png(12_000, 10_000), "too large, 12,000 x 10,000"),
    "beyond Pillow's own limit": (lambda: png(2**31 - 1, 2**31 - 1), "too large"),
    "long strip": (lambda: png(40_000, 40), "too large, 40,000 x 40"),
    "blank": (lambda: plain(64, 64), "blank, every pixel has the grey level 0"),
    "no image": (lambda: b"<html>not found</html>", "is not a JPEG, PNG, TIFF or DICOM"),
    "gif": (lambda: b"GIF89a" + b"\0" * 100, "is not a JPEG, PNG, TIFF or DICOM"),
    "zip": (lambda: b"PK\x03\x04" + b"\0" * 100, "is not a JPEG, PNG, TIFF or DICOM"),
    "header alone": (lambda: b"\xff\xd8\xff\xe0\x00", "damaged or truncated"),
    "without pixels": (lambda: png(64, 64), "damaged or truncated"),
    "bomb in a text chunk": (text_bomb, "damaged or truncated"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_bad_file_is_refused_with_its_reason(tmp_path: Path, kind: str) -> None:
    make, reason = BAD_FILES[kind]
    path = tmp_path / "bad.png"
    path.write_bytes(make())
    with pytest.raises(ImageError) as caught:
        decode(path, 64)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert reason in message
    assert "\n" not in message


def test_huge_header_costs_no_memory(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "bomb.png"
    path.write_bytes(png(30_000, 30_000, chunk(b"IDAT", zlib.compress(b"\0" * 10_000_000))))
    tracemalloc.start()
    with pytest.raises(ImageError, match="too large"):
        decode(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_missing_folder_loop_and_forbidden_files(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        decode(tmp_path / "none.png")
    with pytest.raises(ImageError, match="is not a file"):
        decode(tmp_path)
    loop = tmp_path / "loop.png"
    loop.symlink_to(loop)
    with pytest.raises(ImageError, match=r"loop\.png: cannot be opened"):
        decode(loop)
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageError, match="is not a file"):
        decode(tmp_path / "pipe.png")
    if os.geteuid() != 0:
        closed = saved(tmp_path, "closed.png", Image.fromarray(film()))
        closed.chmod(0)
        with pytest.raises(ImageError, match="cannot be opened"):
            decode(closed)


def test_several_pages_are_refused(tmp_path: Path) -> None:
    pages = [Image.fromarray(film()), Image.fromarray(film())]
    path = saved(tmp_path, "a.tif", pages[0], save_all=True, append_images=pages[1:])
    with pytest.raises(ImageError, match="holds 2 pictures"):
        decode(path)


@pytest.mark.parametrize("name", ["a.jpg", "progressive.jpg", "a.png", "a.tif"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.97])
def test_truncation_is_seen(tmp_path: Path, name: str, share: float) -> None:
    image = Image.fromarray(film())
    path = saved(tmp_path, name, image, **({"progressive": True} if "prog" in name else {}))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ImageError, match=r"damaged|not a JPEG"):
        decode(path, 64)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "lzw.tif"])
def test_mutations_end_in_a_picture_or_a_reason(tmp_path: Path, name: str) -> None:
    options = {"compression": "tiff_lzw"} if name == "lzw.tif" else {}
    content = saved(tmp_path, name, Image.fromarray(film(90, 80)), **options).read_bytes()
    chance = random.Random(name)
    for _ in range(60):
        mutated = bytearray(content)
        for _ in range(chance.choice((1, 4, 40))):
            mutated[chance.randrange(len(mutated))] ^= 1 << chance.randrange(8)
        (tmp_path / "m").write_bytes(mutated)
        assert outcome(tmp_path / "m")


def outcome(path: Path) -> bool:
    """Whether the file gave a picture or a sentence that names it."""
    try:
        pixels = decode(path, 64)
    except ImageError as error:
        return str(error).startswith(str(path))
    return pixels.dtype == np.uint8 and pixels.ndim == 2
