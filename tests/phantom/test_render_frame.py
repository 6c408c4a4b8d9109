"""Drawing in millimetres: areas, places and sizes against plain geometry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radpair.phantom.frame import (
    CANVAS,
    FILM_MM,
    bands,
    blank,
    ellipse,
    frame,
    grain,
    resized,
    ribbon,
    smoothstep,
    spline,
    strokes,
    texture,
)

MM2 = (FILM_MM / CANVAS) ** 2


def place(layer: np.ndarray) -> tuple[float, float]:
    """The middle of what is drawn, in mm."""
    grid = frame(CANVAS)
    weight = layer.astype(float)
    return float((grid.x * weight).sum() / weight.sum()), float(
        (grid.y * weight).sum() / weight.sum()
    )


def test_grid_covers_the_film() -> None:
    for size in (64, 224):
        grid = frame(size)
        step = FILM_MM / size
        assert grid.x[0, 0] == pytest.approx(-FILM_MM / 2 + step / 2, rel=1e-5)
        assert grid.x[0, -1] == pytest.approx(FILM_MM / 2 - step / 2, rel=1e-5)
        assert grid.y[-1, 0] == pytest.approx(FILM_MM - step / 2, rel=1e-5)


@given(st.floats(-120, 120), st.floats(80, 350), st.floats(8, 60), st.floats(8, 60))
def test_ellipse_lies_where_told_with_its_area(x: float, y: float, rx: float, ry: float) -> None:
    layer = blank()
    ellipse(layer, (x, y), (rx, ry), 255)
    assert place(layer) == pytest.approx((x, y), abs=0.3)
    area = layer.sum() / 255 * MM2
    rim = 2 * np.pi * max(rx, ry) * 0.8
    assert np.pi * rx * ry - rim < area < np.pi * rx * ry + rim


def test_band_of_a_straight_line_is_a_rectangle() -> None:
    points = np.stack([np.linspace(0, 100, 11), np.full(11, 200.0)], axis=1)
    outline = bands(points[None], np.array([8.0]))[0]
    np.testing.assert_allclose(outline[:11, 1], 204)
    np.testing.assert_allclose(outline[11:, 1], 196)
    layer = blank()
    ribbon(layer, points, 8.0, 255)
    assert place(layer) == pytest.approx((50, 200), abs=0.3)


def test_tapering_band_narrows() -> None:
    points = np.stack([np.linspace(-80, 80, 21), np.full(21, 200.0)], axis=1)
    outline = bands(points[None], np.linspace(20, 2, 21)[None])[0]
    np.testing.assert_allclose(np.hypot(*(outline[0] - outline[-1])), 20)
    np.testing.assert_allclose(np.hypot(*(outline[20] - outline[21])), 2)


def test_strokes_without_curves_draw_nothing() -> None:
    layer = blank()
    strokes(layer, np.empty((0, 5, 2)), 2, 255)
    assert not layer.any()


@given(st.lists(st.tuples(st.floats(-200, 200), st.floats(0, 400)), min_size=2, max_size=7))
def test_spline_passes_through_its_control_points(control: list[tuple[float, float]]) -> None:
    curve = spline(control, 12 * (len(control) - 1) + 1)
    np.testing.assert_allclose(curve[::12], control, atol=1e-9)


def test_smoothstep_is_flat_outside_and_half_in_the_middle() -> None:
    steps = smoothstep(np.array([-3.0, 0.0, 0.5, 1.0, 9.0]))
    np.testing.assert_array_equal(steps, [0, 0, 0.5, 1, 1])


@given(st.integers(0, 2**31 - 1), st.sampled_from([5.0, 12.0, 40.0]))
def test_texture_is_the_same_at_any_size_and_of_unit_order(seed: int, scale: float) -> None:
    coarse, fine = texture(seed, scale), texture(seed, scale, 224)
    assert 0.2 < coarse.std() < 2.5
    assert np.corrcoef(coarse.ravel(), resized(fine, 112).ravel())[0, 1] > 0.97


def test_grain_weakens_when_pixels_average_more_of_it() -> None:
    assert grain(9, 448).std() == pytest.approx(1, abs=0.05)
    assert grain(9, 224).std() == pytest.approx(0.5, abs=0.05)
    assert grain(9, 112).std() == pytest.approx(0.25, abs=0.03)
