"""A start whose database takes long to be checked serves at once, from memory, with the notes that are there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from platefleet.protocol.delivery.durable import DurableOutbox, modes
from platefleet.protocol.delivery.durable.job import Job
from platefleet.protocol.delivery.frame import Record
from platefleet.protocol.messages import EpochEnd
from tests.contracts.outbox.durable import a_durable, names, opening_of
from tests.record_builders import a_pass
from tests.until import until

START_S = 0.01


class Check:
    """A check that begins with each opening and ends when it may."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may_end = threading.Event()
        self.began = threading.Event()
        opened = modes.open_disk

        def slowly(*arguments: object, **named: object) -> object:
            self.began.set()
            assert self.may_end.wait(60)
            return opened(*arguments, **named)  # type: ignore[arg-type]

        waited = Job.wait

        def wait(job: Job[object], timeout_s: float) -> object:
            if timeout_s == START_S:  # over before the check began, it would be another case
                assert self.began.wait(60)
            return waited(job, timeout_s)

        monkeypatch.setattr(modes, "open_disk", slowly)
        monkeypatch.setattr(Job, "wait", wait)


@pytest.fixture
def left(tmp_path: Path) -> Record:
    """Return a record that an earlier run left in its outbox, with a note."""
    outbox = a_durable(tmp_path / "outbox.db")
    record = outbox.append("plate", a_pass("AA1"), keep={"pass/1": b"open", "told": b"7"})
    outbox.close()
    return record


@pytest.fixture
def check(left: Record, monkeypatch: pytest.MonkeyPatch) -> Iterator[Check]:
    check = Check(monkeypatch)
    yield check
    check.may_end.set()


def started(path: Path, check: Check) -> DurableOutbox:
    """Open an outbox whose check goes on."""
    outbox = a_durable(path, start_s=START_S)
    assert check.began.is_set()
    return outbox


def test_it_has_the_notes_and_names_the_epochs_before_while_it_is_checked(
    tmp_path: Path, left: Record, check: Check
) -> None:
    outbox = started(tmp_path / "outbox.db", check)
    assert outbox.volatile
    assert "is still being checked" in outbox.problems()[0]
    assert outbox.kept() == {"pass/1": b"open", "told": b"7"}
    opening = opening_of(outbox, outbox.epoch)
    assert opening.volatile
    assert opening.previous == (EpochEnd(epoch=left.epoch, last=left.seq),)
    outbox.append("plate", a_pass("AA2"), keep={"pass/1": None, "told": b"8"})
    assert outbox.kept() == {"told": b"8"}
    check.may_end.set()
    outbox.close()


def test_once_it_is_checked_all_of_it_is_durable_under_the_names_that_were_told(
    tmp_path: Path, left: Record, check: Check
) -> None:
    outbox = started(tmp_path / "outbox.db", check)
    volatile = outbox.epoch
    record = outbox.append("plate", a_pass("AA2"), keep={"pass/1": None, "told": b"8"})
    check.may_end.set()
    until(lambda: not outbox.volatile, 60)
    assert outbox.problems() == []
    expected = [(left.epoch, 1), left.key, (volatile, 1), record.key]
    assert [key for key in names(outbox) if key in expected] == expected
    outbox.close()
    again = a_durable(tmp_path / "outbox.db")
    assert [key for key in names(again) if key in expected] == expected
    assert (again.read(left.key), again.read(record.key)) == (left, record)
    assert again.kept() == {"told": b"8"}
    again.close()


def test_an_end_while_it_is_checked_leaves_all_of_it_on_the_disk(
    tmp_path: Path, left: Record, check: Check, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "outbox.db"
    outbox = started(path, check)
    volatile = outbox.epoch
    record = outbox.append("plate", a_pass("AA2"), keep={"pass/1": None, "told": b"8"})
    outbox.close()
    assert "end with it" not in caplog.text
    check.may_end.set()
    outbox._thread.join(60)
    again = a_durable(path)
    assert not again.volatile
    expected = [(left.epoch, 1), left.key, (volatile, 1), record.key]
    assert [key for key in names(again) if key in expected] == expected
    assert again.read(record.key) == record
    assert again.kept() == {"told": b"8"}
    again.close()


def test_a_database_that_the_check_finds_broken_is_kept_beside_and_nothing_told_meanwhile_is_lost(
    tmp_path: Path, left: Record, check: Check
) -> None:
    path = tmp_path / "outbox.db"
    damaged = bytearray(path.read_bytes())
    path.write_bytes(damaged[:3000] + bytes(len(damaged) - 3000))
    outbox = started(path, check)
    record = outbox.append("plate", a_pass("AA2"), keep={"told": b"8"})
    check.may_end.set()
    until(lambda: not outbox.volatile, 60)
    (beside,) = tmp_path.glob("outbox.db.broken-*")
    assert beside.name in outbox.problems()[0]
    assert outbox.read(record.key) == record
    assert outbox.kept()["told"] == b"8"
    outbox.close()
    again = a_durable(path)
    assert again.read(record.key) == record
    again.close()
