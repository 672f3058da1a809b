"""The console's database is the truth for commands: whatever comes late, twice or out of order moves none backwards."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from platefleet.fleet.console.asked import Asked
from platefleet.fleet.console.book import Book, Signed
from platefleet.fleet.console.database import ConsoleDatabase
from platefleet.protocol.codec import encode
from platefleet.protocol.commands.lifecycle import TERMINAL
from platefleet.protocol.messages import Command, CommandStatus, Stamp
from tests.commanded import DEVICE, HOUR, new_id
from tests.trust_builders import T0, ordered

OURS, ANEW = "a" * 32, "b" * 32
TOLD = ("accepted", "waiting", "running", "waiting", "running", "succeeded")


class Desk:
    """A console's book, and one command in it."""

    def __init__(self, folder: Path) -> None:
        self.database = ConsoleDatabase(f"sqlite:///{folder}/console.db", now_utc_ns=T0)
        self.book, self.asked = Book(self.database), Asked(self.database)

    def add(self) -> str:
        command = Command(
            id=new_id(), device=DEVICE, install=OURS, operation="build", issued_at=T0, not_after=T0 + HOUR
        )
        self.book.add([Signed(command, ordered("ada", encode(command)), "ada")], T0)
        return command.id

    def hear(self, id_: str, number: int, state: str, *, install: str = OURS, device: str = DEVICE) -> int:
        said = {"command": id_, "install": install, "operation": "build", "operator": "ada", "number": number}
        at = Stamp(utc_ns=T0, mono_ns=1, boot="b", clock="synced")
        status = CommandStatus.model_validate({**said, "state": state, "at": at})
        return self.book.heard_statuses([(device, status)], T0 + number)

    def row(self, id_: str) -> tuple[str, int, bool]:
        found = self.asked.commands([id_])[0]
        return found.state, found.number, found.open


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = Desk(tmp_path_factory.mktemp("console"))
    yield desk
    desk.database.close()


@given(st.permutations([*enumerate(TOLD, 1), *enumerate(TOLD, 1)]), st.integers(0, 12))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_any_order_and_twice_it_ends_as_it_ended(desk: Desk, came: list[tuple[int, str]], count: int) -> None:
    id_ = desk.add()
    numbers = []
    for number, state in [*came[:count], *came[count:]]:
        desk.hear(id_, number, state)
        numbers.append(desk.row(id_)[1])
    assert numbers == sorted(numbers)
    assert desk.row(id_) == ("succeeded", len(TOLD), False)


def test_what_an_old_install_told_late_opens_nothing_that_the_new_one_rejected(desk: Desk) -> None:
    id_ = desk.add()
    desk.hear(id_, 1, "accepted")
    desk.hear(id_, 1, "rejected", install=ANEW)
    assert desk.row(id_) == ("rejected", 1, False)
    assert desk.hear(id_, 2, "running") == 0
    assert desk.row(id_) == ("rejected", 1, False)
    assert [status.state for _, status in desk.asked.statuses(id_)] == ["rejected"]


def test_a_command_that_was_never_answered_and_expired_counts_when_it_is_answered_after_all(desk: Desk) -> None:
    id_ = desk.add()
    desk.book.expire(T0 + 2 * HOUR)
    assert desk.row(id_) == ("expired", 0, False)
    desk.hear(id_, 1, "accepted")
    assert desk.row(id_) == ("accepted", 1, True)


def test_another_devices_status_says_nothing(desk: Desk) -> None:
    id_ = desk.add()
    assert desk.hear(id_, 1, "succeeded", device="north-2") == 0
    assert desk.row(id_) == ("pending", 0, True)


def test_a_cancel_is_taken_of_what_is_open_and_of_nothing_else(desk: Desk) -> None:
    id_ = desk.add()
    assert desk.book.cancel(id_, b"cancel", "ada")
    desk.hear(id_, 1, "cancelled")
    assert not desk.book.cancel(id_, b"cancel", "ada")
    assert not desk.book.cancel(new_id(), b"cancel", "ada")


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_what_is_over_is_never_sent_again(desk: Desk, state: str) -> None:
    id_ = desk.add()
    desk.hear(id_, 1, state)
    desk.book.again(DEVICE, T0 + HOUR)
    assert id_ not in {due.id for due in desk.book.due(T0 + 2 * HOUR, 1000)}


def test_a_console_killed_at_any_transaction_comes_to_the_same_end() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.killed_console"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"wrong": []' in done.stdout
