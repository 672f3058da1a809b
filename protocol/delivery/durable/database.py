"""An open database: one connection that writes, one that reads beside it, and the file that both must still be."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from platefleet.protocol.delivery.durable import schema
from platefleet.protocol.delivery.durable.refused import refusing
from platefleet.protocol.errors import OutboxError


class Database:
    """Two connections. Whoever uses one holds the lock that guards it; the reader waits for no writer."""

    def __init__(self, path: Path) -> None:
        """Open it, and make it if there is none. Raises DiskRefused."""
        self.path = path
        self.closed = False
        with refusing(path):
            self._writer = schema.writer(path)
            try:
                self.reader = schema.reader(path)
                self._file = os.stat(path).st_ino
            except BaseException:
                self._writer.close()
                raise

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all of it and sync, or nothing. Raises DiskRefused, OutboxError when it is closed."""
        if self.closed:
            raise OutboxError(f"{self.path}: the outbox is closed; nothing is kept any more.")
        with refusing(self.path):
            if os.stat(self.path).st_ino != self._file:
                raise OSError(None, "the file was replaced by another")
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    with suppress(sqlite3.Error):
                        self._writer.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close both connections."""
        self.closed = True
        for connection in (self.reader, self._writer):
            with suppress(sqlite3.Error):
                connection.close()
