"""An outbox whose disk refuses goes on in memory, says so, and comes back by itself with all that it took meanwhile."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from platefleet.protocol.delivery.durable import DurableOutbox, schema
from platefleet.protocol.messages import EpochCoverage
from tests.contracts.outbox.durable import a_durable, names, opening_of
from tests.record_builders import a_crop, a_pass
from tests.until import until

ROOT = Path(__file__).resolve().parents[3]


class Disk:
    """A disk that takes what is asked of it: the page limit of every connection that is opened, and a hand on it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pages = 1_000_000
        self.writers: list[sqlite3.Connection] = []
        opened = schema.writer

        def writer(path: Path) -> sqlite3.Connection:
            connection = opened(path)
            connection.execute(f"PRAGMA max_page_count = {self.pages}")
            self.writers.append(connection)
            return connection

        monkeypatch.setattr(schema, "writer", writer)

    def fill(self, outbox: DurableOutbox) -> None:
        """Let it be full from now on."""
        self.pages = 1
        self._limit(outbox)

    def empty(self, outbox: DurableOutbox) -> None:
        """Let there be room again."""
        self.pages = 1_000_000
        self._limit(outbox)

    def _limit(self, outbox: DurableOutbox) -> None:
        with outbox._disk.writing if outbox._disk is not None else threading.Lock():
            self.writers[-1].execute(f"PRAGMA max_page_count = {self.pages}")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def filled_up(outbox: DurableOutbox) -> None:
    """Append until the disk refuses."""
    for _ in range(10):
        outbox.append("crops", a_crop(5000))
        if outbox.volatile:
            return
    raise AssertionError("the disk took all of it")


def test_on_a_full_disk_it_goes_on_in_a_volatile_epoch_that_names_those_before(tmp_path: Path, disk: Disk) -> None:
    outbox = a_durable(tmp_path / "outbox.db")
    durable = outbox.epoch
    outbox.append("plate", a_pass(), keep={"pass/1": b"open"})
    assert not outbox.volatile
    disk.fill(outbox)
    filled_up(outbox)
    opening = opening_of(outbox, outbox.epoch)
    assert opening.volatile
    last = {end.epoch: end.last for end in outbox.epochs()}[durable]
    assert [(end.epoch, end.last) for end in opening.previous] == [(durable, last)]
    assert outbox.kept() == {"pass/1": b"open"}
    assert "the disk is full" in outbox.problems()[0]
    assert outbox.counters() == {"fallbacks": 1, "volatile_records": 2}
    assert [key for key in names(outbox) if key[0] == durable] == [(durable, seq) for seq in range(1, last + 1)]
    outbox.close()


def test_it_comes_back_by_itself_and_what_was_in_memory_is_durable_under_its_name(tmp_path: Path, disk: Disk) -> None:
    outbox = a_durable(tmp_path / "outbox.db")
    disk.fill(outbox)
    filled_up(outbox)
    volatile = outbox.epoch
    kept = outbox.append("plate", a_pass("M1"), keep={"pass/2": b"x"})
    covered, lost = outbox.append("plate", a_pass()), outbox.append("plate", a_pass())
    outbox.cover([EpochCoverage(epoch=volatile, covered=((covered.seq, covered.seq),))])
    outbox.set_aside(lost.key, "unsendable")
    before, depth = names(outbox), outbox.depth()
    disk.empty(outbox)
    until(lambda: not outbox.volatile, 60)
    assert names(outbox) == [*before, (outbox.epoch, 1)]
    assert outbox.problems() == []
    after = outbox.depth()
    assert (after.waiting, after.gone, after.committed) == (depth.waiting + 1, depth.gone, depth.committed)
    opening = opening_of(outbox, outbox.epoch)
    assert not opening.volatile
    assert (opening.previous[-1].epoch, opening.previous[-1].last) == (volatile, lost.seq)
    outbox.close()
    again = a_durable(tmp_path / "outbox.db")
    assert names(again) == [*before, (outbox.epoch, 1), (again.epoch, 1)]
    assert again.read(kept.key) == kept
    assert again.standing(covered.key) == "covered"
    assert again.standing(lost.key) == "gone"
    assert again.kept() == {"pass/2": b"x"}
    again.close()


def test_an_end_takes_what_is_in_memory_to_a_disk_that_takes_records_again(tmp_path: Path, disk: Disk) -> None:
    outbox = a_durable(tmp_path / "outbox.db", retry_s=(600, 600))
    disk.fill(outbox)
    filled_up(outbox)
    kept = outbox.append("plate", a_pass("M1"), keep={"pass/2": b"x"})
    disk.empty(outbox)
    assert outbox.volatile
    outbox.close()
    again = a_durable(tmp_path / "outbox.db")
    assert again.read(kept.key) == kept
    assert again.kept() == {"pass/2": b"x"}
    again.close()


