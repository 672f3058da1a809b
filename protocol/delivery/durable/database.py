"""An open database: one connection that writes, one that reads beside it, and the file that both must still be."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from platefleet.protocol.delivery.durable import schema
from platefleet.protocol.delivery.durable.refused import REFUSALS, refusal, refusing
from platefleet.protocol.errors import OutboxError

LOOK_EVERY_S = 0.05
"""How often it is looked whether the file still has its name: who deletes it takes all that it holds in any case."""


class Database:
    """Two connections. Whoever uses one holds the lock that guards it; the reader waits for no writer."""

    def __init__(self, path: Path) -> None:
        """Open it, and make it if there is none. Raises DiskRefused."""
        self.path = path
        self._name = os.fspath(path)
        self.closed = False
        self._looked_s = 0.0
        with refusing(path):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # plates are nobody else's business
            self._writer = schema.writer(path)
            self._cursor = self._writer.cursor()
            try:
                self.reader = schema.reader(path)
                self._file = os.stat(path).st_ino
                _sync_folder(path.parent)
            except BaseException:
                self._writer.close()
                raise

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all of it and sync, or nothing. Raises DiskRefused, OutboxError when it is closed."""
        self._open()
        with refusing(self.path):
            self._look()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    with suppress(sqlite3.Error):
                        self._writer.execute("ROLLBACK")
                raise

    def execute(self, statement: str, parameters: Sequence[int | bytes]) -> None:
        """Write what one statement says and sync, or nothing: a transaction without what one of several costs."""
        self._open()
        try:
            self._look()
            self._cursor.execute(statement, parameters)
        except REFUSALS as error:
            raise refusal(self.path, error) from error

    def close(self) -> None:
        """Close both connections."""
        self.closed = True
        for connection in (self.reader, self._writer):
            with suppress(sqlite3.Error):
                connection.close()

    def _open(self) -> None:
        if self.closed:
            raise OutboxError(f"{self.path}: the outbox is closed; nothing is kept any more.")

    def _look(self) -> None:
        """Look whether the file has its name still; when it has lost it, nothing more is ever written to it."""
        now_s = time.monotonic()
        if now_s - self._looked_s > LOOK_EVERY_S:
            if os.stat(self._name).st_ino != self._file:
                raise OSError(None, "the file was replaced by another")
            self._looked_s = now_s


def _sync_folder(folder: Path) -> None:
    """Let the file's name survive a power cut too."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
