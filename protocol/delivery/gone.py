"""Ranges of one epoch's records that were given up, with the reason."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from platefleet.protocol.messages.delivery import GoneReason

GoneRange = tuple[int, int, GoneReason]


class GoneRanges:
    """Sorted, disjoint, inclusive (first, last, reason); neighbours of one reason are one range."""

    def __init__(self, ranges: Iterable[GoneRange] = ()) -> None:
        self.ranges: list[GoneRange] = []
        for each in ranges:
            self.add(*each)

    def __contains__(self, seq: int) -> bool:
        at = bisect_right(self.ranges, seq, key=_first) - 1
        return at >= 0 and seq <= self.ranges[at][1]

    @property
    def last(self) -> int:
        """The highest seq in it; 0 when it is empty."""
        return self.ranges[-1][1] if self.ranges else 0

    def add(self, first: int, last: int, reason: GoneReason) -> int:
        """Add what of first … last is not there yet; return how many that is. A first reason stays.

        >>> gone = GoneRanges([(1, 1, "quota"), (3, 3, "quota")]); gone.add(1, 2, "quota"), gone.ranges
        (1, [(1, 3, 'quota')])
        """
        new = list(self.lacking(first, last))
        for begin, end in new:
            self._insert(begin, end, reason)
        return sum(end - begin + 1 for begin, end in new)

    def between(self, first: int, last: int) -> Iterator[GoneRange]:
        """Give the ranges that reach into first … last, in order."""
        at = max(bisect_right(self.ranges, first, key=_first) - 1, 0)
        while at < len(self.ranges) and self.ranges[at][0] <= last:
            if self.ranges[at][1] >= first:
                yield self.ranges[at]
            at += 1

    def lacking(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Give what of first … last is not in it, in order."""
        for begin, end, _ in self.between(first, last):
            if begin > first:
                yield first, begin - 1
            first = end + 1
        if first <= last:
            yield first, last

    def _insert(self, first: int, last: int, reason: GoneReason) -> None:
        at = bisect_right(self.ranges, first, key=_first)
        if at < len(self.ranges) and self.ranges[at][0] == last + 1 and self.ranges[at][2] == reason:
            last = self.ranges.pop(at)[1]
        if at > 0 and self.ranges[at - 1][1] == first - 1 and self.ranges[at - 1][2] == reason:
            at -= 1
            first = self.ranges.pop(at)[0]
        self.ranges.insert(at, (first, last, reason))


def _first(gone: GoneRange) -> int:
    return gone[0]
