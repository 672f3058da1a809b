"""What an append costs: time against a bare write and fdatasync, processor, bytes for the flash; few rows and many.

Bare is one write of the record's bytes and one fdatasync, twice: at the end of a file that grows, which is what a log
of one's own would cost, and over the bytes of one that has its length, which is what SQLite's log does once it is full.
The second spares the file system's journal the file's new size and is the cheaper one.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from platefleet.protocol.clock import SystemClock
from platefleet.protocol.codec import encode
from platefleet.protocol.delivery.durable import DurableOutbox, open_outbox
from platefleet.protocol.delivery.durable import rows as table
from platefleet.protocol.delivery.durable.modes import START_S
from platefleet.protocol.delivery.durable.rows import Row
from platefleet.protocol.delivery.frame import RecordType, freeze
from platefleet.protocol.ids import uuid7
from platefleet.protocol.messages import Crops, EpochCoverage, Message, PlateEvent, Stamp

FEW, MANY = 1_000, 1_000_000
WARM_UP = 1_500
"""Appends before anything is measured: the log has its length by then, as after an hour at a barrier."""
ROUNDS, ROUND = 100, 20
"""So many turns of so many appends each, one after the other: what else the machine does hits all alike."""
LOG_BYTES = 1024 * 1024
"""The length of SQLite's log, see `CHECKPOINT_PAGES`."""
CHECK_S = 300.0
STAMP = Stamp(utc_ns=1_795_000_000_000_000_000, mono_ns=5_000_000_000, boot="b" * 36, clock="synced")


def rows() -> list[dict[str, Any]]:
    """Measure on the disk of the current folder; needs 1.5 GB there."""
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="outbox-bench-") as folder:
        few = Measured("plate events, 1,000 held", *_an_outbox(Path(folder) / "few.db", FEW))
        many = Measured("plate events, 1,000,000 held", *_an_outbox(Path(folder) / "many.db", MANY))
        crops = Measured("crops of 2 KiB, 1,000 held", *_an_outbox(Path(folder) / "crops.db", FEW))
        full = Measured("plate events, quota full of committed", *_an_outbox(Path(folder) / "full.db", FEW, FEW))
        bare, over = Bare(Path(folder) / "bare"), Bare(Path(folder) / "over", LOG_BYTES)
        appends: list[tuple[Measured, RecordType, Message]] = [
            (few, "plate", _a_pass()),
            (many, "plate", _a_pass()),
            (crops, "crops", _a_crop()),
            (full, "plate", _a_pass()),
        ]
        for measured, kind, message in appends:
            for _ in range(WARM_UP):
                measured.size = len(measured.outbox.append(kind, message).frame)
        for _ in range(ROUNDS):
            for measured, kind, message in appends:
                measured.round(partial(measured.outbox.append, kind, message))
                bare.round(measured.size)
                over.round(measured.size)
                ends = measured.outbox.epochs()
                if measured is full:
                    full.outbox.cover([EpochCoverage(epoch=end.epoch, covered=((1, end.last),)) for end in ends])
        for measured, *_ in appends:
            measured.outbox.close()
        return [measured.row(bare, over) for measured, *_ in appends]


