"""Frames around films: known ones are cut to the pixel, films without one are left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian

from radpair.images import decode
from radpair.images.borders import MOST, Box, film_box, trim
from radpair.images.decode import decode_film

Picture = NDArray[np.uint8]


def film(height: int, width: int, seed: int = 0, low: int = 60) -> Picture:
    """A smooth field with grain, from ``low`` to 220: no line of it has one level."""
    rng = np.random.default_rng(seed)
    field = cv2.resize(rng.random((6, 6)).astype(np.float32), (width, height))
    field = cv2.normalize(field, None, low + 15, 205, cv2.NORM_MINMAX)
    return (field + rng.integers(-15, 16, (height, width))).astype(np.uint8)


def framed(picture: Picture, widths: tuple[int, int, int, int], level: int = 0) -> Picture:
    """``picture`` with a frame above, below, left and right."""
    top, bottom, left, right = widths
    return np.pad(picture, ((top, bottom), (left, right)), constant_values=level)


def place(picture: Picture, widths: tuple[int, int, int, int]) -> Box:
    top, _, left, _ = widths
    return Box(top, top + picture.shape[0], left, left + picture.shape[1])


WIDTHS = st.tuples(*[st.integers(0, 24)] * 4)


@settings(max_examples=60, deadline=None)
@given(WIDTHS, st.integers(0, 1000), st.sampled_from((0, 3, 255)))
def test_a_frame_is_cut_to_the_pixel_and_once(
    widths: tuple[int, int, int, int], seed: int, level: int
) -> None:
    inner = film(90, 110, seed)
    outer = framed(inner, widths, level)
    assert film_box(outer) == place(inner, widths)
    cut, share = trim(outer)
    assert np.array_equal(cut, inner)
    assert share == pytest.approx(1 - inner.size / outer.size)
    again, none = trim(np.ascontiguousarray(cut))
    assert np.array_equal(again, cut)
    assert none == 0


PIXELS = st.builds(
    lambda height, width, seed, levels, runs: np.repeat(
        np.repeat(
            np.random.default_rng(seed).integers(0, levels, (height, width)) * (255 // levels),
            runs,
            axis=0,
        ),
        runs,
        axis=1,
    ).astype(np.uint8),
    st.integers(1, 24),
    st.integers(1, 24),
    st.integers(0, 2**32),
    st.integers(1, 5),
    st.integers(1, 9),
)


@settings(max_examples=200, deadline=None)
@given(PIXELS, WIDTHS, st.integers(0, 255))
def test_trimming_is_idempotent_and_keeps_half(
    inner: Picture, widths: tuple[int, int, int, int], level: int
) -> None:
    """Blocks of few levels have frames of their own, blank parts, edges everywhere."""
    outer = framed(inner, widths, level)
    cut, share = trim(outer)
    again, none = trim(np.ascontiguousarray(cut))
    assert np.array_equal(again, cut)
    assert none == 0
    assert cut.shape[0] >= MOST * outer.shape[0]
    assert cut.shape[1] >= MOST * outer.shape[1]
    assert share == pytest.approx(1 - cut.size / outer.size)


@settings(max_examples=60, deadline=None)
@given(st.integers(40, 300), st.integers(40, 300), st.integers(0, 1000), st.integers(15, 90))
def test_a_film_without_a_frame_is_unchanged(height: int, width: int, seed: int, low: int) -> None:
    picture = film(height, width, seed, low)
    assert trim(picture) == (pytest.approx(picture), 0)


def test_two_frames_and_grey_ones() -> None:
    inner = film(200, 240)
    assert np.array_equal(trim(framed(framed(inner, (9, 8, 7, 6)), (4, 4, 4, 4), 255))[0], inner)
    low = film(200, 240, low=90)
    assert np.array_equal(trim(framed(low, (9, 8, 7, 6), 40))[0], low)


def test_air_that_fades_into_a_body_is_film() -> None:
    """A lateral chest: saturated air on both sides, no edge anywhere."""
    y, x = np.mgrid[:400, :300] / np.array([400, 300])[:, None, None]
    body = np.clip(0.8 - 2 * np.hypot(x - 0.5, y - 0.5), 0, 1)
    picture = np.rint(230 * body).astype(np.uint8)
    assert (picture[:, 0] == 0).all()
    assert film_box(picture) == Box(0, 400, 0, 300)
    ramp = np.tile(np.arange(256, dtype=np.uint8)[:, None], (1, 256))
    assert film_box(ramp) == Box(0, 256, 0, 256)


@pytest.mark.parametrize("degrees", [0.5, 2, -4])
def test_a_tilted_collimator_is_cut_only_where_no_film_is(degrees: float) -> None:
    inner = film(400, 400)
    outer = framed(inner, (50, 50, 60, 60))
    turn = cv2.getRotationMatrix2D((260, 250), degrees, 1)
    tilted = cv2.warpAffine(outer, turn, (520, 500))
    covered = cv2.warpAffine(framed(np.full_like(inner, 255), (50, 50, 60, 60)), turn, (520, 500))
    box = film_box(tilted)
    outside = covered.copy()
    box.of(outside)[:] = 0
    assert outside.sum() <= 0.002 * 520 * 255 * 4  # but for the tips of the corners
    rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
    assert abs(box.top - rows[0]) <= 2
    assert abs(box.right - 1 - columns[-1]) <= 2


def letters(picture: Picture, text: str, at: tuple[int, int], scale: float = 0.6) -> Picture:
    return cv2.putText(picture.copy(), text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 1)


def test_letters_in_the_margin_go_with_it() -> None:
    inner = film(400, 400)
    widths = (60, 20, 10, 10)
    margin = letters(framed(inner, widths), "CHEST PA PORTABLE", (20, 30))
    assert film_box(margin) == place(inner, widths)
    twice = letters(margin, "L", (380, 48), 0.4)
    assert film_box(twice) == place(inner, widths)
    beside = letters(letters(framed(inner, (0, 0, 40, 0)), "R", (12, 200)), "PA", (9, 230))
    assert film_box(beside) == place(inner, (0, 0, 40, 0))
    large = letters(framed(film(1600, 1600), (240, 0, 0, 0)), "AP SUPINE", (80, 120), 2.4)
    assert film_box(large) == Box(240, 1840, 0, 1600)


def test_one_letter_alone_keeps_its_margin() -> None:
    """It might be anything that is small."""
    beside = letters(framed(film(400, 400), (0, 0, 40, 0)), "R", (12, 200))
    assert film_box(beside) == Box(0, 400, 0, 440)


def grain(shape: tuple[int, int], mean: int, seed: int = 0) -> Picture:
    values = np.random.default_rng(seed).normal(mean, 10, shape)
    return np.clip(values, 0, 250).astype(np.uint8)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("parts", [((200, 560),), ((100, 260), (300, 330), (420, 490))])
def test_an_arm_in_saturated_air_stays(turns: int, parts: tuple[tuple[int, int], ...]) -> None:
    """Beside a body whose wall is straight: the air before it may go, the arm and its gap not."""
    picture = np.zeros((1000, 1000), np.uint8)
    picture[:, 300:] = grain((1000, 700), 120)
    for first, last in parts:
        picture[first:last, 150:215] = grain((last - first, 65), 110, first)
    covered = np.zeros_like(picture)
    covered[:, 150:] = 1
    box, kept = film_box(np.rot90(picture, turns)), np.rot90(covered, turns)
    assert box.of(kept).sum() == kept.sum()


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("widths", [(300,), (60, 60), (30, 24, 40, 24)])
def test_gas_in_a_saturated_abdomen_stays(turns: int, widths: tuple[int, ...]) -> None:
    """Below a flat edge, as one bubble or several, however clear they are."""
    picture = np.full((1000, 1000), 255, np.uint8)
    picture[:700] = grain((700, 1000), 60)
    covered = np.zeros_like(picture)
    for number, width in enumerate(widths):
        column = 400 + number * 150
        drawn = (column, 760), (width // 2, min(width // 2, 30)), 0, 0, 360
        cv2.ellipse(picture, *drawn, 40, -1)
        cv2.ellipse(covered, *drawn, 1, -1)
    box, kept = film_box(np.rot90(picture, turns)), np.rot90(covered, turns)
    assert box.of(kept).sum() == kept.sum()


def test_faint_shapes_beside_letters_keep_the_margin() -> None:
    """Soft tissue that is barely seen lies between the letters and the film."""
    widths = (100, 0, 0, 0)
    margin = letters(framed(film(500, 500), widths), "CHEST PA", (20, 30))
    assert film_box(margin) == Box(100, 600, 0, 500)
    margin[60:70, 300:400] = 12
    assert film_box(margin).top < 60


def test_letters_on_the_film_stay() -> None:
    """In saturated air above shoulders, no straight edge parts a marker from the film."""
    y, x = np.mgrid[:400, :400]
    shoulders = np.clip((y - 120 - np.abs(x - 200) * 0.6) * 3, 0, 200).astype(np.uint8)
    picture = letters(shoulders, "L", (340, 40))
    box = film_box(picture)
    assert box.top < 20
    marked = letters(film(400, 400), "L", (5, 20))
    assert film_box(marked) == Box(0, 400, 0, 400)


def test_more_than_half_is_never_cut() -> None:
    small = framed(film(90, 200), (60, 60, 0, 0))
    assert film_box(small) == Box(0, 210, 0, 200)
    tiny = framed(film(30, 50), (4, 4, 4, 4))
    assert film_box(tiny) == Box(0, 38, 0, 58)
    assert film_box(np.zeros((64, 64), np.uint8)) == Box(0, 64, 0, 64)


def save_jpeg(path: Path, picture: Picture) -> None:
    Image.fromarray(picture).save(path, quality=90)


def save_deep_png(path: Path, picture: Picture) -> None:
    Image.fromarray(picture.astype(np.uint16) * 257).save(path)


def save_colour(path: Path, picture: Picture) -> None:
    Image.fromarray(np.stack([picture] * 3, axis=-1)).save(path)


def save_dicom(path: Path, picture: Picture) -> None:
    from pydicom.dataset import FileDataset, FileMetaDataset

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = meta.MediaStorageSOPInstanceUID = "1.2"
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.Rows, data.Columns = picture.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME1"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PixelData = (4095 - picture.astype(np.uint16) * 16).tobytes()
    data.save_as(path, enforce_file_format=True)


SAVE: dict[str, Callable[[Path, Picture], None]] = {
    "a.jpg": save_jpeg,
    "a.png": lambda path, picture: Image.fromarray(picture).save(path),
    "deep.png": save_deep_png,
    "colour.png": save_colour,
    "a.tif": lambda path, picture: Image.fromarray(picture).save(path),
    "a.dcm": save_dicom,
}


@pytest.mark.parametrize("name", SAVE)
def test_every_format_is_trimmed_before_it_is_reduced(tmp_path: Path, name: str) -> None:
    inner = film(900, 1200, low=40)
    inner = cv2.GaussianBlur(inner, (0, 0), 3)
    inner[400:500, 500:600] = 255  # deep files are stretched to the full range
    path = tmp_path / name
    SAVE[name](path, framed(inner, (100, 140, 200, 40)))
    whole = decode_film(path)[0]
    near = 8 if name == "a.jpg" else 0  # what JPEG makes of an edge reaches as far
    assert abs(whole.shape[0] - 900) <= near
    assert abs(whole.shape[1] - 1200) <= near
    small, cut = decode_film(path, 150)
    assert small.shape[0] == 150
    assert abs(small.shape[1] - 200) <= 3
    assert abs(cut - (1 - 900 * 1200 / (1140 * 1440))) < 0.02
    expected = cv2.resize(inner, small.shape[::-1], interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(small[4:-4, 4:-4] - expected[4:-4, 4:-4]).mean() < 8
    assert decode(path, 150).shape == (150, 189)


@pytest.mark.parametrize("size", [32, 40, 150, 880])
def test_a_jpeg_is_trimmed_at_every_size(tmp_path: Path, size: int) -> None:
    inner = cv2.GaussianBlur(film(900, 1200, low=60), (0, 0), 3)
    save_jpeg(tmp_path / "a.jpg", framed(inner, (100, 140, 200, 40)))
    small, cut = decode_film(tmp_path / "a.jpg", size)
    assert min(small.shape) == size
    assert abs(small.shape[1] / small.shape[0] - 4 / 3) < 0.06
    assert abs(cut - (1 - 900 * 1200 / (1140 * 1440))) < 0.04
    assert small[1:-1, 1:-1].min() > 30


def test_what_leaves_no_frame_is_decoded_as_before(tmp_path: Path) -> None:
    save_jpeg(tmp_path / "a.jpg", film(300, 400))
    assert np.array_equal(decode(tmp_path / "a.jpg"), decode_film(tmp_path / "a.jpg")[0])
    small = decode(tmp_path / "a.jpg", 100)
    assert small.shape == (100, 133)
    assert np.array_equal(small, decode_film(tmp_path / "a.jpg", 100)[0])
