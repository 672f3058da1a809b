"""Which seqs of an epoch are covered: sorted, disjoint, inclusive ranges, never touching.

>>> merge([(1, 3), (5, 6), (4, 4)])
((1, 6),)
>>> missing(((2, 3), (6, 6)), 7)
((1, 1), (4, 5), (7, 7))
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

Ranges = tuple[tuple[int, int], ...]


def merge(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return the union of inclusive ranges, in order. A range that ends before it begins holds nothing."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(r for r in ranges if r[0] <= r[1]):
        if merged and first <= merged[-1][1] + 1:
            if last > merged[-1][1]:
                merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return tuple(merged)


def missing(covered: Ranges, last: int) -> Ranges:
    """Return what of 1 … `last` is not in `covered` (merged); `last` may be 0."""
    gaps = []
    expected = 1
    for first, end in covered:
        if first > last:
            break
        if first > expected:
            gaps.append((expected, first - 1))
        expected = max(expected, end + 1)
    if expected <= last:
        gaps.append((expected, last))
    return tuple(gaps)


def contains(covered: Ranges, seq: int) -> bool:
    """Whether `seq` lies in `covered` (merged)."""
    at = bisect_right(covered, (seq, 2**63)) - 1
    return at >= 0 and covered[at][0] <= seq <= covered[at][1]


def count(covered: Ranges) -> int:
    """Return how many seqs `covered` (merged) holds."""
    return sum(last - first + 1 for first, last in covered)


def clip(covered: Ranges, last: int) -> Ranges:
    """Return the part of `covered` (merged) that lies in 1 … `last`: nobody can have what was never sent."""
    clipped = ((max(first, 1), min(end, last)) for first, end in covered)
    return tuple((first, end) for first, end in clipped if first <= end)
