"""The gate's journal: an append-only file that is durable before anything moves, and the lock on it.

One line an entry, `crc32 json`, after a first line that names the format. A tail torn off by a crash is cut away when
the journal is opened, after the whole file was copied to `….broken`; a damaged line in the middle likewise, and told.
Issue 2's outbox takes its place; the entries stay.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import ValidationError

from platefleet.fleet.gate.facts import Intent, Result
from platefleet.fleet.gate.replay import Entry, Known, Started
from platefleet.protocol.durable import sync_folder
from platefleet.protocol.errors import GateError
from platefleet.protocol.messages import Decision

LOG = logging.getLogger(__name__)
HEADER = b"platefleet gate journal 1\n"
COMPACT_BYTES = 4 * 1024 * 1024
"""About 5,000 openings; above it the journal is written anew with what is still of use."""
LINE_LIMIT_BYTES = 64 * 1024


class Lock:
    """One process at a time may write the journal: `flock` on a file beside it, which holds the process's id."""

    def __init__(self, journal: Path) -> None:
        """Take the lock. Raises GateError that names the holder."""
        path = journal.with_name(f"{journal.name}.lock")
        try:
            journal.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise GateError(f"{path}: cannot be made ({error.strerror}); give this user the folder.") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            who = f"process {holder}" if holder.isdigit() else "another process"
            raise Held(f"{journal}: {who} has this journal; one machine acts under a name, stop it first.") from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode("ascii"), 0)

    def release(self) -> None:
        """Give the lock back. The file stays: deleting it would let two hold it."""
        if self._file >= 0:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = -1


class Held(GateError):
    """Another process has the journal: a controller runs, or somebody opens by hand."""


class Journal:
    """An open journal. entries: what it holds. damage: what was wrong with it when it was opened, empty if nothing."""

    def __init__(self, path: Path) -> None:
        """Lock, read and repair the journal, or make it. Raises GateError."""
        self.path = path
        self._lock = Lock(path)
        self._file = -1
        self._torn = False
        self._compact_at = COMPACT_BYTES
        try:
            self.entries, self.damage = self._open()
        except OSError as error:
            self._lock.release()
            raise GateError(f"{path}: cannot be used ({error.strerror}); check its disk and its folder.") from error
        except GateError:
            self._lock.release()
            raise

    def append(self, entry: Entry) -> None:
        """Make an entry durable. Raises GateError; then it is not in the journal."""
        line = encoded(entry)
        try:
            if self._torn:
                self._cut()
            self._torn = True
            if os.write(self._file, line) != len(line):
                raise OSError(None, "the disk is full")
            os.fdatasync(self._file)
        except OSError as error:
            reason = error.strerror or str(error)
            try:
                self._cut()
            except OSError as again:
                LOG.warning("%s: half an entry stays until the next (%s)", self.path, again.strerror)
            raise GateError(f"{self.path}: cannot be written ({reason}); nothing opens until it can.") from error
        self._torn = False
        self._size += len(line)
        self.entries.append(entry)

    @property
    def long(self) -> bool:
        """Whether it should be written anew."""
        return self._size > self._compact_at

    def compact(self, entries: Sequence[Entry]) -> None:
        """Replace what it holds, atomically. Raises GateError; what is appended afterwards is kept all the same."""
        try:
            self._replace(entries)
        except OSError as error:
            raise GateError(f"{self.path}: cannot be shortened ({error.strerror}); check its disk.") from error
        self.entries = list(entries)
        self._compact_at = max(COMPACT_BYTES, 2 * self._size)

    def close(self) -> None:
        """Close the file and give the lock back. Calling it again does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._lock.release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> tuple[list[Entry], str]:
        data = self.path.read_bytes() if self.path.exists() else b""
        if not data:
            self._replace(())
            return [], ""
        first, _, rest = data.partition(b"\n")
        if first + b"\n" != HEADER:
            raise GateError(f"{self.path}: no journal of this version; name another file, or the newer program.")
        entries, bad, torn = decoded(rest)
        if bad or torn:
            broken = self.path.with_name(f"{self.path.name}.broken")
            shutil.copyfile(self.path, broken)
            self._replace(entries)
            what = f"{bad} damaged entries" if bad else "an entry torn by a crash"
            return entries, f"{self.path}: {what} left out; the file as it was is {broken.name}"
        self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        self._size = len(data)
        return entries, ""

    def _replace(self, entries: Sequence[Entry]) -> None:
        new = self.path.with_name(f"{self.path.name}.new")
        data = HEADER + b"".join(encoded(entry) for entry in entries)
        file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            written = 0
            while written < len(data):
                written += os.write(file, data[written:])
            os.fsync(file)
            new.replace(self.path)
        except OSError:
            os.close(file)
            raise
        # From here on the new file is the journal, whatever comes: the old one has no name any more.
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size, self._torn = file, len(data), False
        sync_folder(self.path.parent)

    def _cut(self) -> None:
        """Cut away what an append that failed may have left."""
        os.ftruncate(self._file, self._size)
        os.fdatasync(self._file)
        self._torn = False


def encoded(entry: Entry) -> bytes:
    """Return an entry as its line."""
    match entry:
        case Intent(token, plate, decision):
            value: dict[str, Any] = {"intent": token, "plate": plate, "decision": _plain(decision)}
        case Result(token, outcome, decision):
            value = {"result": token, "outcome": outcome, "decision": _plain(decision)}
        case Known(incarnation):
            value = {"incarnation": incarnation}
        case Started(utc_ns, tells):
            value = {"started": utc_ns, "tells": tells}
    text = json.dumps(value, separators=(",", ":")).encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(text), text)


def decoded(data: bytes) -> tuple[list[Entry], int, bool]:
    """Return the entries in `data`, how many whole lines are damaged, and whether the tail is torn."""
    *lines, tail = data.split(b"\n")
    entries: list[Entry] = []
    bad = 0
    for line in lines:
        entry = _entry(line)
        if entry is None:
            bad += 1
        else:
            entries.append(entry)
    return entries, bad, bool(tail)


def _entry(line: bytes) -> Entry | None:
    crc, _, text = line.partition(b" ")
    if len(line) > LINE_LIMIT_BYTES or crc != b"%08x" % zlib.crc32(text):
        return None
    try:
        match json.loads(text):
            case {"intent": str(token), "plate": str(plate), "decision": dict(decision)}:
                return Intent(token, plate, _decision(decision))
            case {"result": str(token), "outcome": "opened" | "failed" | "withdrawn" as outcome, "decision": dict(d)}:
                return Result(token, outcome, _decision(d))
            case {"incarnation": str(incarnation)}:
                return Known(incarnation)
            case {"started": int(utc_ns), "tells": bool(tells)}:
                return Started(utc_ns, tells)
    except (ValueError, ValidationError) as error:
        LOG.warning("a journal's entry has its checksum and no meaning: %s", error)
    return None


def _plain(decision: Decision) -> dict[str, Any]:
    return decision.model_dump(mode="json", by_alias=True, exclude_none=True)


def _decision(plain: dict[str, Any]) -> Decision:
    return Decision.model_validate_json(json.dumps(plain))
