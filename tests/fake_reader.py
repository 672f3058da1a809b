"""A reader for tests that need no network: it reads plates painted in one colour. It passes the contract."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from platefleet.models.detections import Frame
from platefleet.models.ports import PlateText
from platefleet.models.reader import ReadPlate
from platefleet.models.reading import Character, Reading
from platefleet.models.rectify import box_corners
from platefleet.protocol.errors import ModelError


class FakeReader:
    """Reads the text that belongs to the colour (BGR) in the middle of a box; nothing for any other colour."""

    def __init__(self, texts: Mapping[tuple[int, int, int], str], confidence: float = 0.9) -> None:
        self._texts = dict(texts)
        self._confidence = confidence
        self._closed = False

    def read(self, frame: Frame, boxes: NDArray[np.float32]) -> list[PlateText]:
        if self._closed:
            raise ModelError("the fake reader is closed; open it again")
        return [ReadPlate(self._reading(frame, box), box_corners(box)) for box in boxes]

    def close(self) -> None:
        self._closed = True

    def _reading(self, frame: Frame, box: NDArray[np.float32]) -> Reading:
        x, y = int((box[0] + box[2]) / 2), int((box[1] + box[3]) / 2)
        if not (0 <= x < frame.shape[1] and 0 <= y < frame.shape[0]) or box[2] - box[0] < 1 or box[3] - box[1] < 1:
            return Reading()
        blue, green, red = (int(level) for level in frame[y, x])
        text = self._texts.get((blue, green, red), "")
        return Reading(tuple(Character(character, self._confidence) for character in text))
