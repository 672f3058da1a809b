"""Each question is asked of both databases: SQLite, and a PostgreSQL of these tests' own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.question_builders import Site
from tests.until import until

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))


@pytest.fixture(scope="session")
def question_server() -> Iterator[str]:
    """A PostgreSQL that listens on a socket in a temporary folder; root may not run it, the user postgres does."""
    if not PROGRAMS:
        pytest.skip("postgresql is not installed (Debian: apt-get install postgresql)")
    programs = PROGRAMS[-1].parent
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:  # short: it holds a socket
        if as_user:
            shutil.chown(folder, "postgres", "postgres")
        made = [str(programs / "initdb"), "-D", f"{folder}/data", "-U", "platefleet", "-A", "trust", "--no-sync"]
        subprocess.run([*as_user, *made], check=True, capture_output=True, cwd=folder)
        server = subprocess.Popen(
            [
                *as_user,
                str(programs / "postgres"),
                "-D",
                f"{folder}/data",
                "-k",
                folder,
                "-c",
                "listen_addresses=",
                "-F",
            ],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until(lambda: _answers(folder), 60)
            yield folder
        finally:
            server.send_signal(signal.SIGQUIT)  # at once: nothing in it is kept
            server.wait(60)


def _answers(folder: str) -> bool:
    try:
        psycopg.connect(host=folder, user="platefleet", dbname="postgres", connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    elsewhere = ""
    if request.param == "postgresql":
        elsewhere = f"postgresql://platefleet@/postgres?host={request.getfixturevalue('question_server')}"
    opened = Site(tmp_path, elsewhere)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_site(tmp_path: Path) -> Iterator[Site]:
    opened = Site(tmp_path)
    yield opened
    opened.close()
