"""Ctrl-C and its kin: raised where the main thread is, and remembered, for what is raised there can be lost."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """The signals that end a command, of which a process has one listener.

    What a handler raises appears wherever the main thread is, and there may be code that swallows it (modules compiled
    by Cython do while they are imported) or makes another error of it (an import that was cut off looks as if the
    library were not installed). So who works on for long asks `check`, and who reports an error looks at `heard`.
    """

    def __init__(self) -> None:
        self.heard = False

    def listen(self) -> None:
        """Raise KeyboardInterrupt at each Ctrl-C from now on. Only for the main thread."""
        signal.signal(signal.SIGINT, self._again)

    def listen_once(self) -> None:
        """Raise it at the first of ENDING and ignore the rest: what is cleaned up then is not interrupted again."""
        for number in ENDING:
            signal.signal(number, self._once)

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal was heard, also if it was raised before and went no further."""
        if self.heard:
            raise KeyboardInterrupt

    def checking(self, items: Iterable[T]) -> Iterator[T]:
        """Yield the items, with a check before each one."""
        for item in items:
            self.check()
            yield item

    def _again(self, *_: object) -> None:
        self.heard = True
        raise KeyboardInterrupt

    def _once(self, *_: object) -> None:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
        self._again()
