"""Coverage as ranges says the same as a set of seqs would, in any order and any number of times."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from platefleet.protocol.delivery import coverage
from platefleet.protocol.delivery.coverage import Ranges

RANGE = st.tuples(st.integers(-3, 30), st.integers(-3, 30))
RANGES = st.lists(RANGE, max_size=8)


def seqs(ranges: list[tuple[int, int]] | Ranges) -> set[int]:
    return {seq for first, last in ranges for seq in range(first, last + 1)}


def as_ranges(wanted: set[int]) -> Ranges:
    return coverage.merge((seq, seq) for seq in wanted)


@given(RANGES)
def test_merging_keeps_every_seq_and_adds_none(ranges: list[tuple[int, int]]) -> None:
    assert seqs(coverage.merge(ranges)) == seqs(ranges)


@given(RANGES)
def test_merged_ranges_are_sorted_hold_something_and_never_touch(ranges: list[tuple[int, int]]) -> None:
    merged = coverage.merge(ranges)
    assert all(first <= last for first, last in merged)
    assert all(end + 1 < first for (_, end), (first, _) in pairwise(merged))


@given(RANGES, st.randoms())
def test_the_order_and_the_number_of_times_do_not_matter(ranges: list[tuple[int, int]], seeded: Random) -> None:
    shuffled = ranges * 2
    seeded.shuffle(shuffled)
    assert coverage.merge(shuffled) == coverage.merge(ranges)


@given(RANGES, RANGES)
def test_merging_in_two_steps_is_merging_at_once(one: list[tuple[int, int]], two: list[tuple[int, int]]) -> None:
    assert coverage.merge([*coverage.merge(one), *two]) == coverage.merge(one + two)


@given(RANGES, st.integers(0, 35))
def test_what_is_missing_is_the_rest_up_to_the_last(ranges: list[tuple[int, int]], last: int) -> None:
    covered = coverage.merge(ranges)
    missing = coverage.missing(covered, last)
    assert seqs(missing) == set(range(1, last + 1)) - seqs(covered)
    assert missing == coverage.merge(missing)


@given(RANGES, st.integers(-5, 35))
def test_a_seq_is_contained_when_a_range_holds_it(ranges: list[tuple[int, int]], seq: int) -> None:
    assert coverage.contains(coverage.merge(ranges), seq) == (seq in seqs(ranges))


@given(RANGES)
def test_counting(ranges: list[tuple[int, int]]) -> None:
    assert coverage.count(coverage.merge(ranges)) == len(seqs(ranges))


@given(RANGES, st.integers(0, 35))
def test_nobody_has_what_was_never_sent(ranges: list[tuple[int, int]], last: int) -> None:
    clipped = coverage.clip(coverage.merge(ranges), last)
    assert seqs(clipped) == {seq for seq in seqs(ranges) if 1 <= seq <= last}
    assert clipped == coverage.merge(clipped)


@given(st.sets(st.integers(1, 40)))
def test_a_set_and_its_complement_are_everything(wanted: set[int]) -> None:
    covered = as_ranges(wanted)
    assert coverage.merge([*covered, *coverage.missing(covered, 40)]) == ((1, 40),)


def test_the_largest_seqs_are_ranges_like_any_other() -> None:
    last = 2**53 - 1
    assert coverage.missing(((1, last - 1),), last) == ((last, last),)
    assert coverage.contains(((1, last),), last)
    assert coverage.count(((1, last),)) == last
