"""Pauses grow, never beyond their ceiling, and no two clients make the same ones."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from platefleet.protocol.backoff import Backoff


def longest(backoff: Backoff, tries: int) -> list[float]:
    return [backoff.next_s() for _ in range(tries)]


def test_the_ceiling_doubles_up_to_the_most_and_begins_again_after_success() -> None:
    backoff = Backoff(0.5, 5.0, uniform=lambda _low, high: high)
    assert longest(backoff, 6) == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    backoff.reset()
    assert longest(backoff, 2) == [0.5, 1.0]


@given(st.integers(0, 2**32), st.integers(1, 300))
def test_a_pause_lies_between_none_and_the_most_however_often_it_is_tried(seed: int, tries: int) -> None:
    backoff = Backoff(0.1, 30.0, uniform=random.Random(seed).uniform)
    assert all(0 <= pause <= 30.0 for pause in longest(backoff, tries))


def test_a_fleet_that_lost_its_broker_at_once_does_not_come_back_at_once() -> None:
    seeded = random.Random(7)
    firsts = [Backoff(1.0, 30.0, uniform=seeded.uniform).next_s() for _ in range(1000)]
    assert sum(pause < 0.1 for pause in firsts) < 150