def test_an_end_with_a_disk_that_still_refuses_says_what_ends_with_it(
    tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = a_durable(tmp_path / "outbox.db", retry_s=(600, 600))
    disk.fill(outbox)
    filled_up(outbox)
    outbox.close()
    assert "2 records were in memory alone and end with it" in caplog.text


def test_while_the_disk_is_full_what_is_on_it_is_sent_covered_asked_and_renamed(tmp_path: Path, disk: Disk) -> None:
    outbox = a_durable(tmp_path / "outbox.db")
    old = [outbox.append("plate", a_pass(f"M{n}")) for n in range(4)]
    disk.fill(outbox)
    filled_up(outbox)
    outbox.cover([EpochCoverage(epoch=old[0].epoch, covered=((2, 2),))])
    outbox.set_aside(old[1].key, "unsendable")
    new = outbox.rename(old[2].key)
    assert new is not None
    assert (new.epoch, new.body) == (outbox.epoch, old[2].body)
    assert outbox.read(old[3].key) == old[3]
    assert [outbox.standing(record.key) for record in old] == ["covered", "gone", "covered", "waiting"]
    assert [(each.epoch, each.first) for each in outbox.gone(9)] == [old[1].key]
    outbox.answer(outbox.epochs(), [])
    assert outbox.standing(old[0].key) == "waiting"
    before = names(outbox)
    disk.empty(outbox)
    until(lambda: not outbox.volatile, 60)
    assert names(outbox)[:-1] == before
    outbox.close()


def test_a_file_that_may_not_grow_is_a_full_disk_and_after_a_kill_all_is_there(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.contracts.outbox.refused", str(path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    waiting, appended, *said = child.stdout.readline().split()
    assert waiting == appended
    assert "in memory" in " ".join(said)
    waiting, again, *said = child.stdout.readline().split()
    assert waiting == again == str(int(appended) + 1)
    assert said == []
    child.kill()
    child.wait()
    child.stdout.close()
    outbox = a_durable(path)
    assert len(names(outbox)) == int(again) + 1
    assert outbox.kept() == {"pass/1": b"open"}
    outbox.close()


@contextmanager
def as_nobody() -> Iterator[None]:
    """Let files be judged by their permissions: root may write everywhere."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_folder_that_cannot_be_written_means_memory_until_it_can(tmp_path: Path) -> None:
    folder = Path(tempfile.gettempdir()) / f"outbox-{os.getpid()}"
    folder.mkdir(mode=0o555)
    try:
        with as_nobody():
            outbox = a_durable(folder / "outbox.db")
            record = outbox.append("plate", a_pass())
            assert outbox.volatile
            assert "in memory" in outbox.problems()[0]
            volatile = outbox.epoch
        folder.chmod(0o777)
        until(lambda: not outbox.volatile, 60)
        assert names(outbox) == [(volatile, 1), record.key, (outbox.epoch, 1)]
        outbox.close()
    finally:
        shutil.rmtree(folder)


def test_a_rename_that_the_disk_does_too_late_leaves_one_record_and_right_counts(tmp_path: Path) -> None:
    outbox = a_durable(tmp_path / "outbox.db", slow_s=0.2)
    until(lambda: not outbox.volatile, 60)
    record = outbox.append("plate", a_pass("M1"))
    until(lambda: not outbox.volatile, 60)
    outbox.begin_epoch()
    until(lambda: not outbox.volatile, 60)
    blocker = sqlite3.connect(tmp_path / "outbox.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    new = outbox.rename(record.key)
    blocker.execute("ROLLBACK")
    blocker.close()
    assert new is not None
    until(lambda: not outbox.volatile, 60)
    held = [outbox.read(key) for key in names(outbox)]
    assert [each.key for each in held if each is not None and each.body == record.body] == [new.key]
    assert outbox.standing(record.key) == "covered"
    depth = outbox.depth()
    assert depth.held == depth.waiting == len(held)
    outbox.close()


def test_a_disk_that_takes_too_long_is_not_waited_for_and_nothing_is_told_twice(tmp_path: Path) -> None:
    outbox = a_durable(tmp_path / "outbox.db", slow_s=0.2)
    until(lambda: not outbox.volatile, 60)
    before = names(outbox)
    blocker = sqlite3.connect(tmp_path / "outbox.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    record = outbox.append("plate", a_pass())
    assert outbox.volatile
    assert names(outbox) == [*before, (record.epoch, 1), record.key]
    blocker.execute("ROLLBACK")
    blocker.close()
    until(lambda: not outbox.volatile, 60)
    until(lambda: not outbox.volatile and [key for key in names(outbox) if key[1] > 1] == [record.key], 60)
    outbox.close()


def test_a_record_that_became_durable_when_nobody_waited_any_more_is_given_up_under_that_name(tmp_path: Path) -> None:
    outbox = a_durable(tmp_path / "outbox.db")
    disk = outbox._disk
    assert disk is not None
    left = disk.append("plate", b"late", claim=lambda: False)
    assert disk.standing(left.key) == "gone"
    assert [(each.first, each.reason) for each in disk.gone(9)] == [(2, "volatile")]
    assert [entry.seq for entry in disk.waiting(None, 9)] == [1]
    outbox.close()


def test_acks_and_reads_do_not_wait_for_a_write(tmp_path: Path) -> None:
    outbox = a_durable(tmp_path / "outbox.db")
    record = outbox.append("plate", a_pass())
    disk = outbox._disk
    assert disk is not None
    with disk.writing:  # as while a sync takes long
        assert outbox.read(record.key) == record
        assert outbox.cover([EpochCoverage(epoch=record.epoch, covered=((1, 2),))]) == 2
        assert names(outbox) == []
        assert outbox.depth().committed == 2
    outbox.close()
