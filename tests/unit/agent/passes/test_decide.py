"""What a pass is: one for each vehicle, told early, revised seldom, ended once."""

from __future__ import annotations

import random
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from platefleet.agent.passes.decide import TRACKS, LaneState, decide
from platefleet.agent.passes.types import (
    Box,
    Effect,
    Ended,
    Look,
    PassEvent,
    PassSettings,
    PlateSeen,
    Portrait,
    Revise,
    Standing,
    Tick,
)
from tests.looks import BARRIER, a_look, a_plate, arriving, at, told


def revisions(effects: list[list[Effect]]) -> list[Revise]:
    return [effect for step in effects for effect in step if isinstance(effect, Revise)]


def shifted(right: float, down: float, scale: float = 1.0) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = BARRIER
    return x1 + right, y1 + down, x1 + right + (x2 - x1) * scale, y1 + down + (y2 - y1) * scale


def test_a_car_is_told_at_the_second_frame_that_agrees() -> None:
    effects = told(arriving("AB123CD", 3, 5))
    first = next(number for number, step in enumerate(effects) if any(isinstance(e, Revise) for e in step))
    assert first == 31
    (revise,) = revisions(effects)
    assert (revise.text, revise.revision, revise.final, revise.unread) == ("AB123CD", 1, False, None)


def test_a_car_that_stands_ten_minutes_is_one_pass_through_all_that_hides_it() -> None:
    dice = random.Random(4)
    looks: list[PassEvent] = list(arriving("AB123CD", 3, 6))
    hidden_until = 0.0
    for number in range(6000):
        seconds = 6 + number / 10
        if dice.random() < 0.002:
            hidden_until = seconds + dice.uniform(1, 5)
        if seconds < hidden_until or dice.random() < 0.15:
            looks.append(a_look(seconds))
            continue
        text = "AB123CO" if dice.random() < 0.05 else "AB123CD"
        right, down = dice.gauss(0, 1), dice.gauss(0, 1)
        looks.append(a_look(seconds, a_plate(text, shifted(right, down), confidence=dice.uniform(0.8, 1))))
    effects = told([*looks, Ended(at(607))])
    assert len({revise.pass_id for revise in revisions(effects)}) == 1
    assert [revise.final for revise in revisions(effects)].count(True) == 1
    assert revisions(effects)[-1].text == "AB123CD"


def test_a_car_that_follows_closely_is_a_pass_of_its_own_and_keeps_its_own_plate() -> None:
    looks: list[PassEvent] = list(arriving("AB123CD", 3, 6))
    for number in range(60):
        seconds = 6 + number / 10
        first = a_plate("AB123CD", shifted(0, number * 8.0, 1 + number / 100))
        second = a_plate("XY987ZW", shifted(0, -300 + min(number * 8.0, 300.0)))
        inside = [plate for plate in (first, second) if 4 < plate.box[1] < 440]
        looks.append(a_look(seconds, *inside))
    last = {revise.pass_id: revise for revise in revisions(told([*looks, Ended(at(13))]))}
    assert sorted(revise.text for revise in last.values()) == ["AB123CD", "XY987ZW"]


def test_the_same_car_later_is_a_new_pass() -> None:
    leaves = [a_look(6 + n / 10, a_plate("AB123CD", shifted(0, n * 25.0))) for n in range(9)]
    empty = [a_look(7 + n / 10) for n in range(130)]
    effects = told([*arriving("AB123CD", 3, 6), *leaves, *empty, *arriving("AB123CD", 23.1, 26)[31:]])
    assert len({revise.pass_id for revise in revisions(effects)}) == 2


def test_a_plate_at_the_border_is_never_settled_and_told_as_cut() -> None:
    x2 = 640.0
    looks = [a_look(n / 10) for n in range(30)]
    looks += [a_look(3 + n / 10, a_plate("AB123C", (540, 100 + n * 8.0, x2, 124 + n * 8.0))) for n in range(40)]
    looks += [a_look(7 + n / 10) for n in range(40)]
    (only,) = revisions(told(looks))
    assert (only.final, only.text, only.unread) == (True, "", "cut by the frame")


def test_what_stood_there_from_the_start_is_no_pass() -> None:
    assert revisions(told([*[a_look(n / 10, a_plate("AB123CD")) for n in range(300)], Ended(at(40))])) == []


def test_what_is_outside_the_lane_is_no_pass() -> None:
    lane = PassSettings(polygon=((0.0, 0.0), (0.3, 0.0), (0.3, 1.0), (0.0, 1.0)))
    assert revisions(told([*arriving("AB123CD", 3, 8), Ended(at(9))], lane)) == []


def test_a_car_that_backs_away_is_told_as_receding() -> None:
    backs = [a_look(6 + n / 10, a_plate("AB123CD", shifted(0, -n * 20.0, 1 - n / 60))) for n in range(12)]
    last = revisions(told([*arriving("AB123CD", 3, 6), *backs, *[a_look(7.3 + n / 10) for n in range(30)]]))[-1]
    assert (last.final, last.direction) == (True, "receding")


def test_a_look_from_before_the_last_one_changes_nothing() -> None:
    state, _ = decide(LaneState(seed="test"), a_look(5, a_plate("AB123CD")), PassSettings())
    assert decide(state, a_look(4), PassSettings()) == (state, ())


boxes = st.tuples(st.floats(0, 600), st.floats(0, 440), st.floats(20, 150), st.floats(8, 40)).map(
    lambda b: (b[0], b[1], min(640.0, b[0] + b[2]), min(480.0, b[1] + b[3]))
)
plates = st.builds(a_plate, st.text("AB12", max_size=8), boxes, confidence=st.floats(0.1, 1.0), vehicle=st.none())
pauses = st.sampled_from([0.1, 0.1, 0.1, 0.5, 3.0, 40.0])
steps = st.tuples(pauses, st.lists(plates, max_size=5), st.lists(boxes, max_size=3), st.booleans())
History = list[tuple[float, list[PlateSeen], list[Box], bool]]


@given(st.lists(steps, max_size=60))
@settings(max_examples=60, deadline=None)
def test_whatever_is_seen_revisions_rise_by_one_and_end_once(history: History) -> None:
    state, seconds = LaneState(seed="test"), 0.0
    events: list[Look | Tick | Ended] = []
    for pause_s, seen, vehicles, ticks in history:
        seconds += pause_s
        events.append(Tick(at(seconds)) if ticks else a_look(seconds, *seen, vehicles=tuple(vehicles)))
    events.append(Ended(at(seconds + 1)))
    numbers: dict[str, list[int]] = defaultdict(list)
    ended: set[str] = set()
    for event in events:
        state, effects = decide(state, event, PassSettings())
        assert len(state.tracks) <= TRACKS
        for effect in effects:
            if isinstance(effect, Revise | Standing | Portrait):
                assert effect.pass_id not in ended
            if isinstance(effect, Revise):
                numbers[effect.pass_id].append(effect.revision)
                if effect.final:
                    ended.add(effect.pass_id)
    assert all(given == list(range(1, len(given) + 1)) for given in numbers.values())
    assert all(len(given) <= PassSettings().revisions + 1 for given in numbers.values())
    assert ended == set(numbers)
    assert state.tracks == ()
