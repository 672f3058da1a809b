"""Ranges of one epoch's records that nobody will get, with the reason, and that the store does not know of yet."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from platefleet.protocol.delivery import coverage
from platefleet.protocol.messages.delivery import GoneReason


@dataclass
class GoneRanges:
    """Sorted, disjoint, inclusive (first, last, reason); neighbours of one reason are one range."""

    ranges: list[tuple[int, int, GoneReason]] = field(default_factory=list)

    def __contains__(self, seq: int) -> bool:
        at = bisect_right(self.ranges, seq, key=lambda r: r[0]) - 1
        return at >= 0 and seq <= self.ranges[at][1]

    def add(self, first: int, last: int, reason: GoneReason) -> None:
        """Add a range that touches none of those that are there.

        >>> gone = GoneRanges(); gone.add(1, 1, "quota"); gone.add(3, 3, "quota"); gone.add(2, 2, "quota"); gone.ranges
        [(1, 3, 'quota')]
        """
        at = bisect_right(self.ranges, first, key=lambda r: r[0])
        if at < len(self.ranges) and self.ranges[at][0] == last + 1 and self.ranges[at][2] == reason:
            last = self.ranges.pop(at)[1]
        if at > 0 and self.ranges[at - 1][1] == first - 1 and self.ranges[at - 1][2] == reason:
            at -= 1
            first = self.ranges.pop(at)[0]
        self.ranges.insert(at, (first, last, reason))

    def told(self, believed: coverage.Ranges) -> None:
        """Forget what the store has or knows to be gone. believed: merged ranges."""
        left: list[tuple[int, int, GoneReason]] = []
        for first, last, reason in self.ranges:
            left += [(max(a, first), b, reason) for a, b in coverage.missing(believed, last) if b >= first]
        self.ranges = left
