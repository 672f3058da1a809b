"""What eyes that cost nothing see."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from platefleet.deploy.bench.scenery import HEIGHT, Plan, Visit, sighting

CAR = Visit("ABC1234", appears_s=100.0, leaves_s=104.0)


@given(st.floats(99.0, 107.0))
def test_boxes_end_at_the_picture_and_a_plate_is_seen_whole_or_not_at_all(at_s: float) -> None:
    seen = sighting([CAR], at_s)
    for box in seen.vehicles.boxes:
        assert 0 <= box[1] < box[3] <= HEIGHT
    for plate in seen.plates:
        assert plate.reading.text == "ABC1234"
        assert 0 < plate.box[1] < plate.box[3] < HEIGHT
        assert plate.vehicle == 0


def test_a_car_comes_stands_and_goes() -> None:
    assert len(sighting([CAR], 99.9).vehicles) == 0
    standing = [sighting([CAR], at_s).vehicles.boxes.tolist() for at_s in (101.3, 103.9)]
    assert standing[0] == standing[1] != []
    assert len(sighting([CAR], CAR.gone_s).vehicles) == 0


def test_a_plate_cannot_be_read_before_it_is_legible() -> None:
    late = Visit("ABC1234", 100.0, 104.0, legible_s=103.0)
    assert [len(sighting([late], at_s).plates) for at_s in (102.9, 103.1)] == [0, 1]


def test_a_plan_may_be_written_anew_while_it_is_read(tmp_path: Path) -> None:
    written, read = Plan(tmp_path / "plan"), Plan(tmp_path / "plan")
    assert read.visits() == ()
    written.write([CAR])
    assert read.visits() == (CAR,)
    written.write([CAR, CAR])
    assert len(read.visits()) == 2
