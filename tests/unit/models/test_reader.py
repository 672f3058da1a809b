"""Reading with the pinned recogniser: lines, looks, and weights that are none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from platefleet.models.errors import WeightsError
from platefleet.models.reader import OnnxReader
from tests.drawn_plates import a_box, a_plate

pytestmark = pytest.mark.materials


@pytest.fixture(scope="module")
def reader(reader_weights: Path) -> Iterator[OnnxReader]:
    one = OnnxReader(reader_weights, threads=2)
    yield one
    one.close()


@pytest.mark.parametrize("degrees", [-12, 0, 7, 14])
def test_a_turned_plate_reads_as_a_straight_one(reader: OnnxReader, degrees: float) -> None:
    frame = a_plate("KL45BZ2", turned_by=degrees)
    assert reader.read(frame, a_box(frame)[None])[0].reading.text == "KL45BZ2"


def test_a_plate_of_two_lines_reads_top_to_bottom(reader: OnnxReader) -> None:
    frame = a_plate("59X3", "23456")
    assert reader.read(frame, a_box(frame, loose=0.1)[None])[0].reading.text == "59X323456"


def test_separators_are_no_characters(reader: OnnxReader) -> None:
    frame = a_plate("AB-123.45", scale=1.3)
    assert reader.read(frame, a_box(frame)[None])[0].reading.text == "AB12345"


def test_an_alphabet_of_digits_reads_digits_only(reader_weights: Path) -> None:
    digits = OnnxReader(reader_weights, alphabet="0123456789", threads=2)
    frame = a_plate("345678")
    assert digits.read(frame, a_box(frame)[None])[0].reading.text == "345678"
    digits.close()


def test_a_plate_has_at_most_the_characters_allowed_over_both_lines(reader_weights: Path) -> None:
    few = OnnxReader(reader_weights, most=5, threads=2)
    frame = a_plate("59X3", "23456")
    assert len(few.read(frame, a_box(frame, loose=0.1)[None])[0].reading.characters) == 5
    few.close()


def test_many_plates_of_one_frame_are_read_in_one_call(reader: OnnxReader) -> None:
    frame = a_plate("KL45BZ2")
    boxes = np.repeat(a_box(frame)[None], 20, axis=0)
    assert {text.reading.text for text in reader.read(frame, boxes)} == {"KL45BZ2"}


def test_weights_of_a_detector_are_no_reader(plate_weights: Path) -> None:
    with pytest.raises(WeightsError, match="not a text recogniser"):
        OnnxReader(plate_weights)


def test_other_weights_than_the_pinned_are_refused(reader_weights: Path) -> None:
    with pytest.raises(WeightsError):
        OnnxReader(reader_weights, sha256="0" * 64)


def test_an_alphabet_that_the_model_cannot_write_is_refused(reader_weights: Path) -> None:
    with pytest.raises(ValueError, match="no symbol"):
        OnnxReader(reader_weights, alphabet="AB\u0416")
