"""Ctrl-C and its kin for commands of one run: raised where the main thread is, and remembered for loops that ask."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Signals that end a run, each run once.

    What a signal handler raises can be lost: it appears wherever the main thread is, and there may be code that
    swallows it, as modules compiled by Cython do while they are imported. So who works on for long asks `check` too.
    """

    def __init__(self) -> None:
        self._heard = False

    def listen(self) -> None:
        """Hear the signals from now on. Only for the main thread."""
        for number in HEARD:
            signal.signal(number, self._hear)

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal was heard, also if it was raised before and went no further."""
        if self._heard:
            raise KeyboardInterrupt

    def _hear(self, *_: object) -> None:
        """End whatever runs, once: what is cleaned up then is not to be interrupted again."""
        self._heard = True
        for number in HEARD:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt


def checked(items: Iterable[T], check: Callable[[], None]) -> Iterator[T]:
    """Yield the items; `check` is called before each one, and what it raises ends the loop."""
    for item in items:
        check()
        yield item
