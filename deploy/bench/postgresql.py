"""A PostgreSQL for a measurement: on a free port, in a folder of its own, durable as it comes out of the box."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType

import psycopg

from platefleet.deploy.demo.broker import free_port
from platefleet.protocol.errors import StoreError

START_S = 60.0
SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
"""


class OwnPostgresql:
    """One server, from entering to leaving. root may not run it: then it is the user postgres who does."""

    def __init__(self, folder: Path) -> None:
        """Make its files in `folder`. Raises StoreError where PostgreSQL is not installed."""
        programs = _programs()
        if programs is None:
            raise StoreError("ingest: PostgreSQL is not installed; on Debian apt-get install postgresql brings it.")
        self.url = ""
        self._folder, self._programs = folder, programs
        self._process: subprocess.Popen[bytes] | None = None
        self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(folder, "postgres", "postgres")

    def __enter__(self) -> OwnPostgresql:
        """Start it and wait until it answers."""
        port, data = free_port(), str(self._folder / "data")
        initdb = [
            *self._as,
            str(self._programs / "initdb"),
            "-D",
            data,
            "-U",
            "platefleet",
            "-A",
            "trust",
            "-E",
            "UTF8",
        ]
        subprocess.run(initdb, check=True, capture_output=True, cwd=self._folder)
        with (self._folder / "data" / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS.format(port=port, folder=self._folder))
        self.url = f"postgresql://platefleet@127.0.0.1:{port}/postgres"
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as, str(self._programs / "postgres"), "-D", data], stdout=log, stderr=log, cwd=self._folder
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise StoreError(f"ingest: PostgreSQL did not start; see {self._folder / 'log'}.")
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(60)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _programs() -> Path | None:
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return versions[-1].parent if versions else None
