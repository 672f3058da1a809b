"""Rows of characters in a loose box."""

from __future__ import annotations

import math

import numpy as np
import pytest

from platefleet.models.glyphs import find_rows, rows_in
from tests.drawn_plates import a_box, a_plate, line_height


@pytest.mark.parametrize("degrees", [-14, -8, 0, 3, 11, 15])
def test_a_row_is_found_where_it_stands_however_the_plate_is_turned(degrees: float) -> None:
    frame = a_plate("RK735AS", turned_by=degrees)
    (row,) = find_rows(frame, a_box(frame))
    assert math.degrees(math.atan(row.slope)) == pytest.approx(-degrees, abs=1.2)
    assert row.at(240) == pytest.approx(150, abs=3)
    assert row.height == pytest.approx(line_height(1.6), rel=0.25)
    assert row.count >= 5


def test_bright_characters_on_a_dark_plate_are_a_row_too() -> None:
    frame = a_plate("W053011", ground=20, ink=230)
    (row,) = find_rows(frame, a_box(frame))
    assert not row.dark
    assert row.at(240) == pytest.approx(150, abs=3)


def test_a_plate_of_two_lines_has_two_rows_top_to_bottom() -> None:
    frame = a_plate("59X1", "23456")
    upper, lower = find_rows(frame, a_box(frame, loose=0.1))
    assert upper.at(240) < 150 < lower.at(240)


def test_small_print_under_the_characters_is_no_second_line() -> None:
    frame = a_plate("AB12345")
    box = a_box(frame)
    import cv2  # noqa: PLC0415

    cv2.putText(frame, "AUTOHAUS MAIER", (170, 186), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (200,) * 3, 1, cv2.LINE_AA)
    assert len(find_rows(frame, box)) == 1


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 0), (5, 5, 7, 9), (-20, -20, -3, -3), (600, 10, 700, 40), (50, 40, 20, 10), (10, 290, 200, 400)]
)
def test_a_box_without_pixels_or_characters_has_no_row(box: tuple[float, ...]) -> None:
    assert find_rows(np.full((300, 480, 3), 90, np.uint8), np.float32(box)) == ()


def test_noise_and_flat_pictures_are_no_error() -> None:
    random = np.random.default_rng(3)
    for shape in ((96, 300), (96, 8), (96, 1500)):
        rows_in(random.integers(0, 256, shape, dtype=np.uint8))
        assert rows_in(np.full(shape, 128, np.uint8)) == ()
