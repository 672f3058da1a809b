"""Geometry of straightened plates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from platefleet.models.glyphs import Row, find_rows
from platefleet.models.rectify import (
    STRIP_HEIGHT,
    WIDEST_STRIP,
    bounds,
    box_corners,
    plate_corners,
    row_corners,
    strip,
    strip_width,
    transform,
)
from tests.drawn_plates import a_box, a_plate

coordinates = st.floats(0, 1000)
rows = st.builds(
    Row,
    middle=coordinates,
    slope=st.floats(-0.36, 0.36),
    height=st.floats(4, 200),
    x1=st.just(10.0),
    x2=st.just(90.0),
    count=st.just(6),
    dark=st.booleans(),
)


@given(rows, st.floats(20, 400), st.floats(0.5, 1.5))
def test_corners_of_a_row_are_a_rectangle_around_its_middle(row: Row, length: float, margin: float) -> None:
    corners = row_corners(row, 10, 10 + length, margin, margin).astype(float)
    along, down = corners[1] - corners[0], corners[3] - corners[0]
    assert abs(along @ down) <= 1e-3 * np.linalg.norm(along) * np.linalg.norm(down) + 1e-2
    assert np.linalg.norm(down) == pytest.approx(2 * margin * row.height, rel=1e-3)
    centre = corners.mean(axis=0)
    assert row.at(float(centre[0])) == pytest.approx(centre[1], abs=0.05)


@given(rows, st.floats(20, 400), st.floats(0, 1), st.floats(0, 1))
def test_a_point_of_the_strip_goes_back_to_where_it_came_from(row: Row, length: float, u: float, v: float) -> None:
    corners = row_corners(row, 10, 10 + length, 0.75, 0.75)
    matrix = transform(corners, 200, STRIP_HEIGHT)
    x, y, w = np.linalg.inv(matrix) @ [u * 200, v * STRIP_HEIGHT, 1]
    expected = corners[0] + u * (corners[1] - corners[0]) + v * (corners[3] - corners[0])
    np.testing.assert_allclose([x / w, y / w], expected, atol=0.05)


@given(st.tuples(coordinates, coordinates, st.floats(0, 1000), st.floats(0, 1000)))
def test_a_strip_never_has_an_impossible_width(box: tuple[float, float, float, float]) -> None:
    x, y, width, height = box
    assert STRIP_HEIGHT // 2 <= strip_width(box_corners(np.float32([x, y, x + width, y + height]))) <= WIDEST_STRIP


def test_a_strip_beyond_the_frame_repeats_its_border() -> None:
    frame = np.full((40, 60, 3), 77, np.uint8)
    out = strip(frame, box_corners(np.float32([-30, -30, 90, 90])), 96)
    assert out.shape == (STRIP_HEIGHT, 96, 3)
    assert (out == 77).all()


def test_a_large_plate_is_averaged_down_and_keeps_its_strokes() -> None:
    frame = np.zeros((1000, 3000, 3), np.uint8)
    frame[:, ::4] = 255  # strokes finer than the strip's pixels
    out = strip(frame, box_corners(np.float32([0, 0, 3000, 1000])), 144)
    assert out.std() < 20
    assert out.mean() == pytest.approx(64, abs=6)


def test_bounds_are_clipped_to_the_frame() -> None:
    corners = np.float32([[-5, 2], [70, -3], [70, 20], [-5, 25]])
    np.testing.assert_array_equal(bounds(corners, np.zeros((20, 60, 3), np.uint8)), [0, 0, 60, 20])


@pytest.mark.parametrize("loose", [0.05, 0.3, 0.6])
def test_the_fitted_box_is_the_plate_however_loose_the_detectors_was(loose: float) -> None:
    frame = a_plate("KL45BZ2")
    plate, box = a_box(frame, loose=0), a_box(frame, loose=loose)
    fitted = bounds(plate_corners(frame, find_rows(frame, box), box), frame)
    assert abs(fitted[1] - plate[1]) <= 5
    assert abs(fitted[3] - plate[3]) <= 5


def test_without_characters_the_fitted_box_is_the_detectors() -> None:
    frame = np.full((100, 200, 3), 90, np.uint8)
    box = np.float32([20, 30, 120, 60])
    np.testing.assert_array_equal(bounds(plate_corners(frame, (), box), frame), box)
