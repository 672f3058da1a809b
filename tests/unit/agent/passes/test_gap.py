"""A camera that was away: whoever stands there afterwards has to prove to be the one from before."""

from __future__ import annotations

import pytest

from platefleet.agent.passes.types import Effect, Look, Revise, Standing, Tick
from tests.looks import BARRIER, a_look, a_plate, arriving, at, told

BEFORE = arriving("AB123CD", 3, 6)
STOOD = (200.0, 120.0, 420.0, 300.0)


def revisions(effects: list[list[Effect]]) -> list[Revise]:
    return [effect for step in effects for effect in step if isinstance(effect, Revise)]


def standing(effects: list[list[Effect]]) -> set[str]:
    return {effect.pass_id for step in effects for effect in step if isinstance(effect, Standing)}


def afterwards(*looks: Look) -> tuple[str, list[list[Effect]]]:
    """Return the id of the pass before the gap, and what is done after it."""
    effects = told([*BEFORE, *looks])
    (first,) = revisions(effects[: len(BEFORE)])
    assert (first.text, first.final) == ("AB123CD", False)
    return first.pass_id, effects[len(BEFORE) :]


def steady(start_s: float, *things: object, vehicles: tuple[tuple[float, float, float, float], ...] = ()) -> list[Look]:
    return [a_look(start_s + n / 10, *things, vehicles=vehicles) for n in range(40)]  # type: ignore[arg-type]


def test_the_same_car_goes_on_with_its_pass() -> None:
    pass_id, effects = afterwards(*steady(11, a_plate("AB123CD")))
    assert standing(effects) == {pass_id}
    assert revisions(effects) == []


@pytest.mark.parametrize("text", ["", "X1"])
def test_a_car_that_cannot_be_read_is_not_the_one_that_stood_there(text: str) -> None:
    pass_id, effects = afterwards(*steady(11, a_plate(text, confidence=0.2)))
    assert pass_id not in standing(effects)
    assert [r.final for r in revisions(effects) if r.pass_id == pass_id] == [True]


def test_a_vehicle_without_a_plate_is_not_the_one_that_stood_there() -> None:
    pass_id, effects = afterwards(*steady(11, vehicles=(STOOD,)))
    assert pass_id not in standing(effects)


def test_another_plate_in_the_same_place_is_another_pass() -> None:
    pass_id, effects = afterwards(*steady(11, a_plate("AB128CE")))
    others = {r.pass_id for r in revisions(effects) if r.text == "AB128CE"}
    assert len(others) == 1
    assert pass_id not in others | standing(effects)


def test_the_same_plate_after_an_hour_is_another_pass() -> None:
    pass_id, effects = afterwards(*steady(3600, a_plate("AB123CD")))
    again = revisions(effects)
    assert [(r.pass_id == pass_id, r.final, r.interrupted) for r in again] == [
        (True, True, True),
        (False, False, False),
    ]


def test_a_pass_is_told_as_interrupted_when_the_camera_does_not_come_back() -> None:
    ticks = [Tick(at(6 + second)) for second in range(60)]
    closed = revisions(told([*BEFORE, *ticks]))[1:]
    assert [(r.final, r.interrupted, r.text) for r in closed] == [(True, True, "AB123CD")]


def test_a_car_that_left_while_the_camera_was_away_is_told_as_gone() -> None:
    pass_id, effects = afterwards(*steady(20))
    assert [(r.pass_id, r.final) for r in revisions(effects)] == [(pass_id, True)]


def test_a_flicker_of_a_second_is_no_gap() -> None:
    pass_id, effects = afterwards(*[a_look(7.2 + n / 10, a_plate("", BARRIER, confidence=0.2)) for n in range(5)])
    assert standing(effects) == {pass_id}
