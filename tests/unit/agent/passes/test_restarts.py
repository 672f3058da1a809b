"""The agent's own restarts: told passes go on under their names, and none is acted on twice or stays open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platefleet.agent.passes.decide import LaneState, decide
from platefleet.agent.passes.dormant import KEEP_MOVED_S, KEEP_S
from platefleet.agent.passes.types import (
    Box,
    Effect,
    Ended,
    Left,
    Look,
    PassEvent,
    PassSettings,
    PlateSeen,
    Revise,
    Standing,
)
from tests.kept import Kept
from tests.looks import BARRIER, HEIGHT, a_look, a_plate, at

FPS = 5
PARKED = a_plate("PK777RD", (540.0, 30.0, 600.0, 45.0))
SETTINGS = PassSettings()


@dataclass
class Car:
    """Rolls in from above at `comes_s`, stands for `stands_s`, and drives off below."""

    text: str
    comes_s: float
    stands_s: float

    def seen(self, now_s: float) -> PlateSeen | None:
        since = now_s - self.comes_s
        if since < 0:
            return None
        down = min(0.0, (since - 2.0) * 130) + max(0.0, since - 2.0 - self.stands_s) * 130
        x1, y1, x2, y2 = BARRIER
        box: Box = (x1, y1 + down, x2, y2 + down)
        return a_plate(self.text, box) if box[1] > 0 and box[3] < HEIGHT else None


@dataclass
class Site:
    """A lane whose agent restarts: what was told so far, and in which run. missed: looks that show nothing."""

    cars: list[Car]
    missed: frozenset[int] = frozenset()
    kept: Kept = field(default_factory=Kept)
    runs: list[list[Effect]] = field(default_factory=lambda: [[]])
    _state: LaneState = field(default_factory=lambda: LaneState(seed="run 1"))

    def play(self, from_s: float, until_s: float) -> None:
        for number in range(int(from_s * FPS) + 1, int(until_s * FPS) + 1):
            self._do(self._look(number))

    def restart(self, now_s: float, away_s: float, *, killed: bool) -> None:
        if not killed:
            self._do(Left(at(now_s)))
        self.runs.append([])
        self._state = LaneState(seed=f"run {len(self.runs)}")
        self._do(self.kept.resumed(at(now_s + away_s)))

    def end(self, now_s: float) -> None:
        self._do(Ended(at(now_s)))

    def revisions(self) -> Iterator[Revise]:
        return (effect for run in self.runs for effect in run if isinstance(effect, Revise))

    def acted_on(self) -> dict[str, set[str]]:
        """By text, the passes that a gate may open for."""
        found = defaultdict(set)
        for revise in self.revisions():
            if not revise.final and revise.text:
                found[revise.text].add(revise.pass_id)
        return found

    def _look(self, number: int) -> Look:
        seconds = number / FPS
        seen = [] if number in self.missed else [car.seen(seconds) for car in self.cars]
        return a_look(seconds, PARKED, *[plate for plate in seen if plate is not None])

    def _do(self, event: PassEvent) -> None:
        self._state, effects = decide(self._state, event, SETTINGS)
        self.kept.note(effects)
        self.runs[-1] += effects


@settings(max_examples=20, deadline=None)
@given(
    stands_s=st.floats(0, 40),
    behind_s=st.floats(4, 30),
    restarts=st.lists(
        st.tuples(st.floats(0.5, 15), st.floats(0.2, 30 - KEEP_S - 1), st.booleans()), min_size=1, max_size=4
    ),
    missed=st.frozensets(st.integers(20, 250), max_size=20),
)
def test_whatever_the_restart_no_car_gets_two_passes_acted_on_and_none_stays_open(
    stands_s: float, behind_s: float, restarts: list[tuple[float, float, bool]], missed: frozenset[int]
) -> None:
    first = Car("AB123CD", 4.0, stands_s)
    site = Site([first, Car("XY987ZW", 4.0 + stands_s + behind_s, 5.0)], missed)
    now_s = 0.0
    for works_s, away_s, killed in restarts:
        site.play(now_s, now_s + works_s)
        site.restart(now_s + works_s, away_s, killed=killed)
        now_s += works_s + away_s
    site.play(now_s, now_s + 60 + stands_s + behind_s)
    assert {text: len(ids) for text, ids in site.acted_on().items() if len(ids) > 1} == {}
    assert PARKED.reading.text not in {revise.text for revise in site.revisions()}
    told = defaultdict(list)
    for revise in site.revisions():
        told[revise.pass_id].append((revise.revision, revise.final))
    for pass_id, revisions in told.items():
        assert revisions == [(n, n == len(revisions)) for n in range(1, len(revisions) + 1)], pass_id
    assert site.kept.open() == set()


@pytest.mark.parametrize("killed", [True, False])
@pytest.mark.parametrize("stood_s", [1.0, 7.0, 25.0])
def test_a_car_that_waits_over_a_restart_is_told_again_at_once(stood_s: float, killed: bool) -> None:
    site = Site([Car("AB123CD", 4.0, 100.0)])
    stop_s = 6.0 + stood_s
    site.play(0, stop_s)
    site.restart(stop_s, 15.0, killed=killed)
    site.play(stop_s + 15, stop_s + 15.5)
    before, after = ([each for each in run if isinstance(each, Revise)] for run in site.runs)
    assert [(each.text, each.final) for each in before] == [("AB123CD", False)]
    assert [(each.pass_id, each.revision, each.text) for each in after] == [(before[0].pass_id, 2, "AB123CD")]
    assert after[0].first_seen == before[0].first_seen
    assert after[0].direction == "approaching"


def test_a_pass_that_was_never_told_is_seen_anew_after_a_kill() -> None:
    site = Site([Car("AB123CD", 4.0, 3.0)])
    site.play(0, 4.2)
    site.restart(4.2, 1.0, killed=True)
    site.play(5.2, 20)
    first, *_, last = list(site.revisions())
    assert (first.revision, last.final, last.interrupted) == (1, True, False)


def test_a_pass_that_was_seen_too_long_ago_is_closed_at_the_start_with_what_was_told() -> None:
    site = Site([Car("AB123CD", 4.0, 100.0)])
    site.play(0, 10)
    site.restart(10, 31, killed=False)
    (closed,) = [each for each in site.runs[1] if isinstance(each, Revise)]
    assert (closed.revision, closed.final, closed.interrupted, closed.text) == (2, True, True, "AB123CD")
    assert closed.captured == at(10)


def test_a_plate_that_is_misread_by_one_character_where_the_car_stood_is_that_car() -> None:
    site = Site([Car("AB123CD", 4.0, 100.0)])
    site.play(0, 10)
    site.restart(10, 5, killed=True)
    site.cars[0].text = "AB128CD"
    site.play(15, 15.5)
    again = [each for each in site.runs[1] if isinstance(each, Revise)]
    assert [(each.revision, each.text, each.final) for each in again] == [(2, "AB123CD", False)]


def test_a_pass_goes_on_through_any_number_of_restarts_while_its_car_stands() -> None:
    site = Site([Car("AB123CD", 4.0, 1000.0)])
    site.play(0, 8)
    now_s = 8.0
    for _ in range(10):
        site.restart(now_s, 5.0, killed=True)
        site.play(now_s + 5, now_s + 7)
        now_s += 7
    assert len(site.acted_on()["AB123CD"]) == 1
    assert [each.revision for each in site.revisions()] == list(range(1, 12))


def test_notes_are_written_when_a_car_has_moved_and_seldom_while_it_stands() -> None:
    class Counting(Kept):
        written = 0

        def note(self, effects: list[Effect]) -> None:  # type: ignore[override]
            before = {each: self._passes.get(each) for each in self.open()}
            super().note(effects)
            standing = {each.pass_id for each in effects if isinstance(each, Standing)}
            self.written += sum(self._passes.get(each) is not before.get(each) for each in standing)

    kept = Counting()
    site = Site([Car("AB123CD", 4.0, 1000.0)], kept=kept)
    site.play(0, 4 + 2 + KEEP_MOVED_S + 0.5)
    assert kept.written == 1  # it has stopped elsewhere than where it was told
    site.play(8.5, 8.5 + 10 * KEEP_S)
    assert kept.written == 11
