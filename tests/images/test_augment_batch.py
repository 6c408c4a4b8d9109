"""Pictures made by tensor operations are OpenCV's, but for the rounding of its arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.images import augment_batch
from radpair.images.augment import AugmentationConfig, Variation, draw, fit, tone, vary
from radpair.images.augment_batch import FilmBatch, pack_films, parts_of, render
from radpair.tensors import to_device

MEAN_LEVELS = 0.5
"""Grey levels by which a picture of the worst film, white noise, may differ on average."""
MOST_LEVELS = 4
"""And in one pixel: a rounding to eight bits before a contrast of up to 2, and one more after."""


def films_of(shapes: Sequence[tuple[int, int]], seed: int, *, smooth: bool) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    noise = [rng.integers(0, 256, shape).astype(np.uint8) for shape in shapes]
    return [cv2.GaussianBlur(film, (9, 9), 3) for film in noise] if smooth else noise


def packed(
    films: Sequence[np.ndarray], size: int, variations: Sequence[Variation] | None
) -> FilmBatch:
    flat = np.concatenate([film.ravel() for film in films])
    return pack_films(flat, np.array([film.shape for film in films]), size, variations)


def check_alike(
    found: torch.Tensor, expected: Sequence[np.ndarray], *, mean: float, most: int
) -> None:
    assert found.dtype == torch.uint8
    assert found.shape == (len(expected), *expected[0].shape)
    differences = np.abs(found.numpy().astype(int) - np.stack(expected))
    assert differences.mean(axis=(1, 2)).max() <= mean
    assert differences.max() <= most


sides = st.integers(12, 300)
shapes = st.lists(st.tuples(sides, sides), min_size=1, max_size=5)


def ranges(low: float, high: float) -> st.SearchStrategy[tuple[float, float]]:
    return st.tuples(st.floats(low, high), st.floats(low, high)).map(
        lambda pair: tuple(sorted(pair))
    )


configs = st.builds(
    AugmentationConfig,
    crop=ranges(0.05, 1.0),
    flip=st.floats(0, 1),
    rotation=st.floats(0, 180),
    shift=st.floats(0, 0.5),
    scale=ranges(0.5, 2.0),
    brightness=ranges(0.2, 2.0),
    contrast=ranges(0.2, 2.0),
    blur=ranges(0.05, 12.0),
    probability=st.floats(0, 1),
)


@settings(max_examples=120, deadline=None)
@given(shapes, st.integers(8, 72), configs, st.integers(0, 2**20), st.booleans())
def test_same_numbers_give_opencvs_picture(
    shapes: list[tuple[int, int]], size: int, config: AugmentationConfig, seed: int, smooth: bool
) -> None:
    films = films_of(shapes, seed, smooth=smooth)
    variations = [draw(config, np.random.default_rng([seed, n])) for n in range(len(films))]
    expected = [vary(film, size, v) for film, v in zip(films, variations, strict=True)]
    mean = 0.15 if smooth else MEAN_LEVELS
    check_alike(render(packed(films, size, variations)), expected, mean=mean, most=MOST_LEVELS)


@settings(max_examples=80, deadline=None)
@given(shapes, st.integers(8, 200), st.integers(0, 2**20))
def test_whole_films_are_fitted_as_opencv_does(
    shapes: list[tuple[int, int]], size: int, seed: int
) -> None:
    films = films_of(shapes, seed, smooth=False)
    expected = [fit(film, size) for film in films]
    check_alike(render(packed(films, size, None)), expected, mean=0.3, most=1)


@pytest.mark.parametrize("augmented", [True, False])
def test_a_film_does_not_depend_on_its_company(
    monkeypatch: pytest.MonkeyPatch, *, augmented: bool
) -> None:
    """Neither on its neighbours in the batch nor on how the batch is cut into parts."""
    films = films_of([(300, 200), (31, 47), (260, 260), (40, 200)], 3, smooth=False)
    config = AugmentationConfig(crop=(0.3, 1.0), blur=(0.5, 9.0))
    drawn = [draw(config, np.random.default_rng(n)) for n in range(4)] if augmented else None
    together = packed(films, 64, drawn)
    monkeypatch.setitem(augment_batch.AT_ONCE, "cpu", 1)
    assert len(parts_of(together)) == len(films)
    assert parts_of(together)[0].cells > 0
    cut = render(together)
    for number, film in enumerate(films):
        alone = render(packed([film], 64, drawn[number : number + 1] if drawn else None))
        assert alone[0].equal(cut[number])
    monkeypatch.setitem(augment_batch.AT_ONCE, "cpu", 1 << 30)
    assert len(parts_of(together)) == 1
    assert render(together).equal(cut)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**20))
def test_tables_are_rounded_alike(seed: int) -> None:
    """Without a warp between pixels and without a blur, the pictures are equal."""
    rng = np.random.default_rng(seed)
    films = films_of([(24, 24)] * 4, seed, smooth=False)
    variations = [
        Variation(brightness=rng.uniform(0.1, 3), contrast=rng.uniform(0.1, 3)) for _ in films
    ]
    found = render(packed(films, 24, variations)).numpy()
    for film, variation, picture in zip(films, variations, found, strict=True):
        np.testing.assert_array_equal(picture, tone(float(film.mean()), variation)[film])


def test_what_is_drawn_does_not_depend_on_where_it_is_applied() -> None:
    """Means and spreads over many variations of one film agree closely: one distribution."""
    film = films_of([(90, 70)], 1, smooth=True)[0]
    variations = [draw(AugmentationConfig(), np.random.default_rng(n)) for n in range(400)]
    host = np.stack([vary(film, 32, variation) for variation in variations]).astype(float)
    device = render(packed([film] * 400, 32, variations)).numpy().astype(float)
    assert np.abs(host.mean(axis=0) - device.mean(axis=0)).max() < 0.1
    assert np.abs(host.std(axis=0) - device.std(axis=0)).max() < 0.1


def test_films_reach_a_device_whole() -> None:
    films = films_of([(30, 20), (20, 30)], 2, smooth=True)
    batch = packed(films, 16, [Variation(angle=0.3, blur=9.0), Variation(mirror=-1.0)])
    moved = to_device(batch, torch.device("meta"))
    assert {moved.pixels.device.type, moved.place.device.type} == {"meta"}
    assert moved.numbers.device.type == "meta"
    assert moved.work is batch.work
    assert len(moved) == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same_pictures() -> None:
    films = films_of([(300, 200), (31, 47), (260, 260)], 3, smooth=True)
    config = AugmentationConfig(crop=(0.3, 1.0))
    for drawn in ([draw(config, np.random.default_rng(n)) for n in range(3)], None):
        batch = packed(films, 64, drawn)
        there = render(to_device(batch, torch.device("cuda"))).cpu()
        check_alike(there, list(render(batch).numpy()), mean=0.05, most=2)
