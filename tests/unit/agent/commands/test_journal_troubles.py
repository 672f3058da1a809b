"""A journal that is damaged, lost or on a full disk: commands wait or end with a reason, and none is done twice."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from platefleet.agent.commands.journal import Journal, JournalError
from platefleet.protocol.delivery.outbox import MemoryOutbox
from tests.commanded import DEVICE, ATestHost, Commanded
from tests.turned_clock import TurnedClock
from tests.until import until

FULL = """
import pathlib, resource, signal, sys
from platefleet.agent.commands.journal import Journal, JournalError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    Journal(pathlib.Path(sys.argv[1])).remember({"x": "y"})
except JournalError as error:
    print(error)
"""


def fill(journal: Journal) -> None:
    """Let no page be added to the journal any more, as on a full disk."""
    with journal._lock:
        pages = journal._database.execute("PRAGMA page_count").fetchone()[0]
        journal._database.execute(f"PRAGMA max_page_count = {pages}")


def empty(journal: Journal) -> None:
    with journal._lock:
        journal._database.execute("PRAGMA max_page_count = 1000000")


class Filling(ATestHost):
    """While it takes its pictures, which are large, the disk is full. journal: set by the test."""

    journal: Journal
    times = 0

    def pictures(self, lanes: Sequence[str], most_bytes: int) -> Mapping[str, bytes]:
        self.times += 1
        fill(self.journal)
        return {"in": bytes(60_000)}


@pytest.mark.parametrize("what", ["garbage", "cut", "overwritten"])
def test_a_damaged_journal_is_kept_beside_and_the_device_is_another_install(tmp_path: Path, what: str) -> None:
    device = Commanded(tmp_path).start()
    id_, payload = device.command("snapshot", by="anna")
    device.commands.hear("command", payload)
    device.until(id_, "succeeded")
    device.stop()
    path, before = device.journal.path, device.install
    data = path.read_bytes()
    damaged = {"garbage": b"\x00garbage" * 4096, "cut": data[: len(data) // 2], "overwritten": data[:4096]}[what]
    path.write_bytes(damaged if what != "overwritten" else damaged + bytes(len(data) - 4096))
    again = Commanded(tmp_path).start()
    assert again.install != before
    assert "was damaged" in again.journal.damage
    assert "have to be signed again" in again.journal.damage
    kept = [each.read_bytes() for each in tmp_path.glob(f"{DEVICE}.commands.broken-*Z")]
    assert len(kept) == 1
    again.commands.hear("command", payload)
    assert "set up anew" in again.until(id_, "rejected").reason
    assert again.states(id_) == ["rejected"]
    again.stop()


def test_a_sound_journal_on_a_full_disk_is_not_taken_for_a_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.remember({"kept": "yes"})
    journal.close()
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert "the journal of commands" in done.stdout, done.stderr
    again = Journal(path)
    assert (again.install, again.meta("kept"), again.damage) == (journal.install, "yes", "")
    assert [each.name for each in tmp_path.iterdir() if "broken" in each.name] == []
    again.close()


def test_a_command_that_comes_while_the_disk_is_full_is_not_taken_and_is_when_it_comes_again(
    device: Commanded,
) -> None:
    fill(device.journal)
    id_, payload = device.command("snapshot", by="anna", arguments={"lanes": tuple(f"lane {n}" * 8 for n in range(60))})
    device.commands.hear("command", payload)
    until(lambda: any("refuses (database or disk is full)" in each for each in device.figures.troubles()))
    assert device.states(id_) == []
    assert device.host.anew == 0
    empty(device.journal)
    device.commands.hear("command", payload)
    device.until(id_, "succeeded")
    assert device.states(id_).count("accepted") == 1
    until(lambda: device.figures.troubles() == [])


def test_an_end_that_cannot_be_written_down_is_held_and_told_once_when_it_can(tmp_path: Path) -> None:
    host = Filling(tmp_path)
    device = Commanded(tmp_path, host=host)
    host.journal = device.journal
    device.start()
    id_ = device.send("snapshot", by="anna")
    until(lambda: any("disk is full" in each for each in device.figures.troubles()), 30)
    for _ in range(5):
        device.clock.turn(1)
    assert device.states(id_)[-1] == "running"
    empty(device.journal)
    device.until(id_, "succeeded")
    assert host.times == 1
    until(lambda: device.figures.troubles() == [])
    device.stop()


class Full(ATestHost):
    """A disk that is full at the moment at which a window is put in force."""

    def set_window(self, window: object) -> None:
        if not getattr(self, "was_full", False):
            self.was_full = True
            raise JournalError("the journal of commands refuses (database or disk is full)")
        super().set_window(window)  # type: ignore[arg-type]


def test_a_try_that_the_full_disk_ends_is_made_again(tmp_path: Path) -> None:
    device = Commanded(tmp_path, host=Full(tmp_path)).start()
    id_ = device.send("set-window", arguments={"zone": "Asia/Kolkata"}, builds_on=0)
    until(lambda: device.statuses(id_) and device.statuses(id_)[-1].state == "waiting")
    why = device.statuses(id_)[-1].why
    assert why is not None
    assert why.hold == "retry"
    device.clock.turn(61)
    device.until(id_, "succeeded")
    device.stop()


def test_statuses_of_a_new_journal_are_told_whatever_an_old_one_had_told(tmp_path: Path) -> None:
    clock = TurnedClock()
    outbox = MemoryOutbox(clock=clock)
    device = Commanded(tmp_path, outbox=outbox, clock=clock).start()
    for _ in range(3):
        device.until(device.send("snapshot", by="anna"), "succeeded")
    device.stop()
    for each in tmp_path.glob(f"{DEVICE}.commands*"):
        each.unlink()
    again = Commanded(tmp_path, outbox=outbox, clock=clock)
    id_, payload = again.command("snapshot", by="anna")
    again.hearing.heard(payload)  # written down, and not told before the device ends
    again.journal.close()
    last = Commanded(tmp_path, outbox=outbox, clock=clock).start()
    last.until(id_, "succeeded")
    assert [status.number for status in last.statuses(id_)] == list(range(1, len(last.statuses(id_)) + 1))
    last.stop()


def test_a_repeated_command_is_answered_after_what_was_not_told_yet(tmp_path: Path) -> None:
    device = Commanded(tmp_path)
    id_, payload = device.command("snapshot", by="anna")
    device.hearing.heard(payload)
    device.clerk.remark(id_, "said")
    device.hearing.heard(payload)
    assert [status.number for status in device.statuses(id_)][:2] == [1, 2]
    device.journal.close()


def test_what_waits_for_the_disk_keeps_no_other_thread(tmp_path: Path) -> None:
    device = Commanded(tmp_path).start()
    fill(device.journal)
    device.send("snapshot", by="anna", arguments={"lanes": tuple(f"lane {n}" * 8 for n in range(60))})
    until(lambda: len(device.figures.troubles()) == 1)
    done = threading.Event()
    threading.Thread(target=lambda: (device.commands.hear("command", b"x"), done.set()), daemon=True).start()
    assert done.wait(10)
    empty(device.journal)
    device.stop()
