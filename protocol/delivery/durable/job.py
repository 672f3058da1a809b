"""Work that a thread of its own does for others, who wait for it so long and no longer."""

from __future__ import annotations

import os
import queue
import select
import weakref
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
Claim = Callable[[], bool]
"""Asked when the work is done and before anybody sees it: whether somebody waits; who does then waits to the end."""


class Left(Exception):
    """Nobody waits for the work any more."""


class Bell:
    """What one thread rings and another waits for; it has its descriptors for as long as anybody could ring it.

    A pipe: who writes into one is taken to sleep next, so whoever it wakes runs in its place. A lock wakes a thread on
    the other processor, asleep itself or busy with others (measured: there and back 8 µs, and 8 to 25 by locks).
    """

    def __init__(self) -> None:
        """Make it. Raises OSError where no descriptors are left."""
        self._read, self._write = os.pipe()
        weakref.finalize(self, _give_back, self._read, self._write).atexit = False  # a thread may still wait
        self._poll = select.poll()
        self._poll.register(self._read, select.POLLIN)

    def ring(self) -> None:
        """Let one `wait` return."""
        os.write(self._write, b"\0")

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it was rung, as often as it was rung. Returns False after `timeout_s`."""
        if timeout_s is not None and not self._poll.poll(timeout_s * 1000):
            return False
        os.read(self._read, 1)
        return True


def _give_back(*descriptors: int) -> None:
    for each in descriptors:
        os.close(each)


class Job(Generic[T]):
    """One piece of work. action: does it, and asks its argument before the outcome is shown to anybody.

    quiet: whether its bell rings no more.
    """

    def __init__(self, action: Callable[[Claim], T], done: Bell) -> None:
        self.quiet = False
        self._action = action
        self._ticket = [True]
        """Taken once, by who works or by who leaves, whoever comes first: `pop` is one step for all threads, and a
        lock for each job would cost its share of every append."""
        self._claimed = False
        self._done = done
        self._result: T | None = None
        self._error: BaseException | None = None

    def claim(self) -> bool:
        """Return whether somebody waits; from now on they will until the end."""
        self._claimed = self._claimed or self._take()
        return self._claimed

    def run(self) -> None:
        """Do it, on the thread that works; not at all if nobody waits any more."""
        if not self._ticket and not self._claimed:
            return
        try:
            self._result = self._action(self.claim)
        except BaseException as error:  # noqa: BLE001  # it is raised where it is waited for
            self._error = error
        if self._claimed or self._take():
            self._done.ring()

    def wait(self, timeout_s: float) -> T:
        """Return what came of it, or raise what it raised. Raises Left after `timeout_s`: nobody waits then."""
        if not self._done.wait(timeout_s):
            if self._take():
                self.quiet = True
                raise Left
            self._done.wait()
        self.quiet = True
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # set by `run`, of whatever type T is

    def _take(self) -> bool:
        """Take the ticket; return whether it was still there."""
        try:
            return self._ticket.pop()
        except IndexError:
            return False


class Jobs:
    """What the one thread is to do. As many wait for it as there are threads that ask, besides what these have left."""

    def __init__(self) -> None:
        """Make it. Raises OSError where no descriptors are left."""
        self._asked = Bell()
        self._jobs: deque[Callable[[], None] | None] = deque()
        self._done = [Bell()]

    def do(self, action: Callable[[Claim], T], timeout_s: float) -> T:
        """Have it done. Raises what it raises; Left when that takes longer: it may be done all the same."""
        try:
            done = self._done.pop()
        except IndexError:  # another thread waits as well
            done = Bell()
        job = Job(action, done)
        try:
            self._put(job.run)
            return job.wait(timeout_s)
        finally:
            if job.quiet:
                self._done.append(done)

    def wake(self) -> None:
        """Let the thread look what it is to do next."""
        self._put(_nothing)

    def end(self) -> None:
        """Let the thread end when it has done what was asked before."""
        self._put(None)

    def next(self, timeout_s: float | None) -> Callable[[], None] | None:
        """Return what to do, or None for the end. Raises queue.Empty after `timeout_s`."""
        if not self._asked.wait(timeout_s):
            raise queue.Empty
        return self._jobs.popleft()

    def _put(self, job: Callable[[], None] | None) -> None:
        self._jobs.append(job)
        self._asked.ring()


def _nothing() -> None:
    return
