"""One thing at a time for another thread: whoever hands it over goes on hearing while that thread waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Work = TypeVar("Work")
Done = TypeVar("Done")


class HandOver(Generic[Work, Done]):
    """Holds one thing or none: `give` while it is not `busy`, `take` once it is done. Both from one thread.

    do: called on a thread of its own; what it raises, `take` raises. told: called from that thread after each.
    """

    def __init__(self, do: Callable[[Work], Done], *, name: str, told: Callable[[], None]) -> None:
        self._do = do
        self._told = told
        self._changed = threading.Condition()
        self._work: Work | None = None
        self._done: tuple[Done | None, Exception | None] | None = None
        self._busy = self._ended = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def busy(self) -> bool:
        """Whether something was given and not taken back yet."""
        return self._busy

    @property
    def ready(self) -> bool:
        """Whether `take` would return something."""
        return self._done is not None

    def start(self) -> None:
        """Start the thread. Returns at once."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """End the thread after what it has, or leave it behind after `timeout_s`; return whether it ended."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def give(self, work: Work) -> None:
        """Hand `work` over. Never blocks. Raises RuntimeError while `busy`: there is room for one thing."""
        with self._changed:
            if self._busy:
                raise RuntimeError("what was handed over last was not taken back")
            self._busy = True
            self._work = work
            self._changed.notify_all()

    def take(self, timeout_s: float = 0.0) -> Done | None:
        """Return what came of it; None if nothing was given, or it is not done after `timeout_s`."""
        with self._changed:
            if self._busy and timeout_s > 0:
                self._changed.wait_for(lambda: self.ready, timeout_s)
            if self._done is None:
                return None
            (done, error), self._done = self._done, None
            self._busy = False
        if error is not None:
            raise error
        return done

    def _run(self) -> None:
        while (work := self._next()) is not None:
            outcome: tuple[Done | None, Exception | None]
            try:
                outcome = self._do(work), None
            except Exception as error:  # noqa: BLE001 - it belongs to whoever handed the work over
                outcome = None, error
            with self._changed:
                self._done = outcome
                self._changed.notify_all()
            self._told()

    def _next(self) -> Work | None:
        with self._changed:
            self._changed.wait_for(lambda: self._work is not None or self._ended)
            work, self._work = self._work, None
            return work
