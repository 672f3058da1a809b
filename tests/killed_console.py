"""A console that is killed before and after every transaction of its book: `python -m tests.killed_console`.

Operators write three commands and cancel one; a scripted device takes each command once and tells how it stands
whenever it is sent again. After each kill the console is started again on the same database, until all is over.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from platefleet.fleet.console.asked import Asked
from platefleet.fleet.console.book import Book, Signed
from platefleet.fleet.console.database import ConsoleDatabase
from platefleet.protocol.codec import decode, encode
from platefleet.protocol.commands.lifecycle import TERMINAL
from platefleet.protocol.messages import Command, CommandStatus, Stamp
from tests.commanded import DEVICE, HOUR, new_id
from tests.trust_builders import T0, ordered

NEVER = 1 << 30
INSTALL = "d" * 32
ENDS = ("succeeded", "failed", "cancelled")
"""How the three end; the last waits until it is cancelled."""


class KilledDatabase(ConsoleDatabase):
    """Ends its process before its `last` transaction, or after it: every second point is one."""

    def __init__(self, path: Path, last: int) -> None:
        self._last, self._passed = last, 0
        super().__init__(f"sqlite:///{path}", now_utc_ns=T0)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        self._point()
        with super().begin() as connection:
            yield connection
        self._point()

    def _point(self) -> None:
        self._passed += 1
        if self._passed == self._last:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Scene:
    """A database, what was signed, and what the device knows, each on the disk."""

    folder: Path
    signed: tuple[Signed, ...]

    @property
    def cancelled(self) -> str:
        return self.signed[2].message.id

    def heard(self, id_: str, *, cancel: bool) -> list[CommandStatus]:
        """Let the device hear a command; return what it tells: all of it the first time, then the newest again."""
        path = self.folder / "device.json"
        known: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
        at = next(number for number, each in enumerate(self.signed) if each.message.id == id_)
        waits = id_ == self.cancelled and not cancel
        states = ["accepted", "waiting" if id_ == self.cancelled else "running", *([] if waits else [ENDS[at]])]
        begins = min(known.get(id_, 0), len(states) - 1)
        path.write_text(json.dumps({**known, id_: len(states)}))
        return [self._status(id_, number + 1, states[number]) for number in range(begins, len(states))]

    def _status(self, id_: str, number: int, state: str) -> CommandStatus:
        return CommandStatus.model_validate(
            {
                "command": id_,
                "install": INSTALL,
                "operation": "snapshot",
                "operator": "anna",
                "number": number,
                "state": state,
                "at": Stamp(utc_ns=T0, mono_ns=1, boot="b", clock="synced"),
            }
        )


def a_scene(folder: Path) -> Scene:
    folder.mkdir()
    signed = []
    for _ in ENDS:
        command = Command(
            id=new_id(), device=DEVICE, install=INSTALL, operation="snapshot", issued_at=T0, not_after=T0 + HOUR
        )
        signed.append(Signed(command, ordered("anna", encode(command)), "anna"))
    return Scene(folder, tuple(signed))


def live(scene: Scene, last: int) -> int:
    """Be operators and a console until all commands are over."""
    database = KilledDatabase(scene.folder / "console.db", last)
    book, asked = Book(database), Asked(database)
    ids = [each.message.id for each in scene.signed]
    now_ns = T0
    if not asked.commands(ids):
        book.add(scene.signed, now_ns)
    book.again(None, now_ns)
    for _ in range(50):
        rows = {row.id: row for row in asked.commands(ids)}
        if all(rows[id_].state in TERMINAL for id_ in ids):
            return 0
        if rows[scene.cancelled].state == "waiting" and rows[scene.cancelled].cancel is None:
            assert book.cancel(scene.cancelled, b"cancel", "anna")
        due = book.due(now_ns, 200)
        told = [status for each in due for status in scene.heard(each.id, cancel=each.cancel is not None)]
        book.sent(due, now_ns)
        book.heard_statuses([(DEVICE, status) for status in told], now_ns)
        now_ns += 10 * 10**9
        book.again(DEVICE, now_ns)  # it was born once more
    return 1


def judged(scene: Scene) -> list[str]:
    """Return what on the disk contradicts what happened."""
    wrong = []
    with sqlite3.connect(f"file:{scene.folder}/console.db?mode=ro", uri=True) as database:
        query = "SELECT state, number, open, envelope, cancel FROM console_command WHERE id = ?"
        for each, ends in zip(scene.signed, ENDS, strict=True):
            found = database.execute(query, (each.message.id,)).fetchone()
            cancel = b"cancel" if ends == "cancelled" else None
            if found != (ends, 3, 0, each.envelope, cancel):
                wrong.append(f"a command that {ends} is {found}")
            rows = database.execute(
                "SELECT number, body FROM console_status WHERE command = ? ORDER BY number", (each.message.id,)
            ).fetchall()
            states = {number: decode(CommandStatus, body).state for number, body in rows}
            if states.get(3) != ends or not states.items() <= {1: "accepted", 2: states.get(2), 3: ends}.items():
                wrong.append(f"of a command that {ends} was heard {states}")
        if database.execute("SELECT count(*) FROM console_command").fetchone()[0] != len(ENDS):
            wrong.append("there are other commands than were signed")
    return wrong


def sweep(root: Path) -> tuple[int, list[str]]:
    """Kill it at every point; return how many there are, and what was wrong."""
    wrong: list[str] = []
    for last in range(1, NEVER):
        scene = a_scene(root / str(last))
        died = _forked(scene, last) == -signal.SIGKILL
        if died and _forked(scene, NEVER) != 0:
            wrong.append(f"killed at point {last}: it did not come to its end")
        wrong += [f"killed at point {last}: {says}" for says in judged(scene)]
        if not died:
            return last - 1, wrong
    raise AssertionError


def _forked(scene: Scene, last: int) -> int:
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            status = live(scene, last)
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main() -> int:
    """Print what was found; return 1 if anything contradicts itself."""
    with tempfile.TemporaryDirectory(prefix="killed") as name:
        points, wrong = sweep(Path(name))
    print(json.dumps({"points": points, "wrong": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
