"""Work that a thread of its own does for others, who wait for it so long and no longer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
Claim = Callable[[], bool]
"""Asked when the work is done and before anybody sees it: whether somebody waits; who does then waits to the end."""


class Left(Exception):
    """Nobody waits for the work any more."""


class Job(Generic[T]):
    """One piece of work. action: does it, and asks its argument before the outcome is shown to anybody."""

    def __init__(self, action: Callable[[Claim], T]) -> None:
        self._action = action
        self._lock = threading.Lock()
        self._claimed = self._left = False
        self._done = threading.Event()
        self._result: T | None = None
        self._error: BaseException | None = None

    def claim(self) -> bool:
        """Return whether somebody waits; from now on they will until the end."""
        with self._lock:
            self._claimed = not self._left
            return self._claimed

    def run(self) -> None:
        """Do it, on the thread that works; not at all if nobody waits any more."""
        with self._lock:
            if self._left:
                return
        try:
            self._result = self._action(self.claim)
        except BaseException as error:  # noqa: BLE001  # it is raised where it is waited for
            self._error = error
        self._done.set()

    def wait(self, timeout_s: float) -> T:
        """Return what came of it, or raise what it raised. Raises Left after `timeout_s`: nobody waits then."""
        if not self._done.wait(timeout_s):
            with self._lock:
                self._left = not self._claimed
            if self._left:
                raise Left
            self._done.wait()
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # set by `run`, of whatever type T is
