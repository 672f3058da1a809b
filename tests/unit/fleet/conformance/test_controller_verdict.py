"""What the kit says of openings that it saw: no broker, no controller, only what was seen."""

from __future__ import annotations

import pytest

from platefleet.fleet.conformance.controller.points import BEATS, EXPLAINED, Point, Say, names, points
from platefleet.fleet.conformance.controller.verdict import (
    HeardBeat,
    Played,
    of_bare,
    of_beats,
    of_point,
    of_unexplained,
)
from platefleet.fleet.conformance.pulses import Opening
from platefleet.protocol.clock import SECOND_NS


def played(*opens: int, fenced: bool = True, fences: int = 1, stranger: bool = False, trouble: str = "") -> Played:
    plates = tuple(f"P{number}" for number in range(len(opens))) + (("STRANGER",) if stranger else ())
    return Played(Point("a-point", "It matters.", (Say(),), opens), plates, 0, SECOND_NS, fenced, fences, trouble)


def opened(*plates: str) -> list[Opening]:
    return [Opening((number + 1) * SECOND_NS, plate) for number, plate in enumerate(plates)]


def test_a_point_passes_when_each_of_its_plates_opened_as_often_as_it_must() -> None:
    assert of_point(played(1, 0, 2), opened("P0", "P2", "P2")).status == "passed"


def test_an_opening_too_many_is_told_with_its_times() -> None:
    outcome = of_point(played(1), opened("P0", "P0"))
    assert (outcome.status, outcome.reason) == (
        "failed",
        "opened twice for P0 (after 1.0 s, 2.0 s); once would be right",
    )
    assert outcome.why == "It matters."


def test_a_missing_opening_and_one_for_the_wrong_plate_are_both_told() -> None:
    reason = of_point(played(1, 0), opened("P1")).reason
    assert reason == "did not open for P0; once would be right; opened once for P1 (after 1.0 s); never would be right"


def test_a_stranger_must_not_open() -> None:
    assert "for STRANGER" in of_point(played(1, stranger=True), opened("P0", "STRANGER")).reason


@pytest.mark.parametrize("opens", [(0,), (), (1, 0)])
def test_that_nothing_opened_proves_nothing_when_nothing_opened_afterwards_either(opens: tuple[int, ...]) -> None:
    outcome = of_point(played(*opens, fenced=False), opened("P0") if 1 in opens else [])
    assert outcome.status == "failed"
    assert "did it die?" in outcome.reason


def test_what_opened_as_it_must_needs_no_other_proof() -> None:
    assert of_point(played(1, fenced=False), opened("P0")).status == "passed"


def test_trouble_in_between_is_a_failure() -> None:
    assert of_point(played(0, trouble="no beat within 45 s"), []).reason == "no beat within 45 s"


def test_bare_pulses_are_counted_with_those_of_the_good_events() -> None:
    assert of_bare(played(1, 0, fences=2), opened("", "", "")).status == "passed"
    assert "opened 3 times, good events included" in of_bare(played(0, fences=2), opened("", "", "")).reason


def beats(*at_s: float, n: int = 7, gate: str = "gate-1") -> list[HeardBeat]:
    return [HeardBeat(int(s * SECOND_NS), gate, n + number) for number, s in enumerate(at_s)]


def test_a_beat_a_second_is_right() -> None:
    assert of_beats(beats(0.0, 1.0, 2.1, 3.0)).status == "passed"


@pytest.mark.parametrize(
    ("heard", "sentence"),
    [
        ([], "no beat came"),
        (beats(0.0, 3.0, 6.0), "0.33 beats a second"),
        (beats(0.0, 0.1, 0.2), "10.00 beats a second"),
        (beats(0.0), "0.00 beats a second"),
        (beats(0.0, 1.0) + beats(2.0, 3.0, n=7), "n did not rise by one once in 4 beats"),
    ],
)
def test_beats_that_are_missing_or_badly_numbered_are_told(heard: list[HeardBeat], sentence: str) -> None:
    assert sentence in of_beats(heard).reason


def test_each_controller_has_its_own_beats() -> None:
    heard = sorted([*beats(0.0, 1.0, 2.0), *beats(0.5, 1.5, 2.5, n=900, gate="gate-2")], key=lambda beat: beat.at_ns)
    assert of_beats(heard).status == "passed"


def test_an_opening_for_nothing_is_told_and_cannot_steer_a_terminal() -> None:
    outcome = of_unexplained([Opening(SECOND_NS, ""), Opening(2 * SECOND_NS, "\x1b[2J")], 0)
    assert outcome.status == "failed"
    assert "after 1.0 s for no plate" in outcome.reason
    assert "\\x1b[2J" in outcome.reason
    assert "2 in all" in outcome.reason
    assert of_unexplained([], 0).status == "passed"


def test_every_point_has_a_name_of_its_own_and_a_reason() -> None:
    every = [point.name for point in points(5000)]
    assert len(set(every)) == len(every)
    assert set(names()) == {*every, BEATS, EXPLAINED}
    assert all(why.endswith(".") for why in names().values())


def test_what_a_point_says_of_a_plate_is_counted() -> None:
    for point in points(5000):
        said = {step.plate for step in point.steps if isinstance(step, Say) and step.plate >= 0}
        assert said == set(range(len(point.opens))), point.name


def test_what_is_late_is_late_by_the_sites_own_limit() -> None:
    (late,) = [point for point in points(2000) if point.name == "late"]
    assert late.steps == (Say(age_ms=3000),)
