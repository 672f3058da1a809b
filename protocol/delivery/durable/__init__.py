"""The durable outbox: SQLite on the device's disk, and memory while the disk refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from platefleet.protocol.clock import Clock, Instant
from platefleet.protocol.clock_sync import ClockState
from platefleet.protocol.delivery.durable.fallback import DurableOutbox
from platefleet.protocol.delivery.durable.modes import RETRY_S, SLOW_S, START_S
from platefleet.protocol.delivery.durable.reading import Settings

QUOTA_BYTES = 2 * 1024**3
QUOTA_RECORDS = 1_000_000
KEEP_DAYS = 30.0


def open_outbox(
    path: Path,
    *,
    clock: Clock,
    quota_bytes: int = QUOTA_BYTES,
    quota_records: int = QUOTA_RECORDS,
    keep_days: float | None = KEEP_DAYS,
    clock_state: Callable[[Instant], ClockState] = lambda _: "unsynced",
    slow_s: float = SLOW_S,
    retry_s: tuple[float, float] = RETRY_S,
    start_s: float = START_S,
) -> DurableOutbox:
    """Open the outbox of this machine and begin a new epoch in it.

    quota_bytes, quota_records: of records held. keep_days: committed ones stay so long, for a store that is restored
    from a backup. clock_state: what is known of the clock when an epoch begins. slow_s: a disk that needs longer counts
    as one that refuses. retry_s: the first and the longest pause before a disk that refused is tried again. start_s: a
    database that takes longer to be checked is checked beside, and until then records go to memory.

    A broken database is kept beside and a new one begun; a disk that is full, read-only or failing means memory until
    it works again (`volatile`, `problems`). Raises OutboxError only if another process has this outbox.
    """
    use = Settings(clock, quota_bytes, quota_records, keep_days, clock_state)
    return DurableOutbox(path, use, slow_s=slow_s, retry_s=retry_s, start_s=start_s)


__all__ = ["DurableOutbox", "open_outbox"]