@dataclass
class Measured:
    """One outbox under measurement. wchar: bytes given to the system.

    opened_s: until it took records; checked_s: until its database was checked and took them.
    """

    name: str
    outbox: DurableOutbox
    opened_s: float
    checked_s: float
    size: int = 0
    took_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    wchar: int = 0
    write_bytes: int = 0

    def round(self, append: Callable[[], object]) -> None:
        """Append a number of times."""
        before, cpu_s = _written(), time.process_time()
        for _ in range(ROUND):
            began_s = time.perf_counter()
            append()
            self.took_s.append(time.perf_counter() - began_s)
        self.cpu_s.append((time.process_time() - cpu_s) / ROUND)
        after = _written()
        self.wchar += after["wchar"] - before["wchar"]
        self.write_bytes += after["write_bytes"] - before["write_bytes"]

    def row(self, bare: Bare, over: Bare) -> dict[str, Any]:
        """Return the figures of one append."""
        count = len(self.took_s)
        p50_ms, bare_ms, over_ms = (
            1000 * statistics.median(taken) for taken in (self.took_s, bare.took_s[self.size], over.took_s[self.size])
        )
        return {
            "append": self.name,
            "record_bytes": self.size,
            "p50_ms": round(p50_ms, 3),
            "p99_ms": round(1000 * sorted(self.took_s)[count * 99 // 100], 3),
            "bare_p50_ms": round(bare_ms, 3),
            "over_p50_ms": round(over_ms, 3),
            "times_bare": round(p50_ms / bare_ms, 2),
            "times_over": round(p50_ms / over_ms, 2),
            "cpu_ms": round(1000 * statistics.median(self.cpu_s), 3),
            "bytes_written": round(self.wchar / count),
            "bytes_to_device": round(self.write_bytes / count),
            "opened_s": round(self.opened_s, 2),
            "checked_s": round(self.checked_s, 2),
        }


class Bare:
    """A file that is written to and synced. length: how long it is and stays; 0: it grows with each write."""

    def __init__(self, path: Path, length: int = 0) -> None:
        self.took_s: dict[int, list[float]] = {}
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
        self._length = length
        self._at = 0
        os.write(self._file, os.urandom(length))
        os.fsync(self._file)

    def round(self, size: int) -> None:
        """Write and sync so many bytes a number of times."""
        data = os.urandom(size)
        for _ in range(ROUND):
            if self._length and self._at + size > self._length:
                self._at = 0
            began_s = time.perf_counter()
            os.pwrite(self._file, data, self._at)
            os.fdatasync(self._file)
            self.took_s.setdefault(size, []).append(time.perf_counter() - began_s)
            self._at += size


def _an_outbox(path: Path, held: int, quota_records: int = 10 * MANY) -> tuple[DurableOutbox, float, float]:
    """Make an outbox that holds so many plate events; return it opened again, and how long that took."""
    outbox = _opened(path, quota_records, start_s=CHECK_S)
    disk = outbox._disk  # a million appends would take ten minutes; these are the same rows
    assert disk is not None
    body = encode(_a_pass())
    (epoch,) = disk.shelf.epochs.values()
    for begin in range(2, held + 1, 20_000):
        with disk.writing, disk.transaction() as connection:
            for seq in range(begin, min(begin + 20_000, held + 1)):
                frame = freeze(epoch.name, seq, "plate", body).frame
                table.insert(connection, Row(epoch.base + seq, len(frame), 0, 0, 0), frame)
    outbox.close()
    began_s = time.perf_counter()
    outbox = _opened(path, quota_records)
    opened_s = time.perf_counter() - began_s
    while outbox.volatile and time.perf_counter() - began_s < CHECK_S:
        time.sleep(0.05)
    return outbox, opened_s, time.perf_counter() - began_s


def _opened(path: Path, quota_records: int, start_s: float = START_S) -> DurableOutbox:
    return open_outbox(
        path,
        clock=SystemClock(),
        quota_bytes=10 * 1024**3,
        quota_records=quota_records,
        keep_days=None,
        clock_state=lambda _: "synced",
        start_s=start_s,
    )


def _written() -> dict[str, int]:
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return {name: int(count) for name, count in (line.split(": ") for line in lines)}


def _a_pass() -> PlateEvent:
    return PlateEvent(
        pass_id=uuid7(1_795_000_000_000, b"0123456789"), revision=1, final=False, lane="in", captured=STAMP,
        first_seen=STAMP, text="B123ABC", mean=0.9, minimum=0.8, direction="approaching", frames=5,
    )  # fmt: skip


def _a_crop() -> Crops:
    pass_id = uuid7(1_795_000_000_000, b"0123456789")
    return Crops(pass_id=pass_id, revision=1, captured=STAMP, plate=b"\xff\xd8" + os.urandom(2046))
