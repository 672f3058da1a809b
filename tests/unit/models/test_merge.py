"""Which vehicles count, where plates are looked for, and whose they are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from platefleet.models.boxes import iou
from platefleet.models.detections import Detections, Region
from platefleet.models.merge import (
    MOST_VEHICLES,
    SAME_VEHICLE,
    in_region,
    plates_of,
    regions_of,
    vehicle_of,
    vehicles_of,
)

CLASSES = ("person", "car", "truck", "boat")
FRAME = np.zeros((200, 300, 3), np.uint8)
WHOLE = Region.whole(FRAME)


def found(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    """Detections from rows of x1 y1 x2 y2 confidence class."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4].copy(), table[:, 4].copy(), table[:, 5].astype(np.int32))


sides = st.floats(0, 300, width=32)
rows = st.tuples(sides, sides, sides, sides, st.floats(0.25, 1, width=32), st.integers(0, 3))


def test_people_and_boats_are_no_vehicles() -> None:
    kept = vehicles_of(found((0, 0, 9, 9, 0.9, 0), (50, 0, 99, 50, 0.5, 1), (0, 0, 9, 9, 0.9, 3)), CLASSES)
    assert kept.classes.tolist() == [1]


def test_a_model_of_vehicles_alone_may_call_them_what_it_likes() -> None:
    assert len(vehicles_of(found((0, 0, 9, 9, 0.9, 0)), ("van",))) == 1


def test_a_vehicle_called_a_car_and_a_truck_is_one() -> None:
    kept = vehicles_of(found((0, 0, 100, 50, 0.4, 1), (2, 0, 100, 50, 0.6, 2)), CLASSES)
    assert kept.classes.tolist() == [2]


@given(st.lists(rows, max_size=12))
def test_vehicles_kept_are_apart_and_best_first(some: list[tuple[float, float, float, float, float, int]]) -> None:
    kept = vehicles_of(found(*some), CLASSES)
    assert (np.diff(kept.confidences) <= 0).all()
    apart = iou(kept.boxes, kept.boxes)
    np.fill_diagonal(apart, 0)
    assert (apart <= SAME_VEHICLE).all()


def test_a_plate_seen_in_two_vehicles_is_one() -> None:
    twice = [found((10, 10, 50, 20, 0.6, 0)), found((11, 9, 52, 21, 0.8, 0), (100, 10, 140, 20, 0.5, 0))]
    assert plates_of(twice).confidences.tolist() == [np.float32(0.8), np.float32(0.5)]


def test_no_regions_give_no_plates() -> None:
    assert len(plates_of([])) == 0


def test_vehicles_are_looked_into_largest_first_and_not_without_end() -> None:
    many = found(*((x, 0, x + 60 + x, 90, 0.9, 1) for x in range(20)))
    regions = regions_of(many, FRAME, WHOLE)
    assert len(regions) == MOST_VEHICLES
    assert [r.shape[1] for r in regions] == sorted((r.shape[1] for r in regions), reverse=True)


def test_vehicles_beside_the_lane_or_too_small_to_read_are_not_looked_into() -> None:
    vehicles = found((0, 0, 90, 90, 0.9, 1), (200, 0, 299, 90, 0.9, 1), (210, 10, 230, 20, 0.9, 1))
    assert regions_of(vehicles, FRAME, Region(150, 0, 300, 200)) == [Region(200, 0, 299, 90)]


def test_a_region_stays_in_the_frame() -> None:
    assert regions_of(found((-9.5, -3, 400, 250, 0.9, 1)), FRAME, WHOLE) == [WHOLE]


def test_plates_whose_middle_is_beside_the_lane_are_left_out() -> None:
    kept = in_region(found((0, 0, 10, 10, 0.9, 0), (90, 0, 120, 10, 0.8, 0)), Region(100, 0, 300, 200))
    assert kept.confidences.tolist() == [np.float32(0.8)]


def test_a_plate_belongs_to_the_smallest_vehicle_around_its_middle() -> None:
    vehicles = found((0, 0, 300, 200, 0.9, 2), (20, 20, 120, 120, 0.8, 1), (150, 20, 250, 120, 0.7, 1)).boxes
    assert vehicle_of(np.float32([60, 90, 90, 100]), vehicles) == 1
    assert vehicle_of(np.float32([130, 90, 140, 100]), vehicles) == 0
    assert vehicle_of(np.float32([290, 190, 330, 230]), vehicles) is None
    assert vehicle_of(np.float32([1, 1, 2, 2]), np.zeros((0, 4), np.float32)) is None
