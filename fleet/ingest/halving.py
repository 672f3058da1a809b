"""A batch that the database refuses, cut in halves until the one record that it cannot hold stands alone. Pure."""

from __future__ import annotations

from dataclasses import replace

from platefleet.fleet.store.port import Batch

REFUSED = "unstorable: the database refuses what it says; its frame is kept"


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """Return the batch in two, in order, neither empty. It holds at least two things."""
    middle = (len(batch.arrivals) + len(batch.gone)) // 2
    left = max(0, middle - len(batch.arrivals))
    return (
        Batch(batch.arrivals[:middle], batch.gone[:left]),
        Batch(batch.arrivals[middle:], batch.gone[left:]),
    )


def without_bodies(batch: Batch) -> Batch:
    """Return the batch with frames alone, for quarantine."""
    return Batch([replace(each, message=None, undecodable=REFUSED) for each in batch.arrivals], batch.gone)
