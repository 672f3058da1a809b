"""Committing when the store is there, away, and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from platefleet.fleet.ingest.acks import Acks
from platefleet.fleet.ingest.commit import CHECK_NS, Committer
from platefleet.fleet.ingest.counters import Counters
from platefleet.fleet.ingest.inbox import Inbox
from platefleet.fleet.ingest.storing import Task
from platefleet.fleet.store.sqlite import SqliteStore
from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.codec import encode
from platefleet.protocol.messages import Ack, Ask, Backfill, EpochEnd
from tests.record_builders import a_pass, a_record, an_arrival, an_epoch
from tests.seen import Seen
from tests.turned_clock import TurnedClock


class Bench:
    """A committer over a real database, with what it announced."""

    def __init__(self, path: Path) -> None:
        self.clock = TurnedClock()
        self.path = path
        self.store = SqliteStore(path, clock=self.clock)
        self.counters = Counters()
        self.inbox = Inbox(self.counters)
        self.acks = Acks(self.store.id)
        self.announced: list[bool] = []
        self.committer = Committer(
            self.store, self.inbox, self.acks, self.counters, clock=self.clock, announce=self.announced.append
        )

    def take(self, *frames: bytes, ask: Ask | None = None) -> None:
        self.inbox.take("north-1", "backfill", encode(Backfill(records=frames, ask=ask)), 1)

    def ack(self) -> Ack:
        ((device, ack),) = self.acks.due(self.clock.now().mono_ns)
        assert device == "north-1"
        return ack

    def elsewhere(self) -> Path:
        """Move the database away."""
        self.store.close()
        return self.path.rename(self.path.with_suffix(".away"))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "store.db")
    yield made
    made.store.close()


def question(nonce: str = "a" * 32) -> Ask:
    return Ask(nonce=nonce, epochs=(EpochEnd(epoch=an_epoch(), last=9), EpochEnd(epoch=an_epoch(2), last=1)))


def test_what_is_committed_is_acknowledged_and_counted(bench: Bench) -> None:
    bench.take(a_record(1).frame, a_record(2, type="hologram", body=b"?").frame)
    bench.committer.turn()
    (covered,) = bench.ack().covered
    assert covered.covered == ((1, 2),)
    assert (bench.counters.committed, bench.counters.quarantined, bench.counters.commits) == (2, 1, 1)


def test_a_question_that_comes_with_records_is_answered_with_them(bench: Bench) -> None:
    bench.take(a_record(3).frame, ask=question())
    bench.committer.turn()
    answer = bench.ack().answer
    assert answer is not None
    assert answer.nonce == "a" * 32
    assert [(each.epoch, each.covered) for each in answer.epochs] == [(an_epoch(), ((3, 3),)), (an_epoch(2), ())]


def test_a_clash_is_told_to_its_device(bench: Bench) -> None:
    bench.take(a_record(1, body=a_pass("ONE")).frame, a_record(1, body=a_pass("TWO")).frame)
    bench.committer.turn()
    assert [each.covered for each in bench.ack().clash] == [((1, 1),)]
    assert bench.counters.clashes == 1


def test_while_the_store_is_away_nothing_is_acknowledged_and_once_it_is_back_everything_is(bench: Bench) -> None:
    away = bench.elsewhere()
    bench.take(a_record(1).frame, ask=question())
    for _ in range(3):
        bench.committer.turn()
        bench.clock.turn(6)
    assert list(bench.acks.due(bench.clock.now().mono_ns)) == []
    assert "file is gone" in bench.committer.trouble
    assert bench.announced == [False]
    away.rename(bench.path)
    bench.committer.turn()
    assert [each.covered for each in bench.ack().covered] == [((1, 1),)]
    assert bench.ack().answer is not None
    assert bench.committer.trouble == ""
    assert bench.announced == [False, True]
    assert bench.counters.failures == 3


def test_a_store_that_is_away_is_asked_again_with_pauses_that_grow(bench: Bench) -> None:
    bench.elsewhere()
    bench.take(a_record(1).frame)
    for _ in range(1000):
        bench.committer.turn()
        bench.clock.turn(0.1)
    assert 20 <= bench.counters.failures <= 200  # in 100 s: pauses of 2.5 s in the mean once they have grown
    assert bench.committer.wait_ns() <= 5 * SECOND_NS


def test_a_store_that_vanishes_while_no_car_comes_is_noticed(bench: Bench) -> None:
    bench.elsewhere()
    bench.committer.turn()
    assert bench.announced == []
    bench.clock.turn(CHECK_NS / SECOND_NS)
    bench.committer.turn()
    assert bench.announced == [False]


def test_a_lock_by_another_program_costs_nothing_but_time(bench: Bench) -> None:
    other = sqlite3.connect(bench.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    bench.take(a_record(1).frame)
    bench.committer.turn()
    assert "locked by another program" in bench.committer.trouble
    other.execute("COMMIT")
    other.close()
    bench.clock.turn(1)
    bench.committer.turn()
    assert bench.counters.committed == 1


def test_a_record_that_the_database_refuses_is_quarantined_and_its_neighbours_are_committed(bench: Bench) -> None:
    impossible = a_pass().model_copy(update={"frames": 2**70})
    bench.take(a_record(1).frame)
    bench.inbox._put(an_arrival(record=a_record(2), body=impossible))
    bench.take(a_record(3).frame)
    bench.committer.turn()
    assert [each.covered for each in bench.ack().covered] == [((1, 3),)]
    assert (bench.counters.committed, bench.counters.unstorable, bench.counters.quarantined) == (3, 1, 1)
    assert [seq for (seq,) in Seen(bench.path).rows("SELECT seq FROM quarantine")] == [2]
    assert Seen(bench.path).count("plates") == 2


def test_what_comes_in_while_a_batch_is_at_the_store_waits_for_the_next(bench: Bench) -> None:
    bench.take(a_record(1).frame)
    task = bench.committer.begin()
    assert task is not None
    outcome = bench.committer.storing.perform(task)
    bench.take(a_record(2).frame)
    assert (len(bench.inbox), bench.inbox.behind) == (2, 1)
    bench.committer.finish(outcome)
    assert [each.covered for each in bench.ack().covered] == [((1, 1),)]
    bench.committer.turn()
    assert [each.covered for each in bench.ack().covered] == [((1, 2),)]
    assert len(bench.inbox) == 0


def test_a_question_asked_anew_while_the_first_is_looked_up_is_answered_alone(bench: Bench) -> None:
    bench.take(ask=question())
    task = bench.committer.begin()
    assert task is not None
    outcome = bench.committer.storing.perform(task)
    bench.take(a_record(3).frame, ask=question("b" * 32))
    bench.committer.finish(outcome)
    assert list(bench.acks.due(bench.clock.now().mono_ns)) == []
    bench.committer.turn()
    answer = bench.ack().answer
    assert answer is not None
    assert (answer.nonce, answer.epochs[0].covered) == ("b" * 32, ((3, 3),))
    assert bench.counters.answers == 1


def test_what_nothing_came_of_is_tried_again(bench: Bench) -> None:
    bench.take(a_record(1).frame)
    assert bench.committer.begin() is not None
    bench.committer.give_up()
    assert bench.inbox.behind == 1
    bench.committer.turn()
    assert bench.counters.committed == 1


def test_a_batch_that_is_durable_is_acknowledged_though_the_store_went_away_before_the_answers(bench: Bench) -> None:
    bench.take(a_record(1).frame, ask=question())
    task = bench.committer.begin()
    assert task is not None
    committed = bench.committer.storing.perform(Task(task.batch))
    away = bench.elsewhere()
    looked_up = bench.committer.storing.perform(Task(questions=task.questions))
    bench.committer.finish(replace(looked_up, task=task, parts=committed.parts))
    assert [each.covered for each in bench.ack().covered] == [((1, 1),)]
    assert bench.ack().answer is None
    assert bench.announced == [False]
    away.rename(bench.path)
    bench.clock.turn(6)
    bench.committer.turn()
    assert bench.ack().answer is not None
