"""A growing set of seqs as sorted, disjoint, inclusive ranges; each change costs what it changes, not what there is."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Range = tuple[int, int]
_END = 2**63


class RangeSet:
    """Sorted ranges that never touch.

    >>> seqs = RangeSet([(1, 3), (8, 9)])
    >>> seqs.add(3, 5), seqs.ranges
    ([(4, 5)], [(1, 5), (8, 9)])
    >>> list(seqs.lacking(4, 10))
    [(6, 7), (10, 10)]
    """

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self.ranges: list[Range] = []
        for first, last in ranges:
            self.add(first, last)

    def __contains__(self, seq: int) -> bool:
        at = bisect_right(self.ranges, (seq, _END)) - 1
        return at >= 0 and seq <= self.ranges[at][1]

    @property
    def last(self) -> int:
        """The highest seq in it; 0 when it is empty."""
        return self.ranges[-1][1] if self.ranges else 0

    def add(self, first: int, last: int) -> list[Range]:
        """Add a range; return what of it was not there before. A range that ends before it begins holds nothing."""
        new = list(self.lacking(first, last))
        if new:
            begin = self._touching(first - 1)
            end = bisect_left(self.ranges, (last + 2, 0))
            if begin < end:
                first, last = min(first, self.ranges[begin][0]), max(last, self.ranges[end - 1][1])
            self.ranges[begin:end] = [(first, last)]
        return new

    def within(self, first: int, last: int) -> Iterator[Range]:
        """Give what of first … last is in it, in order."""
        at = self._touching(first)
        while at < len(self.ranges) and self.ranges[at][0] <= last:
            begin, end = self.ranges[at]
            yield max(begin, first), min(end, last)
            at += 1

    def lacking(self, first: int, last: int) -> Iterator[Range]:
        """Give what of first … last is not in it, in order."""
        for begin, end in self.within(first, last):
            if begin > first:
                yield first, begin - 1
            first = end + 1
        if first <= last:
            yield first, last

    def _touching(self, seq: int) -> int:
        """Return where the first range stands that ends at `seq` or later."""
        at = bisect_right(self.ranges, (seq, _END)) - 1
        return at if at >= 0 and self.ranges[at][1] >= seq else at + 1
