"""Durable outboxes for tests, and what may go wrong with their disks."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from platefleet.protocol.clock import Clock
from platefleet.protocol.delivery.durable import DurableOutbox, open_outbox
from platefleet.protocol.delivery.frame import open_body
from platefleet.protocol.delivery.outbox import Outbox
from platefleet.protocol.messages import EpochOpening
from tests.turned_clock import TurnedClock


def a_durable(
    path: Path,
    *,
    clock: Clock | None = None,
    quota_bytes: int = 10_000_000,
    quota_records: int = 100_000,
    keep_days: float | None = None,
    slow_s: float = 60,
    retry_s: tuple[float, float] = (0.05, 0.1),
    start_s: float = 60,
) -> DurableOutbox:
    """Open one that waits for a slow test machine, and tries a disk that refused again soon."""
    return open_outbox(
        path,
        clock=clock or TurnedClock(),
        quota_bytes=quota_bytes,
        quota_records=quota_records,
        keep_days=keep_days,
        clock_state=lambda _: "synced",
        slow_s=slow_s,
        retry_s=retry_s,
        start_s=start_s,
    )


def opening_of(outbox: Outbox, epoch: str) -> EpochOpening:
    """Return what record 1 of an epoch says."""
    record = outbox.read((epoch, 1))
    assert record is not None
    opening = open_body(record)
    assert isinstance(opening, EpochOpening)
    return opening


def names(outbox: Outbox) -> list[tuple[str, int]]:
    """Return the names of all that waits."""
    return [entry.key for entry in outbox.waiting(None, 1_000_000)]


def rows_of(path: Path, question: str) -> list[tuple[object, ...]]:
    """Ask a database past the program."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()
