"""An answer that is full says nothing of what it leaves out, and what it leaves out is asked for next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from platefleet.protocol.delivery.answers import spoken_of
from platefleet.protocol.delivery.belief import Belief
from platefleet.protocol.delivery.range_set import RangeSet
from platefleet.protocol.messages import EpochCoverage, EpochEnd
from platefleet.protocol.messages.delivery import RANGES_ANSWERED
from tests.record_builders import an_epoch

LAST = 12


def answer(store: Mapping[str, RangeSet], epochs: Sequence[str], most: int) -> list[EpochCoverage]:
    """Answer as a store does (see the contract of stores)."""
    told = []
    for epoch in epochs:
        ranges = tuple(store[epoch].ranges[:most])
        most -= len(ranges)
        told.append(EpochCoverage(epoch=epoch, covered=ranges))
    return told


seqs = st.sets(st.integers(1, LAST))


def ranges(some: set[int]) -> RangeSet:
    return RangeSet((seq, seq) for seq in some)


@given(st.lists(st.tuples(seqs, seqs), min_size=1, max_size=5), st.integers(1, 8))
def test_asked_to_the_end_only_what_the_store_lost_is_forgotten_and_what_it_has_is_believed(
    epochs: list[tuple[set[int], set[int]]], most: int
) -> None:
    store = {an_epoch(n): ranges(has) for n, (has, _) in enumerate(epochs)}
    beliefs = {}
    for n, (_, believed) in enumerate(epochs):
        beliefs[an_epoch(n)] = belief = Belief(an_epoch(n))
        belief.last = LAST
        belief.believe(ranges(believed).ranges)
    left = tuple(EpochEnd(epoch=epoch, last=LAST) for epoch in store)
    parts = 0
    while left:
        told = answer(store, [end.epoch for end in left], most)
        spoken, rest = spoken_of(left, told, most)
        assert len(rest) < len(left)
        for end in spoken:
            covered = next(each.covered for each in told if each.epoch == end.epoch)
            beliefs[end.epoch].replace(end.last, covered)
        left, parts = rest, parts + 1
    assert parts <= len(epochs)
    for epoch, (has, believed) in zip(store, epochs, strict=True):
        known = {seq for seq in range(1, LAST + 1) if seq in beliefs[epoch].believed}
        assert has & believed <= known <= has | believed, "nothing that the store has is forgotten"
        full = len(store[epoch].ranges) >= most
        until = store[epoch].ranges[most - 1][1] if full else LAST
        assert {seq for seq in known if seq <= until} == {seq for seq in has if seq <= until}


def test_an_answer_with_room_left_speaks_of_all_that_was_asked() -> None:
    asked = tuple(EpochEnd(epoch=an_epoch(n), last=9) for n in range(3))
    assert spoken_of(asked, []) == (asked, ())
    assert spoken_of(asked, [EpochCoverage(epoch=an_epoch(1), covered=((1, 9),))]) == (asked, ())


def test_a_full_one_speaks_up_to_its_last_range() -> None:
    asked = tuple(EpochEnd(epoch=an_epoch(n), last=100_000) for n in range(4))
    full = [
        EpochCoverage(epoch=an_epoch(0)),
        EpochCoverage(epoch=an_epoch(1), covered=tuple((2 * n, 2 * n) for n in range(1, RANGES_ANSWERED + 1))),
        EpochCoverage(epoch=an_epoch(2)),
        EpochCoverage(epoch=an_epoch(3)),
    ]
    cut = EpochEnd(epoch=an_epoch(1), last=2 * RANGES_ANSWERED)
    assert spoken_of(asked, full) == ((asked[0], cut), asked[1:])
    assert spoken_of(asked[1:], full[1:]) == ((cut,), asked[2:]), "it fills an answer alone"


def test_a_full_answer_to_something_else_speaks_of_nothing() -> None:
    asked = (EpochEnd(epoch=an_epoch(0), last=9),)
    other = EpochCoverage(epoch=an_epoch(1), covered=tuple((2 * n, 2 * n) for n in range(1, RANGES_ANSWERED + 1)))
    assert spoken_of(asked, [other]) == ((), ())
