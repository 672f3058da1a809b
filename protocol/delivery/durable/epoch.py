"""One epoch of a database: where its rows are, what is known of it, and where to look first."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import msgpack

from platefleet.protocol.delivery.belief import Belief
from platefleet.protocol.delivery.range_set import Range, RangeSet


@dataclass
class DiskEpoch:
    """One epoch. Row of seq n: base + n.

    loaded: read from a database: its rows' monotonic times may be those of another boot.
    waiting, crops, committed: rows held that wait, that wait and are crops, that the store is believed to have.
    waiting_from, crops_from, committed_from: no such row lies below this seq.
    """

    number: int
    base: int
    belief: Belief
    loaded: bool = False
    waiting: int = 0
    crops: int = 0
    committed: int = 0
    waiting_from: int = 1
    crops_from: int = 1
    committed_from: int = 1

    @property
    def name(self) -> str:
        """Its name on the wire."""
        return self.belief.epoch

    @property
    def end(self) -> int:
        """The row number of its last record; the next epoch's rows begin above it."""
        return self.base + self.belief.last

    def rows(self, seqs: Range) -> Range:
        """Return the rows of a range of seqs."""
        return self.base + seqs[0], self.base + seqs[1]


def packed(believed: RangeSet) -> bytes:
    """Return ranges as the database keeps them.

    >>> unpacked(packed(RangeSet([(1, 3), (7, 7)]))).ranges
    [(1, 3), (7, 7)]
    """
    data: bytes = msgpack.packb([seq for each in believed.ranges for seq in each])
    return zlib.crc32(data).to_bytes(4, "big") + data


def unpacked(data: bytes) -> RangeSet:
    """Return ranges from the database; none if they cannot be read, since the store is asked anyway."""
    if zlib.crc32(data[4:]).to_bytes(4, "big") != data[:4]:
        return RangeSet()
    seqs = msgpack.unpackb(data[4:])
    return RangeSet(zip(seqs[::2], seqs[1::2], strict=True))
