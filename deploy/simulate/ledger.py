"""The generator's own book: what was handed to an outbox and what it kept, written past it and flushed to the disk.

One JSON line a note. `hand` is written before a record is appended, `kept` after; who is killed between the two leaves
a record that may or may not arrive, and both are right. Files are rotated, so that they stay smaller than any limit on
file sizes under which an outbox is to be tried.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from platefleet.protocol.errors import StoreError

ROTATED_BYTES = 48 * 1024
DIGEST_DIGITS = 32
"""Of a SHA-256 in hexadecimal: 128 bits tell any number of records apart."""


def digest(content: bytes) -> str:
    """Return the name of a body or a frame in the ledger."""
    return sha256(content).hexdigest()[:DIGEST_DIGITS]


class LedgerFile:
    """Writes `<stem>-<n>.jsonl` in a folder. For one thread; `note` gathers, `flush` makes durable."""

    def __init__(self, folder: Path, stem: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._stem = folder, stem
        self._number = sum(1 for _ in folder.glob(f"{stem}-*.jsonl"))
        self._lines: list[str] = []
        self.kept = 0
        """Notes of that kind."""
        self._file = self._next()

    def note(self, kind: str, **fields: Any) -> None:
        """Remember a line for the next `flush`."""
        self.kept += kind == "kept"
        self._lines.append(json.dumps({"kind": kind, **fields}, separators=(",", ":")) + "\n")

    def flush(self) -> None:
        """Make every line durable. Raises StoreError if the file was deleted meanwhile: nothing could be compared."""
        if not self._lines:
            return
        if self._file.tell() >= ROTATED_BYTES:
            self._file.close()
            self._file = self._next()
        self._file.write("".join(self._lines).encode())
        self._lines.clear()
        os.fdatasync(self._file.fileno())
        if not os.fstat(self._file.fileno()).st_nlink:
            raise self._deleted()

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        self._file.close()

    def _next(self) -> Any:
        self._number += 1
        try:
            return (self._folder / f"{self._stem}-{self._number:05d}.jsonl").open("ab", buffering=0)
        except FileNotFoundError:
            raise self._deleted() from None

    def _deleted(self) -> StoreError:
        return StoreError(
            f"{self._folder}: the ledger was deleted while it was written, so nothing can be compared; leave the "
            "folder alone until the end"
        )


def notes(folder: Path, stem: str = "*") -> Iterator[Mapping[str, Any]]:
    """Yield every whole line of every ledger in `folder`; the last one of a writer that was killed may be torn.

    stem: of one writer's ledger, for its lines alone.
    """
    for path in sorted(folder.glob(f"{stem}-*.jsonl")):
        for line in path.read_bytes().split(b"\n")[:-1]:
            yield json.loads(line)
