"""Signals that end a run: none is lost, whatever the program was at when it came."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from platefleet.deploy.interrupts import HEARD, Interrupts, checked


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    before = {number: signal.getsignal(number) for number in HEARD}
    interrupts = Interrupts()
    interrupts.listen()
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize("number", HEARD)
def test_a_signal_ends_what_runs(interrupts: Interrupts, number: signal.Signals) -> None:
    interrupts.check()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


def test_what_is_cleaned_up_then_is_not_interrupted_again(interrupts: Interrupts) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    for number in HEARD:
        signal.raise_signal(number)


def test_a_signal_that_a_library_swallowed_ends_the_next_loop(interrupts: Interrupts) -> None:
    done = []

    def work() -> None:
        for number in checked(range(5), interrupts.check):
            if number == 2:
                with suppress(KeyboardInterrupt):  # as a module that Cython compiled, while it is imported
                    signal.raise_signal(signal.SIGINT)
            done.append(number)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == [0, 1, 2]
