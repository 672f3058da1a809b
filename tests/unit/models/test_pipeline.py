"""The two stages and the reader together, on painted frames: cars are red, plates white."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np
import pytest

from platefleet.models.detections import Detections, Frame, Region
from platefleet.models.formats import parse_format
from platefleet.models.pipeline import Pipeline
from platefleet.protocol.errors import ModelError
from tests.fake_detector import FakeDetector
from tests.fake_reader import FakeReader

RED, WHITE = (0, 0, 255), (255, 255, 255)


class Watched(FakeDetector):
    """A fake detector that remembers where it was asked to look."""

    def __init__(self, colour: tuple[int, int, int], confidence: float = 0.9) -> None:
        super().__init__(colour, "car", confidence)
        self.asked: list[list[Region]] = []

    def detect(self, frame: Frame, regions: Sequence[Region]) -> list[Detections]:
        self.asked.append(list(regions))
        return super().detect(frame, regions)


def a_frame(*, car: bool = True, plate_at: tuple[int, int] | None = (100, 90)) -> Frame:
    """A gray frame of 320x200 with a red car at 60..200, 40..140 and a white plate of 40x10."""
    frame = np.full((200, 320, 3), 90, np.uint8)
    if car:
        frame[40:140, 60:200] = RED
    if plate_at is not None:
        x, y = plate_at
        frame[y : y + 10, x : x + 40] = WHITE
    return frame


def a_pipeline(plate: Watched, **options: object) -> Pipeline:
    ticks = count()
    return Pipeline(
        FakeDetector(RED, "car"),
        plate,
        FakeReader({WHITE: "RK3OOAG"}),
        seconds=lambda: float(next(ticks)),
        **options,  # type: ignore[arg-type]  # keywords of Pipeline
    )


def test_a_plate_in_a_vehicle_is_found_there_bound_to_it_and_read() -> None:
    plate = Watched(WHITE)
    sighting = a_pipeline(plate).look(a_frame())
    (seen,) = sighting.plates
    assert plate.asked == [[Region(60, 40, 200, 140)]]
    assert (seen.vehicle, seen.reading.text) == (0, "RK3OOAG")
    assert seen.box.tolist() == seen.detected.tolist() == [100, 90, 140, 100]


def test_without_a_vehicle_the_frame_itself_is_looked_at() -> None:
    plate = Watched(WHITE)
    sighting = a_pipeline(plate).look(a_frame(car=False))
    assert plate.asked == [[Region(0, 0, 320, 200)]]
    assert [p.vehicle for p in sighting.plates] == [None]


def test_a_vehicle_without_a_plate_does_not_hide_one_elsewhere() -> None:
    sighting = a_pipeline(Watched(WHITE)).look(a_frame(plate_at=(250, 20)))
    assert [p.box.tolist() for p in sighting.plates] == [[250, 20, 290, 30]]


def test_a_doubtful_plate_in_a_vehicle_does_not_stop_the_look_at_the_frame_and_is_told_once() -> None:
    plate = Watched(WHITE, confidence=0.3)
    sighting = a_pipeline(plate).look(a_frame())
    assert [len(asked) for asked in plate.asked] == [1, 1]
    assert len(sighting.plates) == 1


def test_plates_beside_the_lane_are_not_seen_and_vehicles_are() -> None:
    plate = Watched(WHITE)
    sighting = a_pipeline(plate).look(a_frame(), Region(220, 0, 320, 200))
    assert plate.asked == [[Region(220, 0, 320, 200)]]
    assert len(sighting.vehicles) == 1
    assert sighting.plates == ()


def test_a_format_settles_what_was_read() -> None:
    sighting = a_pipeline(Watched(WHITE), plate_format=parse_format("sk", ["AA999AA"])).look(a_frame())
    assert [p.reading.text for p in sighting.plates] == ["RK300AG"]


@pytest.mark.parametrize("shape", [(0, 0, 3), (0, 50, 3), (50, 0, 3)])
def test_a_frame_without_a_pixel_holds_nothing(shape: tuple[int, int, int]) -> None:
    sighting = a_pipeline(Watched(WHITE)).look(np.zeros(shape, np.uint8))
    assert len(sighting.vehicles) == 0
    assert sighting.plates == ()


def test_a_lane_outside_the_frame_holds_nothing() -> None:
    assert a_pipeline(Watched(WHITE)).look(a_frame(), Region(900, 900, 999, 999)).plates == ()


def test_each_stage_is_timed_in_milliseconds() -> None:
    assert a_pipeline(Watched(WHITE)).look(a_frame()).ms == {
        "vehicle": 1000.0,
        "plate": 1000.0,
        "read": 1000.0,
        "total": 3000.0,
    }


def test_closing_closes_the_parts_and_may_be_done_twice() -> None:
    pipeline = a_pipeline(Watched(WHITE))
    pipeline.close()
    pipeline.close()
    with pytest.raises(Exception, match="closed"):
        pipeline.look(a_frame())


class Holding(Watched):
    """A fake detector that writes down when a frame is held and looked at."""

    def __init__(self, colour: tuple[int, int, int], name: str, said: list[str]) -> None:
        super().__init__(colour)
        self._label, self._said = name, said

    @contextlib.contextmanager
    def holding(self, frame: Frame) -> Iterator[None]:
        self._said.append(f"{self._label} holds {frame.shape[1]}x{frame.shape[0]}")
        try:
            yield
        finally:
            self._said.append(f"{self._label} lets go")

    def detect(self, frame: Frame, regions: Sequence[Region]) -> list[Detections]:
        self._said.append(f"{self._label} looks")
        if not frame.any():
            raise ModelError("the fake GPU failed")
        return super().detect(frame, regions)


def test_a_frame_is_held_over_both_stages_and_let_go_also_after_an_error() -> None:
    said: list[str] = []
    pipeline = Pipeline(Holding(RED, "vehicle", said), Holding(WHITE, "plate", said), FakeReader({WHITE: "RK300AG"}))
    assert len(pipeline.look(a_frame()).plates) == 1
    assert said == [
        "vehicle holds 320x200",
        "plate holds 320x200",
        "vehicle looks",
        "plate looks",
        "plate lets go",
        "vehicle lets go",
    ]
    said.clear()
    with pytest.raises(ModelError, match="the fake GPU failed"):
        pipeline.look(np.zeros((20, 30, 3), np.uint8))
    assert said[-2:] == ["plate lets go", "vehicle lets go"]
