"""The journal of commands: every change is durable before it is done or told. SQLite, one row a command.

It holds the install id too, which is made with it: a device that lost its journal is another install, so that no
command from before is taken a second time. Statuses wait in it until the outbox has them.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from platefleet.agent.commands.journal_file import looked_at, opened, set_aside
from platefleet.protocol.commands.lifecycle import Life
from platefleet.protocol.commands.order import Order
from platefleet.protocol.errors import CommandError
from platefleet.protocol.messages.command import LIFETIME_NS
from platefleet.protocol.trust import Operator

LOG = logging.getLogger(__name__)
_ORDER, _LIFE = TypeAdapter(Order), TypeAdapter(Life)


class JournalError(CommandError):
    """The journal cannot be written or read; nothing that it does not hold is done."""


@dataclass(frozen=True)
class Written:
    """A command as the journal has it. role: of who asked. number: of its newest status. kept: for its next try."""

    order: Order
    arguments: Mapping[str, Any]
    envelope: bytes
    role: str
    life: Life = field(default_factory=Life)
    number: int = 0
    kept: Mapping[str, str] = field(default_factory=dict)


class Journal:
    """An open journal. Every method may be called from any thread, and is durable when it returns.

    refuses: whether the last change could not be written. after_commit: called after each transaction, for tests that
    end the process there.
    """

    def __init__(self, path: Path, *, after_commit: Callable[[], None] = lambda: None, only_look: bool = False) -> None:
        """Open it, or make it. A damaged one is kept beside, and a new one begun, with another install id.

        only_look: beside the agent that writes it; nothing is made or changed. Raises JournalError where there is none.
        """
        self.path, self.damage, self.refuses = path, "", False
        self._after = after_commit
        self._lock = threading.Lock()
        try:
            if only_look:
                self._database = looked_at(path)
                self.install = self._meta("install")
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._database = opened(path)
            except sqlite3.OperationalError:
                raise  # a full disk, a lock, a mode: the journal itself may be sound
            except sqlite3.DatabaseError as error:
                self.damage = set_aside(path, error)
                LOG.error("%s", self.damage)
                self._database = opened(path)
        except (OSError, sqlite3.Error) as error:
            raise JournalError(
                f"{path}: the journal of commands cannot be opened ({error}); see that its disk works and is not full"
            ) from error
        self.install = self._meta("install")

    def close(self) -> None:
        """Close it; what is done afterwards raises JournalError."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._database.close()

    def open_commands(self) -> dict[str, Written]:
        """Return every command that is not over, oldest first."""
        rows = self._read('SELECT * FROM command WHERE NOT "over" ORDER BY id')
        return {row["id"]: _written(row) for row in rows}

    def command(self, id_: str) -> Written | None:
        """Return a command that is remembered."""
        rows = self._read("SELECT * FROM command WHERE id = ?", id_)
        return _written(rows[0]) if rows else None

    def status(self, id_: str) -> bytes | None:
        """Return the newest status of a command, encoded."""
        rows = self._read("SELECT status FROM command WHERE id = ?", id_)
        return bytes(rows[0]["status"]) if rows else None

    def history(self, most: int) -> list[tuple[Written, bytes]]:
        """Return the newest commands and the last status of each, newest first."""
        rows = self._read("SELECT * FROM command ORDER BY id DESC LIMIT ?", most)
        return [(_written(row), bytes(row["status"])) for row in rows]

    def statuses(self, id_: str) -> list[bytes]:
        """Return the statuses of a command that are still held, in order."""
        return [bytes(row["body"]) for row in self._read("SELECT body FROM status WHERE command = ? ORDER BY n", id_)]

    def untold(self, after: int, most: int = 256) -> list[tuple[int, bytes]]:
        """Return statuses by their numbers in the journal, those after `after`."""
        rows = self._read("SELECT n, body FROM status WHERE n > ? ORDER BY n LIMIT ?", after, most)
        return [(int(row["n"]), bytes(row["body"])) for row in rows]

    def last_status(self) -> int:
        """Return the number of the newest status in the journal; 0: there is none."""
        return int(self._read("SELECT coalesce(max(n), 0) AS n FROM status")[0]["n"])

    def first_of_open(self) -> int | None:
        """Return the number of the oldest status of a command that is not over; None: there is none."""
        sql = 'SELECT min(n) AS n FROM status WHERE command IN (SELECT id FROM command WHERE NOT "over")'
        found = self._read(sql)[0]["n"]
        return None if found is None else int(found)

    def write(self, written: Written, status: bytes | None, *, meta: Mapping[str, str] | None = None) -> None:
        """Keep a command as it is now and the status that says so, and what else changes with it, or nothing."""
        order = written.order
        row = {
            "id": order.id,
            "operation": order.operation,
            "order": _ORDER.dump_json(order).decode(),
            "arguments": json.dumps(dict(written.arguments)),
            "envelope": written.envelope,
            "role": written.role,
            "life": _LIFE.dump_json(written.life).decode(),
            "over": written.life.over,
            "ends_ns": _last(order.not_after_ns),
            "number": written.number,
            "kept": json.dumps(dict(written.kept)),
            "status": status if status is not None else (self.status(order.id) or b""),
        }
        with self._transaction() as database:
            columns = ", ".join(f'"{name}"' for name in row)
            marks = ", ".join(f":{name}" for name in row)
            database.execute(f"INSERT OR REPLACE INTO command ({columns}) VALUES ({marks})", row)  # noqa: S608 - our names
            if status is not None:
                database.execute("INSERT INTO status (command, body) VALUES (?, ?)", (order.id, status))
            _put(database, meta or {})

    def cancel_first(self, id_: str, by: Operator, not_after_ns: int) -> None:
        """Remember that a command which has not come is cancelled; nobody of less standing changes by whom."""
        known = self.cancelled_first(id_)
        if known is not None and known.may(by.role):
            return
        row = (id_, by.name, by.role, by.key, _last(not_after_ns))
        with self._transaction() as database:
            database.execute("INSERT OR REPLACE INTO cancel VALUES (?, ?, ?, ?, ?)", row)

    def cancelled_first(self, id_: str) -> Operator | None:
        """Return who cancelled a command before it came."""
        rows = self._read("SELECT operator, role, key FROM cancel WHERE command = ?", id_)
        return Operator(rows[0]["operator"], rows[0]["role"], rows[0]["key"]) if rows else None

    def meta(self, name: str) -> str:
        """Return a remembered value; empty: there is none."""
        return self._meta(name)

    def remember(self, values: Mapping[str, str]) -> None:
        """Remember values by name."""
        with self._transaction() as database:
            _put(database, values)

    def forget(self, now_ns: int, told: int) -> None:
        """Forget what nobody can send again, and statuses that the outbox has, but for the newest thousand."""
        with self._transaction() as database:
            database.execute('DELETE FROM command WHERE "over" AND ends_ns < ?', (now_ns,))
            database.execute("DELETE FROM cancel WHERE ends_ns < ?", (now_ns,))
            database.execute(
                "DELETE FROM meta WHERE (name LIKE 'mark:%' OR name LIKE 'told:%') "
                "AND substr(name, 6) NOT IN (SELECT id FROM command)"
            )
            database.execute(
                "DELETE FROM status WHERE n <= ? AND n <= (SELECT coalesce(max(n), 0) FROM status) - 1000", (told,)
            )

    def _meta(self, name: str) -> str:
        rows = self._read("SELECT value FROM meta WHERE name = ?", name)
        return str(rows[0]["value"]) if rows else ""

    def _read(self, sql: str, *values: object) -> list[sqlite3.Row]:
        with self._lock, self._refusing():
            return self._database.execute(sql, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._refusing():
            self.refuses = True
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
                self.refuses = False
            except BaseException:
                if self._database.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        self._database.execute("ROLLBACK")
                raise
        self._after()

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise JournalError(
                f"{self.path}: the journal of commands refuses ({error}); commands wait until its disk works again"
            ) from error


def _put(database: sqlite3.Connection, values: Mapping[str, str]) -> None:
    database.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(values.items()))


def _last(not_after_ns: int) -> int:
    """Return until when something is remembered, as SQLite holds it: somebody may have signed any number."""
    return min(not_after_ns + LIFETIME_NS, 2**63 - 1)


def _written(row: sqlite3.Row) -> Written:
    return Written(
        _ORDER.validate_json(row["order"]),
        json.loads(row["arguments"]),
        bytes(row["envelope"]),
        row["role"],
        _LIFE.validate_json(row["life"]),
        row["number"],
        json.loads(row["kept"]),
    )
