"""Work handed to one thread: whoever asks waits so long and no longer, and hears nothing of what another left."""

from __future__ import annotations

import contextlib
import gc
import os
import queue
import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest

from platefleet.protocol.delivery.durable.job import Bell, Claim, Job, Jobs, Left


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    """Jobs with a thread that does them."""
    jobs = Jobs()

    def work() -> None:
        while (job := jobs.next(None)) is not None:
            job()

    thread = threading.Thread(target=work)
    thread.start()
    yield jobs
    jobs.end()
    thread.join(60)
    assert not thread.is_alive()


def test_each_hears_what_came_of_its_own(jobs: Jobs) -> None:
    heard: dict[int, list[int]] = {}

    def ask(who: int) -> None:
        heard[who] = [jobs.do(lambda _, n=n: who * 1000 + n, 60) for n in range(300)]  # type: ignore[misc]

    threads = [threading.Thread(target=ask, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert heard == {who: [who * 1000 + n for n in range(300)] for who in range(4)}


def test_what_it_raises_is_raised_where_it_is_waited_for(jobs: Jobs) -> None:
    def fail(_: object) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        jobs.do(fail, 60)
    assert jobs.do(lambda _: 5, 60) == 5


def test_who_does_not_wait_any_longer_is_not_claimed_and_its_bell_stays_quiet() -> None:
    begun, going_on, claimed, bell = threading.Event(), threading.Event(), [], Bell()

    def hang(claim: Claim) -> str:
        begun.set()
        assert going_on.wait(60)
        claimed.append(claim())
        return "late"

    job = Job(hang, bell)
    thread = threading.Thread(target=job.run)
    thread.start()
    assert begun.wait(60)
    with pytest.raises(Left):
        job.wait(0.01)
    going_on.set()
    thread.join(60)
    assert claimed == [False]
    assert not bell.wait(0)


def test_what_was_left_before_it_began_is_not_begun() -> None:
    begun, bell = threading.Event(), Bell()
    job = Job(lambda _: begun.set(), bell)
    with pytest.raises(Left):
        job.wait(0.01)
    job.run()
    assert not begun.is_set()


def test_who_was_claimed_waits_to_the_end() -> None:
    bell = Bell()
    job = Job(lambda _: "done", bell)
    assert job.claim()
    threading.Timer(0.05, job.run).start()
    assert job.wait(0.01) == "done"


def test_of_who_works_and_who_leaves_at_one_moment_exactly_one_comes_first(jobs: Jobs) -> None:
    claimed: dict[int, bool] = {}

    def work(claim: Claim, turn: int) -> int:
        time.sleep(1e-4 + turn % 10 * 1e-5)
        claimed[turn] = claim()
        return turn

    for turn in range(300):
        stayed = True
        try:
            assert jobs.do(partial(work, turn=turn), 2e-4) == turn
        except Left:
            stayed = False
        assert jobs.do(lambda _, turn=turn: -turn, 60) == -turn  # type: ignore[misc]  # the one before is over by then
        assert claimed.get(turn, False) == stayed


def test_after_some_were_left_each_hears_its_own_again(jobs: Jobs) -> None:
    going_on = threading.Event()
    for _ in range(3):
        with pytest.raises(Left):
            jobs.do(lambda _: going_on.wait(60), 0.01)
    going_on.set()
    assert [jobs.do(lambda _, n=n: n, 60) for n in range(20)] == list(range(20))  # type: ignore[misc]


def test_the_thread_looks_up_when_it_is_woken_and_after_its_pause() -> None:
    jobs = Jobs()
    jobs.wake()
    job = jobs.next(60)
    assert job is not None
    job()
    with pytest.raises(queue.Empty):
        jobs.next(0.01)


def test_after_the_end_nothing_is_done_and_nobody_hangs() -> None:
    jobs = Jobs()
    jobs.wake()
    jobs.end()


def test_descriptors_are_given_back_when_nobody_can_ring_any_more() -> None:
    bell = Bell()
    pipe = f"pipe:[{os.fstat(bell._read).st_ino}]"
    assert opened().count(pipe) == 2
    del bell
    gc.collect()
    assert pipe not in opened()


def opened() -> list[str]:
    """Return what the descriptors of this process stand for."""
    found = []
    for each in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing's own, and what other threads close
            found.append(os.readlink(f"/proc/self/fd/{each}"))
    return found
