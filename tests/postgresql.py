"""The real PostgreSQL on a socket and port of its own, in a temporary folder; a database a test, from a template."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from platefleet.deploy.demo.broker import free_port
from platefleet.fleet.store.opening import open_store
from platefleet.protocol.clock import SystemClock
from tests.prerequisites import postgresql as installed
from tests.until import until

CONFIGURATION = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
fsync = off
max_connections = 60
shared_buffers = 64MB
autovacuum = off
timezone = 'UTC'
"""
"""Durable against a kill of its processes, not of the machine: that is PostgreSQL's to prove, and a test waits less."""


class Postgresql:
    """One server. root may not run it: then it is the user postgres who does."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.programs = programs
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)
        self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(folder, "postgres", "postgres")
        self._run("initdb", "-D", str(folder / "data"), "-U", "platefleet", "-A", "trust", "-E", "UTF8", "--no-sync")
        with (folder / "data" / "postgresql.conf").open("a") as settings:
            settings.write(CONFIGURATION.format(port=self.port, folder=folder))

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as, str(self.programs / "postgres"), "-D", str(self.folder / "data")],
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        until(self._answers, 60)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it, by default in PostgreSQL's fast way; SIGQUIT ends it as a crash would."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(60)
            self._process = None

    def url(self, database: str = "postgres") -> str:
        """Return where a database is."""
        return f"postgresql://platefleet@127.0.0.1:{self.port}/{database}"

    def database(self, template: str = "template0") -> str:
        """Make a database and return its URL."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")  # type: ignore[call-overload]
        return self.url(name)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text(errors="replace")[-2000:]
        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self._as, str(self.programs / program), *arguments], check=True, capture_output=True, cwd=self.folder
        )


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Postgresql]:
    """One server for all tests; `template_store` in it holds an empty store."""
    programs = installed()
    if programs is None:
        pytest.skip("postgresql is not installed (Debian: apt-get install postgresql)")
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:  # short: it holds a socket
        server = Postgresql(programs, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def empty_store(postgresql_server: Postgresql) -> str:
    """The name of a database with a store in it, to make others from. Nobody may be connected to it."""
    url = postgresql_server.database()
    open_store(url, clock=SystemClock()).close()
    return url.rpartition("/")[2]


@pytest.fixture
def own_postgresql(tmp_path: Path) -> Iterator[Postgresql]:
    """A server for one test alone, which may stop and start it."""
    programs = installed()
    if programs is None:
        pytest.skip("postgresql is not installed (Debian: apt-get install postgresql)")
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        server = Postgresql(programs, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
