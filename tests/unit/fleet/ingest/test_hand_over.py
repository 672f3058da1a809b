"""One thing at a time on another thread: bounded, nothing swallowed, and it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from platefleet.fleet.ingest.hand_over import HandOver
from tests.until import until

LONG_S = 30.0


class Slow:
    """Halves numbers, each once it may."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.told = threading.Semaphore(0)
        self.here = HandOver(self._halve, name="halving", told=self.told.release)

    def _halve(self, number: int) -> int:
        self.begun.release()
        assert self.go.acquire(timeout=LONG_S)
        if number % 2:
            raise ValueError(f"{number} is odd")
        return number // 2


@pytest.fixture
def slow() -> Iterator[Slow]:
    made = Slow()
    made.here.start()
    yield made
    made.go.release(10)
    assert made.here.stop(LONG_S)


def test_whoever_hands_something_over_goes_on_and_is_told_when_it_is_done(slow: Slow) -> None:
    slow.here.give(8)
    assert slow.begun.acquire(timeout=LONG_S)
    assert (slow.here.busy, slow.here.ready, slow.here.take()) == (True, False, None)
    slow.go.release()
    assert slow.told.acquire(timeout=LONG_S)
    assert slow.here.ready
    assert slow.here.take() == 4
    assert (slow.here.busy, slow.here.ready, slow.here.take(LONG_S)) == (False, False, None)


def test_there_is_room_for_one_thing_until_it_was_taken_back(slow: Slow) -> None:
    slow.here.give(2)
    slow.go.release()
    until(lambda: slow.here.ready, LONG_S)
    with pytest.raises(RuntimeError, match="not taken back"):
        slow.here.give(4)
    assert slow.here.take() == 1
    slow.here.give(4)
    slow.go.release()
    assert slow.here.take(LONG_S) == 2


def test_what_is_raised_there_is_raised_here_once_and_the_thread_goes_on(slow: Slow) -> None:
    slow.here.give(3)
    slow.go.release()
    with pytest.raises(ValueError, match="3 is odd"):
        slow.here.take(LONG_S)
    assert not slow.here.busy
    slow.here.give(6)
    slow.go.release()
    assert slow.here.take(LONG_S) == 3


def test_a_stop_waits_for_what_is_under_way_and_it_can_still_be_taken(slow: Slow) -> None:
    slow.here.give(8)
    assert slow.begun.acquire(timeout=LONG_S)
    assert not slow.here.stop(0.01), "it is left behind, not waited for without end"
    slow.go.release()
    assert slow.here.stop(LONG_S)
    assert slow.here.take() == 4


def test_a_thread_that_has_nothing_to_do_ends_at_once() -> None:
    idle = HandOver(lambda number: number, name="idle", told=lambda: None)
    idle.start()
    assert idle.stop(LONG_S)
    assert idle.take() is None
