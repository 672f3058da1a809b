"""Tables of a PostgreSQL database into a file and back, by pg_dump and pg_restore."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy.engine import URL

from platefleet.fleet.store.backup_place import cannot_be_written
from platefleet.protocol.errors import StoreError


def put_back_dump(url: URL, what: str, file: Path, names: Sequence[str], *, kind: str = "store") -> None:
    """Replace the named tables by those of the dump, in one transaction, committed once it was read to its end.

    what: how the database is called in a sentence. Raises StoreError.
    """
    environment = _environment(url)
    psql = [program("psql"), _where(url), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
    with subprocess.Popen(psql, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as taking:
        assert taking.stdin is not None
        assert taking.stderr is not None
        done = None
        with suppress(BrokenPipeError):  # it ended: what it said is told below
            taking.stdin.write(f"BEGIN; DROP TABLE IF EXISTS {', '.join(names)} CASCADE;\n".encode())
            taking.stdin.flush()
            reading = [program("pg_restore"), "--no-owner", "--exit-on-error", "--file=-", str(file)]
            done = subprocess.run(reading, stdout=taking.stdin, stderr=subprocess.PIPE, check=False)
            if done.returncode == 0:
                taking.stdin.write(b"\nCOMMIT;\n")
        with suppress(BrokenPipeError):
            taking.stdin.close()
        said = taking.stderr.read()
    if done is not None and done.returncode and not _hung_up(done):
        raise StoreError(f"backup {file}: pg_restore cannot read it ({_told(done.stderr)}); restore another one.")
    if taking.returncode or done is None or done.returncode:
        raise _failed(f"{kind} {what}", "psql", said)


def dump(url: URL, what: str, part: Path, file: Path, names: Sequence[str] = (), *, kind: str = "store") -> None:
    """Write the named tables, or all, into `part`; `file` is what it is to be called. Raises StoreError."""
    only = [f"--table={name}" for name in names]
    command = [program("pg_dump"), _where(url), "--format=custom", "--no-owner", f"--file={part}", *only]
    done = subprocess.run(command, env=_environment(url), capture_output=True, check=False)
    if done.returncode and b"output file" in done.stderr:
        raise cannot_be_written(file, _told(done.stderr))
    if done.returncode:
        raise _failed(f"{kind} {what}", "pg_dump", done.stderr)


def tables_in(file: Path) -> set[str]:
    """Return the names of the tables in a dump. Raises StoreError for one that cannot be read."""
    command = [program("pg_restore"), "--list", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        said = _told(done.stderr.encode())
        raise StoreError(f"backup {file}: pg_restore cannot read it ({said}); restore another one.")
    words = (line.split() for line in done.stdout.splitlines() if not line.startswith(";"))
    return {each[6] for each in words if each[3:5] == ["TABLE", "DATA"]}


def _hung_up(done: subprocess.CompletedProcess[bytes]) -> bool:
    """Return whether a program ended because nobody took what it wrote."""
    return done.returncode == -signal.SIGPIPE or b"roken pipe" in done.stderr


def program(name: str) -> str:
    """Return where one of PostgreSQL's programs is. Raises StoreError."""
    found = shutil.which(name)
    if found is None:
        raise StoreError(f"backup: {name} is not installed; on Debian apt-get install postgresql-client brings it.")
    return found


def _where(url: URL) -> str:
    from platefleet.fleet.store.postgresql import conninfo  # noqa: PLC0415 - an extra

    return f"--dbname={conninfo(url._replace(password=None))}"


def _environment(url: URL) -> dict[str, str]:
    """Return the environment with the password, which no other user reads there, unlike a command line."""
    return {**os.environ, **({"PGPASSWORD": str(url.password)} if url.password else {})}


def _failed(what: str, name: str, said: bytes) -> StoreError:
    return StoreError(f"{what}: {name} failed ({_told(said)}); mend what it names.")


def _told(said: bytes) -> str:
    return " ".join(said.decode(errors="replace").split())[:300]
