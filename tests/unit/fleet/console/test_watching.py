"""Watching commands as a person does: bars on a terminal, lines in a file, Ctrl-C to leave."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from platefleet.fleet.console.asked import Asked
from platefleet.fleet.console.book import Book
from platefleet.fleet.console.database import ConsoleDatabase
from platefleet.fleet.keys import keyring
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.messages import Progress
from tests.console_builders import a_command, a_presence, a_status, an_info
from tests.until import until

START_S = 60.0


class Watcher:
    """A console's database and programs that watch it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now_ns = folder, SystemClock().now().utc_ns
        self.url = f"sqlite:///{folder}/console.db"
        self.database = ConsoleDatabase(self.url, now_utc_ns=self.now_ns)
        self.book = Book(self.database)
        self.book.heard_info(an_info(), self.now_ns)
        self.book.heard_presence("north-1", a_presence(), self.now_ns)
        self.said = b""
        self.running: list[subprocess.Popen[bytes]] = []

    def command(self) -> str:
        signed = a_command()
        self.book.add([signed], self.now_ns)
        return signed.message.id

    def heard(self, id_: str, number: int, state: str, reason: str = "") -> None:
        self.book.heard_statuses([("north-1", a_status(id_, number, state, reason=reason))], self.now_ns)

    def start(self, *words: str, out: int, columns: str = "100") -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "platefleet.deploy.cli", "fleet", *words, "--console", self.url]
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": columns}
        self.running.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment))
        return self.running[-1]

    def reads(self, handle: int, word: str) -> bool:
        """Take what was said; whether the word was among it by now."""
        with contextlib.suppress(BlockingIOError):
            self.said += os.read(handle, 65536)
        return word in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.said.decode(errors="replace"))


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[Watcher]:
    watcher = Watcher(tmp_path)
    yield watcher
    for each in watcher.running:
        each.kill()
        each.wait(10)
    watcher.database.close()


def test_on_a_terminal_each_command_has_a_bar_and_ctrl_c_leaves_with_130(watcher: Watcher) -> None:
    id_ = watcher.command()
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    watching = watcher.start("watch", id_, out=theirs)
    until(lambda: watcher.reads(ours, "north-1 diagnose"), START_S)
    watcher.heard(id_, 2, "running")
    progress = Progress.model_validate({"command": id_, "step": "looking", "fraction": 0.25})
    watcher.book.heard_progress({id_: progress}, watcher.now_ns)
    until(lambda: watcher.reads(ours, "looking 25%"), START_S)
    watching.send_signal(signal.SIGINT)
    until(lambda: watcher.reads(ours, "\0") or watching.poll() is not None, START_S)
    assert watching.wait(10) == 130
    assert b"Traceback" not in watcher.said
    os.close(ours)
    os.close(theirs)


def test_into_a_file_each_change_is_a_line_until_all_are_over(watcher: Watcher) -> None:
    well, ill = watcher.command(), watcher.command()
    said = watcher.folder / "said"
    with said.open("wb") as out:
        watching = watcher.start("watch", well, ill, out=out.fileno())
        until(lambda: said.read_text().count("\n") == 2, START_S)
        watcher.heard(well, 2, "succeeded")
        until(lambda: said.read_text().count("\n") == 3, START_S)
        watcher.heard(ill, 2, "failed", "no disk")
        assert watching.wait(START_S) == 1
    assert said.read_text().splitlines() == [
        "north-1: diagnose pending",
        "north-1: diagnose pending",
        "north-1: diagnose succeeded",
        "north-1: diagnose failed: no disk",
    ]


def test_an_order_can_be_watched_to_its_end(watcher: Watcher) -> None:
    keyring.make(watcher.folder / "anna.pem", "operator", "anna", "operator", None)
    said, asked = watcher.folder / "said", Asked(watcher.database)
    with said.open("wb") as out:
        words = ("send", "diagnose", "north-1", "--watch", "--key", f"{watcher.folder}/anna.pem")
        watching = watcher.start(*words, out=out.fileno())
        (row,) = until(asked.history, START_S)
        watcher.heard(row.id, 3, "succeeded")
        assert watching.wait(START_S) == 0, said.read_text()
    assert said.read_text().splitlines()[-1] == "north-1: diagnose succeeded"


def test_tables_fit_a_terminal_of_80_columns(watcher: Watcher) -> None:
    id_ = watcher.command()
    watcher.heard(id_, 2, "failed", "a reason that is longer than what is left of a line of eighty characters")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    for words, first in ((("history",), id_[-12:]), (("devices",), "north-1")):
        asking = watcher.start(*words, out=theirs, columns="80")
        assert asking.wait(START_S) == 0
        lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", os.read(ours, 65536).decode()).splitlines()
        assert max(map(len, lines)) <= 80
        assert any(line.startswith(first) for line in lines)
    os.close(ours)
    os.close(theirs)
