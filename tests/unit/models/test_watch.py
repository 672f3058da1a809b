"""The watch of a trial: what it counts, how rarely it is wrong, and how soon it is right."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from platefleet.models.detections import Detections
from platefleet.models.reading import Character, Plate, Reading, Sighting
from platefleet.models.watch import (
    LEAST_CHANCES,
    MOST_CHANCES,
    QUIET_LOOKS,
    Chance,
    Gathering,
    Limits,
    Visit,
    Watch,
    alarm,
    begin,
    chance_of,
    follow,
    gather,
    good,
    looked,
    pooled,
    ranked,
)

EXACT = Limits(share=0.0, confidence=0.0, slower=1.0)
FRAMES = 24
"""A visit's, on average."""


def a_visit(rng: random.Random, *, frames_kept: float = 1.0, cars_kept: float = 1.0, slower: float = 1.0) -> Visit:
    """A car whose plate is found in most of its frames; one in twenty is dirty, and hardly ever found."""
    frames = rng.randint(FRAMES // 3, FRAMES * 5 // 3)
    legible = 0.1 if rng.random() < 0.05 else min(1.0, max(0.0, rng.gauss(0.85, 0.15)))
    if rng.random() > cars_kept:
        legible = 0.0
    found = sum(rng.random() < legible * frames_kept for _ in range(frames))
    sure = min(1.0, max(0.25, rng.gauss(0.8, 0.08))) if found else None
    return Visit(found / frames, sure, max(1.0, rng.gauss(20, 3)) * slower)


def trial(seed: int, before: int, limits: Limits, visit: Callable[[random.Random], Visit]) -> tuple[bool, int]:
    """Whether a trial ends in an alarm, and after how many visits it ends."""
    rng = random.Random(seed)
    watch = begin([a_visit(rng) for _ in range(before)], limits, rng.random)
    while not good(watch):
        watch = follow(watch, visit(rng), rng.random)
        if alarm(watch):
            return True, len(watch.since)
    return False, len(watch.since)


@pytest.mark.parametrize("before", [20, 60])
def test_an_artifact_that_is_as_good_is_given_up_no_more_often_than_stated(before: int) -> None:
    limits, trials = replace(EXACT, false_alarm=0.1, visits=60), 150
    alarms = sum(trial(seed, before, limits, a_visit)[0] for seed in range(trials))
    assert alarms <= 0.1 * trials  # the bound is not tight, so that chance never decides


def test_what_acceptance_tolerates_and_what_is_better_is_confirmed() -> None:
    limits = Limits(visits=60)
    for visit in (
        lambda rng: a_visit(rng, frames_kept=0.98),
        lambda rng: a_visit(rng, slower=1.1),
        lambda rng: replace(a_visit(rng), share=1.0, confidence=0.99, ms=1.0),
    ):
        assert sum(trial(seed, 60, limits, visit)[0] for seed in range(30)) <= 1  # at the rate of 1 % each


@pytest.mark.parametrize(
    ("what", "within", "visit"),
    [
        ("a fifth of the frames", 100, lambda rng: a_visit(rng, frames_kept=0.8)),
        ("half of the cars", 60, lambda rng: a_visit(rng, cars_kept=0.5)),
        ("everything", 12, lambda rng: a_visit(rng, frames_kept=0.0)),
        ("half of the speed", 30, lambda rng: a_visit(rng, slower=2.0)),
    ],
)
def test_what_is_lost_is_seen_within_visits(what: str, within: int, visit: Callable[[random.Random], Visit]) -> None:
    ends = sorted(trial(seed, 200, Limits(), visit) for seed in range(40))
    assert all(alarmed for alarmed, _ in ends), what
    late = sum(visits > within for _, visits in ends)
    assert late <= 2, (what, ends)  # 95 % within so many


def test_a_fifth_of_the_cars_lost_as_a_whole_is_seen_before_the_trial_ends() -> None:
    seen = sum(trial(seed, 400, Limits(), lambda rng: a_visit(rng, cars_kept=0.8))[0] for seed in range(40))
    assert seen >= 36


SCORES = st.integers(0, 20)


@given(st.lists(SCORES, min_size=1, max_size=30), st.lists(SCORES, max_size=30), st.integers(), st.integers(1, 20))
def test_a_better_score_never_wins_more_for_the_alarm(
    before: list[int], since: list[int], seed: int, better: int
) -> None:
    def evidence(gain: int) -> float:
        rng = random.Random(seed)
        test = pooled(before, rng.random)
        for score in since:
            test = ranked(test, score + gain, rng.random)
        return test.evidence

    assert evidence(better) <= evidence(0) + 1e-9


@given(st.lists(st.one_of(st.none(), st.booleans()), max_size=400))
def test_every_chance_is_in_one_visit_or_none_and_visits_stay_bounded(looks: list[bool | None]) -> None:
    lane, counted, shares = Gathering(), 0, []
    for look in looks:
        chance = None if look is None else Chance(0.9 if look else None, 5.0)
        lane, visit = gather(lane, chance)
        counted += chance is not None
        assert len(lane.chances) < MOST_CHANCES
        if visit is not None:
            shares.append(visit.share)
    assert len(shares) * LEAST_CHANCES <= counted
    assert all(0 <= share <= 1 for share in shares)


def test_a_visit_ends_when_nothing_was_there_for_a_while() -> None:
    lane, visit = Gathering(), None
    for chance in [Chance(0.8, 4), None, Chance(None, 6), Chance(0.6, 5), *[None] * QUIET_LOOKS]:
        assert visit is None
        lane, visit = gather(lane, chance)
    assert visit == Visit(2 / 3, 0.7, 5)
    assert lane.chances == ()


def a_sighting(vehicles: int = 1, plates: int = 1, text: str = "B123ABC", bound: int | None = 0) -> Sighting:
    boxes = np.zeros((vehicles, 4), np.float32)
    found = Detections(boxes, np.full(vehicles, 0.9, np.float32), np.zeros(vehicles, np.int32))
    reading = Reading(tuple(Character(each, 0.7) for each in text))
    box = np.zeros(4, np.float32)
    plate = Plate(box, box, np.zeros((4, 2), np.float32), 0.8, reading, bound)
    return Sighting(found, (plate,) * plates, {"vehicle": 1.0, "plate": 2.0, "read": 3.0})


@pytest.mark.parametrize(
    ("role", "seen", "chance"),
    [
        ("plate", a_sighting(), Chance(0.8, 2.0)),
        ("plate", a_sighting(plates=0), Chance(None, 2.0)),
        ("plate", a_sighting(vehicles=0, bound=None), None),
        ("vehicle", a_sighting(), Chance(pytest.approx(0.9), 1.0)),
        ("vehicle", a_sighting(vehicles=0, bound=None), Chance(None, 1.0)),
        ("vehicle", a_sighting(plates=0), None),
        ("reader", a_sighting(), Chance(pytest.approx(0.7), 3.0)),
        ("reader", a_sighting(text="B1"), Chance(None, 3.0)),
        ("reader", a_sighting(plates=0), None),
    ],
)
def test_a_role_is_judged_where_the_others_say_that_there_is_something(role, seen, chance) -> None:  # type: ignore[no-untyped-def]  # a table
    assert chance_of(role, seen) == chance


def test_a_trial_without_traffic_ends_too() -> None:
    watch: Watch = begin([], Limits(looks=3), random.Random(1).random)
    for _ in range(3):
        assert alarm(watch) is None
        watch = looked(watch)
    assert alarm(watch) == "too little came by to tell whether it is as good: 0 visits in 3 frames"
