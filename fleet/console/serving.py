"""One service works with a console's database: two would throw each other off."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, Executable, func, select
from sqlalchemy.exc import SQLAlchemyError

from platefleet.protocol.errors import ConfigError
from platefleet.protocol.process_lock import ProcessLock, Taken

LOG = logging.getLogger(__name__)
_SERVING = 0x636F6E74
"""PostgreSQL's lock: a number of our own, beside the one under which the tables are made."""
_SILENCE = {"tcp_keepalives_idle": 5, "tcp_keepalives_interval": 2, "tcp_keepalives_count": 3}
"""On the server's side: a machine that lost its power gives the lock back in some ten seconds, not in two hours."""


class Serving(Protocol):
    """The lock of whoever serves. One thread's."""

    def look(self) -> None:
        """Take it again if it was lost. Raises ConfigError if another service has it by now."""
        ...

    def release(self) -> None:
        """Give it back."""
        ...


class FileLock:
    """Beside a database that is a file."""

    def __init__(self, path: Path, what: str) -> None:
        """Take it. Raises ConfigError if another process has it."""
        try:
            self._lock = ProcessLock(path.with_name(f"{path.name}.serving"))
        except Taken as error:
            raise ConfigError(_sentence(what, str(error))) from error

    def look(self) -> None:
        """Do nothing: it ends with the process and not before."""

    def release(self) -> None:
        """Give it back; its file stays."""
        self._lock.release()


class ServerLock:
    """Of a PostgreSQL server; lasts as long as the connection that holds it, through no pooler of transactions."""

    def __init__(self, engine: Engine, what: str) -> None:
        """Take it. Raises ConfigError if another service has it, and what SQLAlchemy raises."""
        self._engine, self._what = engine, what
        self._connection: Connection | None = None
        self._take()

    def look(self) -> None:
        """Take it again if its connection is gone; a server that is away is looked at again the next time."""
        try:
            if self._connection is not None:
                self._ask(select(1))
                return
        except SQLAlchemyError as error:
            LOG.warning("console: the lock of %s was lost: %s", self._what, str(error).splitlines()[0])
            self.release()
        try:
            self._take()
        except SQLAlchemyError:
            self.release()

    def release(self) -> None:
        """Give it back with its connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _take(self) -> None:
        self._connection = self._engine.connect()
        for name, value in _SILENCE.items():
            self._ask(select(func.set_config(name, str(value), False)))
        if not self._ask(select(func.pg_try_advisory_lock(_SERVING))):
            self.release()
            raise ConfigError(_sentence(self._what, "another console"))

    def _ask(self, statement: Executable) -> object:
        """Return the one value that a statement of its own transaction says."""
        assert self._connection is not None
        with self._connection.begin():
            return self._connection.execute(statement).scalar_one()


def _sentence(what: str, holder: str) -> str:
    return f"console {what}: {holder} serves it already; end that one first."
