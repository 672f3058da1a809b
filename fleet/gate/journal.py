"""The gate's journal: an append-only file that is durable before anything moves, and the lock on it.

One line an entry (`journal_lines.py`), after a first line that names the format. A tail torn off by a crash is cut away
when the journal is opened, after the whole file was copied to `….broken`; a damaged line in the middle likewise, and
told. Space is reserved ahead of the end, so that a disk that others fill up does not keep a barrier shut.

It is no part of the outbox, whose database may be set aside as broken, whose oldest records give way to a quota, and
whose newest live in memory while a disk refuses. What must never be done twice stands here; the outbox is told of it.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from types import TracebackType

from platefleet.fleet.gate.facts import Intent, Result
from platefleet.fleet.gate.journal_lines import Name, decoded, encoded
from platefleet.fleet.gate.replay import Entry
from platefleet.protocol.durable import reserve, sync_folder
from platefleet.protocol.errors import GateError
from platefleet.protocol.process_lock import ProcessLock, Taken

LOG = logging.getLogger(__name__)
HEADER = b"platefleet gate journal 1\n"
COMPACT_BYTES = 4 * 1024 * 1024
"""About 5,000 openings; above it the journal is written anew with what is still of use."""
RESERVED_BYTES = 4 * 1024 * 1024
"""Kept free behind the end; about 5,000 openings. Half of it used up, it is reserved anew."""


class Held(GateError):
    """Another process has the journal: a controller runs, or somebody opens by hand."""


def lock(journal: Path) -> ProcessLock:
    """Take a journal's lock. Raises Held that names the holder, GateError where no file can be made."""
    path = journal.with_name(f"{journal.name}.lock")
    try:
        return ProcessLock(path)
    except OSError as error:
        raise GateError(f"{path}: cannot be made ({error.strerror}); give this user the folder.") from error
    except Taken as taken:
        raise Held(f"{journal}: {taken} has this journal; one machine acts under a name, stop it first.") from taken


class Journal:
    """An open journal.

    name: its own, random: another file is another journal. entries: what it holds; its intents and results are
    numbered. damage: what was wrong with it when it was opened, empty if nothing.
    """

    def __init__(self, path: Path) -> None:
        """Lock, read and repair the journal, or make it. Raises GateError."""
        self.path = path
        self._lock = lock(path)
        self._file = -1
        self._torn = False
        self._compact_at = COMPACT_BYTES
        self.name, self._floor = "", 0
        self._reserved_to = 0
        self._last = 0
        try:
            self.entries, self.damage = self._open()
        except OSError as error:
            self._lock.release()
            raise GateError(f"{path}: cannot be used ({error.strerror}); check its disk and its folder.") from error
        except GateError:
            self._lock.release()
            raise

    def append(self, entry: Entry) -> None:
        """Make an entry durable, with the next number. Raises GateError; then it is not in the journal."""
        if isinstance(entry, Intent | Result):
            entry = replace(entry, number=self._last + 1)
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
        if isinstance(entry, Intent | Result):
            self._last = entry.number
        if self._reserved_to - self._size < RESERVED_BYTES // 2:
            self._reserve()

    @property
    def last(self) -> int:
        """The number of the newest intent or result."""
        return self._last

    def number_after(self, number: int) -> None:
        """Give no number up to this one: somebody knows entries by it that a damage took away."""
        self._last = max(self._last, number)

    def after(self, number: int) -> list[Intent | Result]:
        """Return the intents and results with a greater number, oldest first."""
        numbered = (entry for entry in reversed(self.entries) if isinstance(entry, Intent | Result))
        return list(takewhile(lambda entry: entry.number > number, numbered))[::-1]

    @property
    def long(self) -> bool:
        """Whether it should be written anew."""
        return self._size > self._compact_at

    def compact(self, entries: Sequence[Entry]) -> None:
        """Replace what it holds, atomically. Raises GateError; what is appended afterwards is kept all the same."""
        self._floor = self._last
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
            self.name = secrets.token_hex(8)
            self._replace(())
            return [], ""
        first, _, rest = data.partition(b"\n")
        if first + b"\n" != HEADER:
            raise GateError(f"{self.path}: no journal of this version; name another file, or the newer program.")
        found, bad, torn = decoded(rest)
        entries = [entry for entry in found if not isinstance(entry, Name)]
        names = [entry for entry in found if isinstance(entry, Name)]
        self.name, self._floor = (names[0].name, names[0].last) if names else (secrets.token_hex(8), 0)
        self._last = max([self._floor, *(e.number for e in entries if isinstance(e, Intent | Result))])
        if bad or torn:
            broken = self.path.with_name(f"{self.path.name}.broken")
            shutil.copyfile(self.path, broken)
            self._replace(entries)
            what = f"{bad} damaged entries" if bad else "an entry torn by a crash"
            return entries, f"{self.path}: {what} left out; the file as it was is {broken.name}"
        if not names:
            self._replace(entries)
            return entries, ""
        self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        self._size = len(data)
        self._reserve()
        return entries, ""

    def _replace(self, entries: Sequence[Entry]) -> None:
        new = self.path.with_name(f"{self.path.name}.new")
        data = HEADER + b"".join(encoded(entry) for entry in (Name(self.name, self._floor), *entries))
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
        self._reserve()
        sync_folder(self.path.parent)

    def _cut(self) -> None:
        """Cut away what an append that failed may have left."""
        os.ftruncate(self._file, self._size)
        self._reserve()  # what lay behind the end is given back by a cut
        os.fdatasync(self._file)
        self._torn = False

    def _reserve(self) -> None:
        """Keep space free behind the end. Where that cannot be done, an append that finds none says so."""
        if reserve(self._file, self._size, RESERVED_BYTES):
            self._reserved_to = self._size + RESERVED_BYTES
