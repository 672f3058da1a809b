"""What is known of one epoch beside the records that are held: what the store has, and what nobody will get."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from platefleet.protocol.delivery import coverage
from platefleet.protocol.delivery.gone import GoneRanges
from platefleet.protocol.delivery.port import Standing
from platefleet.protocol.delivery.range_set import Range, RangeSet
from platefleet.protocol.messages.delivery import GoneReason


class Belief:
    """Of an epoch's seqs 1 … `last`, every one is held, believed to be at the store, or lost.

    believed: only grows by acks and is replaced by answers. lost: all that ever was given up, told or not: what is lost
    and not believed is gone.
    """

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.last = 0
        self.believed = RangeSet()
        self.lost = GoneRanges()

    def standing(self, seq: int) -> Standing:
        """Return what is believed of a seq."""
        if seq in self.believed:
            return "covered"
        return "gone" if seq in self.lost else "waiting"

    def gone(self) -> Iterator[tuple[int, int, GoneReason]]:
        """Give what is gone and the store is not believed to know, in order."""
        for first, last, reason in self.lost.ranges:
            for begin, end in self.believed.lacking(first, last):
                yield begin, end, reason

    def believe(self, covered: Iterable[Range]) -> list[Range]:
        """Add to what the store is believed to have; return what is new. What was never appended nobody can have."""
        return [new for first, end in covered for new in self.believed.add(max(first, 1), min(end, self.last))]

    def replace(self, asked: int, covered: Iterable[Range]) -> tuple[list[Range], list[Range]]:
        """Believe this of 1 … `asked`, and what was believed before above it.

        Returns what is believed now and was not, and what was believed and is not any more.
        """
        asked = min(asked, self.last)
        told = RangeSet(coverage.clip(coverage.merge(covered), asked))
        forgotten = [out for first, end in self.believed.within(1, asked) for out in told.lacking(first, end)]
        new = [into for first, end in told.ranges for into in self.believed.lacking(first, end)]
        for first, end in self.believed.within(asked + 1, self.last):
            told.add(first, end)
        self.believed = told
        return new, forgotten

    def lose(self, first: int, last: int, reason: GoneReason) -> int:
        """Take first … last, not believed and not held, for lost; return how many were not before."""
        return self.lost.add(first, last, reason)
