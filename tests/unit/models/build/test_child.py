"""Work in a watched child: what it returns, what it raises, how it dies, and that nothing of it is left."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from platefleet.models.build.child import Bounds, Tell, run_in_child
from platefleet.models.errors import ArtifactError, BuildDeferred, BuildError


def adds(tell: Tell, a: int, b: int) -> int:
    tell("adding", 0.5)
    return a + b


def tells_who_it_is(_: Tell) -> tuple[int, int, int]:
    return os.getpid(), os.nice(0), os.sched_getscheduler(0)


def refuses(_: Tell) -> None:
    raise ArtifactError("plate/x: is not there")


def forgets(_: Tell) -> None:
    raise KeyError("nobody")


def eats(_: Tell) -> None:
    raise MemoryError("no more")


def tensorrt_eats(_: Tell) -> None:
    raise RuntimeError("[defaultAllocator] OutOfMemory (no further information)")


def grows(_: Tell) -> None:
    held = []
    while True:
        held.append(bytearray(os.urandom(1) * (8 << 20)))
        time.sleep(0.02)


def sleeps(_: Tell) -> None:
    time.sleep(600)


def dies(_: Tell, number: int) -> None:
    os.kill(os.getpid(), number)


def quits(_: Tell) -> None:
    os._exit(3)


def test_what_it_returns_and_tells_comes_back() -> None:
    told: list[tuple[str, float | None]] = []
    done = run_in_child(adds, 2, 3, what="sum", tell=lambda step, share: told.append((step, share)))
    assert done.result == 5
    assert done.seconds > 0
    assert told == [("adding", 0.5)]


def test_it_is_a_process_of_its_own_with_the_lowest_priority() -> None:
    pid, nice, usual = run_in_child(tells_who_it_is, what="who").result
    assert pid != os.getpid()
    assert (nice, usual) == (19, os.SCHED_OTHER)
    assert run_in_child(tells_who_it_is, what="who", idle=True).result[1:] == (19, os.SCHED_IDLE)
    assert not psutil.pid_exists(pid)


def test_an_error_of_ours_arrives_as_it_was() -> None:
    with pytest.raises(ArtifactError, match="plate/x: is not there"):
        run_in_child(refuses, what="x")


def test_any_other_error_is_one_sentence() -> None:
    with pytest.raises(BuildError, match="plate/int8: KeyError: 'nobody'"):
        run_in_child(forgets, what="plate/int8")


@pytest.mark.parametrize("work", [eats, tensorrt_eats])
def test_want_of_memory_is_deferred(work: object) -> None:
    with pytest.raises(BuildDeferred, match="ran out of memory"):
        run_in_child(work, what="x")  # type: ignore[arg-type]  # both are such functions


def test_a_child_that_takes_more_than_its_memory_is_killed_and_deferred() -> None:
    before = psutil.Process().memory_info().rss
    with pytest.raises(BuildDeferred, match="more than"):
        run_in_child(grows, what="x", bounds=Bounds(memory_bytes=before + (100 << 20)))


def test_a_child_that_hangs_is_killed_at_its_deadline() -> None:
    with pytest.raises(BuildError, match="was not done within 2 s"):
        run_in_child(sleeps, what="x", bounds=Bounds(deadline_s=2))
    assert not psutil.Process().children(recursive=True) or all(
        "sleeps" not in " ".join(each.cmdline()) for each in psutil.Process().children(recursive=True)
    )


def test_it_stops_when_it_is_asked_to() -> None:
    began = time.monotonic()
    with pytest.raises(BuildError, match="was stopped"):
        run_in_child(sleeps, what="x", stopping=lambda: time.monotonic() - began > 1)


@pytest.mark.parametrize(
    ("number", "kind", "said"),
    [
        (signal.SIGSEGV, BuildError, "ended by SIGSEGV"),
        (signal.SIGABRT, BuildError, "ended by SIGABRT"),
        (signal.SIGKILL, BuildDeferred, "want of memory"),
    ],
)
def test_a_crash_is_one_sentence(number: int, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        run_in_child(dies, number, what="x")


def test_a_child_that_ends_without_a_word_is_told() -> None:
    with pytest.raises(BuildError, match="status 3"):
        run_in_child(quits, what="x")
