"""The allow-list's file: read again when it changes, the last good one kept, across restarts too."""

from __future__ import annotations

import logging
from pathlib import Path

from platefleet.fleet.gate.allow_list import ALPHABET, LIMIT_BYTES, AllowList, parse
from platefleet.fleet.gate.match import EXACT, Matching
from platefleet.protocol.durable import replace_file
from platefleet.protocol.errors import GateError

LOG = logging.getLogger(__name__)
Look = tuple[int, int, int, int]
"""Device, inode, size and time of change: what tells one state of a file from another."""


class AllowFile:
    """One file and the newest list that it held. `list` and `problem` may be read from any thread.

    kept: where a copy of the last good file stays, so that a gate that restarts beside a broken file goes on with it.
    problem: one sentence while the file cannot be used, empty while it can.
    """

    def __init__(self, path: Path, kept: Path, *, matching: Matching = EXACT, alphabet: str = ALPHABET) -> None:
        self.path = path
        self.list = AllowList(matching=matching)
        self.problem = ""
        self._kept = kept
        self._matching = matching
        self._alphabet = alphabet
        self._loaded: Look | None = None
        self._seen: Look | None = None

    def open(self) -> AllowList:
        """Read the file for the first time, or else the copy. Raises GateError if neither can be used."""
        look = self._look()
        try:
            self._take(self._read(self.path), look)
        except GateError as error:
            if not self._kept.exists():
                raise
            self.list = parse(self._read(self._kept), str(self._kept), self._matching, self._alphabet).prepare()
            self._loaded = self._seen = look
            self._tell(error)
        return self.list

    def poll(self) -> AllowList | None:
        """Return a new list if the file has changed and is good, else None. Call it about once a second.

        A change is read at the second look that finds it the same: whoever writes in place is not read half-way.
        """
        look = self._look()
        if look == self._loaded:
            return None
        if look != self._seen:
            self._seen = look
            return None
        self._loaded = look
        before = self.list.version
        try:
            data = self._read(self.path)
            if self._look() != look:
                self._loaded = None
                return None
            self._take(data, look)
        except GateError as error:
            self._tell(error)
            return None
        return self.list if self.list.version != before else None

    def _take(self, data: bytes, look: Look | None) -> None:
        self.list = parse(data, str(self.path), self._matching, self._alphabet).prepare()
        self._loaded = self._seen = look
        self.problem = ""
        try:
            replace_file(self._kept, data)
        except OSError as error:
            LOG.warning("%s: no copy of the allow-list could be kept (%s)", self._kept, error.strerror)

    def _tell(self, error: GateError) -> None:
        self.problem = f"{error} The last good list stays in force."[:512]
        LOG.error("%s", self.problem)

    def _look(self) -> Look | None:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns

    def _read(self, path: Path) -> bytes:
        try:
            with path.open("rb") as file:
                data = file.read(LIMIT_BYTES + 1)
        except OSError as error:
            raise GateError(
                f"{path}: the allow-list cannot be read ({error.strerror}); check path and rights."
            ) from error
        if not data:
            # An empty file is what a full disk or a crash of an editor leaves: nobody means it.
            raise GateError(f"{path}: the allow-list is empty, without even a header; correct the file.")
        return data
