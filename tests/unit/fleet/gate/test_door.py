"""The running controller's ear: nothing that is said at it, and no lack of files, closes it."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from platefleet.fleet.gate.by_hand import Door, ask
from platefleet.fleet.gate.inbox import Asked
from platefleet.protocol.errors import GateError
from tests.until import until


def refuse(asked: Asked) -> None:
    asked.answered({"error": f"{asked.lane} stays shut"})


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Path]:
    door = Door(tmp_path / "gate.journal", refuse, 2.0)
    yield tmp_path / "gate.journal"
    door.close()


def heard(journal: Path) -> None:
    with pytest.raises(GateError, match="entry stays shut"):
        ask(journal, {"open": "entry", "reason": "fire brigade"}, 5.0)


@pytest.mark.parametrize("line", [b"[" * 4000, b"null", b'{"open": 1}', b"\xff\xfe", b"x" * 5000, b""])
def test_whatever_is_said_at_the_door_the_next_is_heard(journal: Path, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.connect(str(journal.with_name("gate.journal.sock")))
        caller.sendall(line + b"\n")
        caller.settimeout(5.0)
        with suppress(ConnectionResetError):  # it left the rest of a long line unread
            assert caller.recv(100) == b""
    heard(journal)


def test_a_door_that_finds_no_free_file_hears_the_next_when_there_are_some_again(
    journal: Path, caplog: pytest.LogCaptureFixture
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        free = os.dup(caller.fileno())
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))  # everything below is taken
        try:
            caller.connect(str(journal.with_name("gate.journal.sock")))
            until(lambda: "nobody can be let in" in caplog.text)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    heard(journal)
