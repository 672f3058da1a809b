"""A batch that the database refuses, cut in halves until the one record that it cannot hold stands alone. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from platefleet.fleet.store.port import Batch, Committed

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


def together(parts: Sequence[Committed]) -> Committed:
    """Return the counts of what was committed in parts; their coverage was taken part by part."""
    return Committed(
        clashes=tuple(clash for part in parts for clash in part.clashes),
        fresh=sum(part.fresh for part in parts),
        again=sum(part.again for part in parts),
        quarantined=sum(part.quarantined for part in parts),
    )
