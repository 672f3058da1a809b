"""What every reader promises, whatever runs it: the fake and PP-OCR."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from platefleet.models.ctc import ALPHABET
from platefleet.models.detections import Frame
from platefleet.models.ports import Reader
from platefleet.models.reader import OnnxReader
from platefleet.protocol.errors import ModelError
from tests.drawn_plates import GROUND, a_box, a_plate
from tests.fake_reader import FakeReader

KINDS = [
    "fake",
    pytest.param("onnx", marks=pytest.mark.materials),
    pytest.param("onnx, one width", marks=pytest.mark.materials),
]


def opened(kind: str, request: pytest.FixtureRequest) -> Reader:
    if kind == "fake":
        return FakeReader({(GROUND,) * 3: "AB123"})
    width = 320 if kind == "onnx, one width" else None
    return OnnxReader(request.getfixturevalue("reader_weights"), threads=2, width=width)


@pytest.fixture(params=KINDS, scope="module")
def reader(request: pytest.FixtureRequest) -> Iterator[Reader]:
    one = opened(request.param, request)
    yield one
    one.close()


@pytest.fixture(scope="module")
def frame() -> Frame:
    picture = a_plate("AB123")
    picture[145:155, 235:245] = GROUND  # what the fake knows a plate by; no character is touched that matters
    return picture


BAD = np.float32(
    [[0, 0, 0, 0], [5, 5, 6, 6], [-90, -90, -10, -10], [900, 10, 990, 60], [60, 40, 20, 10], [3, 3, 3.2, 90]]
)


def test_there_is_one_text_for_each_box_in_order(reader: Reader, frame: Frame) -> None:
    box = a_box(frame)
    texts = reader.read(frame, np.stack([BAD[0], box, BAD[1], box]))
    assert [bool(text.reading.characters) for text in texts] == [False, True, False, True]


def test_a_box_without_pixels_reads_as_nothing_and_has_corners(reader: Reader, frame: Frame) -> None:
    for text in reader.read(frame, BAD):
        assert text.reading.text == ""
        assert text.corners.shape == (4, 2)
        assert text.corners.dtype == np.float32


def test_no_boxes_are_no_texts(reader: Reader, frame: Frame) -> None:
    assert reader.read(frame, np.zeros((0, 4), np.float32)) == []


def test_a_frame_without_pixels_is_no_error(reader: Reader) -> None:
    (text,) = reader.read(np.zeros((0, 0, 3), np.uint8), np.float32([[0, 0, 10, 10]]))
    assert text.reading.text == ""


def test_characters_are_of_the_alphabet_with_confidences_from_0_to_1(reader: Reader, frame: Frame) -> None:
    (text,) = reader.read(frame, a_box(frame)[None])
    assert set(text.reading.text) <= set(ALPHABET)
    assert all(0 < character.confidence <= 1 for character in text.reading.characters)


def test_boxes_of_one_frame_read_the_same_together_and_alone(reader: Reader, frame: Frame) -> None:
    boxes: NDArray[np.float32] = np.stack([a_box(frame), a_box(frame, loose=0.1), BAD[0]])
    together = [text.reading.text for text in reader.read(frame, boxes)]
    assert together == [reader.read(frame, box[None])[0].reading.text for box in boxes]


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_reader_says_so_and_closes_twice(kind: str, frame: Frame, request: pytest.FixtureRequest) -> None:
    one = opened(kind, request)
    one.close()
    one.close()
    with pytest.raises(ModelError, match="closed"):
        one.read(frame, a_box(frame)[None])
