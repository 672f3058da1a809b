"""PostgreSQL as one of the programs that are killed, copied and restored."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from platefleet.deploy.simulate.programs import leashed
from tests.postgresql import Postgresql
from tests.prerequisites import postgresql as installed
from tests.until import until


class Server(Postgresql):
    """A server that ends with whoever started it, and that finds its way back after a kill."""

    def __init__(self, programs: Path, folder: Path) -> None:
        super().__init__(programs, folder)
        self._as = [*self._as, "--pdeathsig", "KILL"] if self._as else leashed([])
        super().start()
        self.address = self.database()

    def start(self) -> None:
        """Start it unless it runs. What a killed one left has to end first, by itself."""
        if self._process is None:
            until(self._started, 60)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def copy(self, to: Path) -> None:
        subprocess.run(["cp", "-a", str(self.folder / "data"), str(to)], check=True)

    def restore(self, copy: Path) -> None:
        shutil.rmtree(self.folder / "data")
        subprocess.run(["cp", "-a", str(copy / "data"), str(self.folder)], check=True)

    def _started(self) -> bool:
        try:
            super().start()
        except AssertionError:
            self._process = None
            return False
        return True


@contextmanager
def a_server() -> Iterator[Server]:
    programs = installed()
    if programs is None:
        pytest.skip("postgresql is not installed (Debian: apt-get install postgresql)")
    with TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:  # short: it holds a socket
        server = Server(programs, Path(folder))
        try:
            yield server
        finally:
            server.kill()
