"""A batch that the database refuses is cut in halves: nothing is lost on the way, nothing comes twice."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from platefleet.fleet.ingest.acks import Acks
from platefleet.fleet.ingest.commit import Committer
from platefleet.fleet.ingest.counters import Counters
from platefleet.fleet.ingest.halving import halves, without_bodies
from platefleet.fleet.ingest.inbox import Inbox
from platefleet.fleet.store.errors import Unstorable
from platefleet.fleet.store.port import Batch, Committed, GoneTold
from platefleet.protocol.delivery.coverage import contains
from platefleet.protocol.messages import EpochCoverage, Gone
from tests.record_builders import a_pass, a_record, an_arrival, an_epoch
from tests.turned_clock import TurnedClock


def a_batch(arrivals: int, gone: int) -> Batch:
    told = [Gone(epoch=an_epoch(2), first=n, last=n, reason="quota") for n in range(1, gone + 1)]
    return Batch(
        tuple(an_arrival(record=a_record(n), body=a_pass()) for n in range(1, arrivals + 1)),
        tuple(GoneTold("north-1", each, 1) for each in told),
    )


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 20), st.integers(0, 20))
def test_halves_are_the_whole_in_order_and_neither_is_empty(arrivals: int, gone: int) -> None:
    batch = a_batch(arrivals, gone)
    if arrivals + gone >= 2:
        left, right = halves(batch)
        assert left
        assert right
        assert (*left.arrivals, *right.arrivals) == batch.arrivals
        assert (*left.gone, *right.gone) == batch.gone


class Picky:
    """A store that refuses some names: a whole transaction for each, as a database does."""

    id = "store-1"

    def __init__(self, refused: set[int], hopeless: set[int]) -> None:
        self.refused, self.hopeless = refused, hopeless
        self.commits = 0
        self.stored: dict[int, bool] = {}

    def commit(self, batch: Batch) -> Committed:
        self.commits += 1
        for arrival in batch.arrivals:
            seq = arrival.record.seq
            if seq in self.hopeless or (seq in self.refused and not arrival.undecodable):
                raise Unstorable(f"no {seq}")
        seqs = [arrival.record.seq for arrival in batch.arrivals]
        self.stored |= {arrival.record.seq: not arrival.undecodable for arrival in batch.arrivals}
        covered = EpochCoverage(epoch=an_epoch(), covered=tuple((seq, seq) for seq in seqs))
        return Committed(covered={"north-1": (covered,)}, fresh=len(seqs))

    def coverage(self, device: str, epochs: object) -> tuple[EpochCoverage, ...]:
        return ()

    def check(self) -> None: ...

    def close(self) -> None: ...


@settings(deadline=None, max_examples=40)
@given(st.sets(st.integers(1, 40), max_size=4), st.sets(st.integers(1, 40), max_size=2))
def test_one_bad_record_never_harms_its_batch_and_what_is_not_stored_is_not_acknowledged(
    refused: set[int], hopeless: set[int]
) -> None:
    clock, store, counters = TurnedClock(), Picky(refused, hopeless), Counters()
    inbox, acks = Inbox(counters), Acks(store.id)
    for arrival in a_batch(40, 0).arrivals:
        inbox._put(arrival)
    Committer(store, inbox, acks, counters, clock=clock, announce=lambda _: None).turn()
    assert store.stored == {n: n not in refused for n in range(1, 41) if n not in hopeless}
    ((_, ack),) = acks.due(clock.now().mono_ns)
    assert all(contains(ack.covered[0].covered, n) == (n not in hopeless) for n in range(1, 41))
    assert counters.unstorable == len(refused | hopeless)
    assert not inbox
    assert store.commits <= 1 + 14 * len(refused | hopeless), "a few transactions for each, not one for every record"


def test_what_goes_to_quarantine_keeps_its_frame_and_says_why() -> None:
    (kept,) = without_bodies(a_batch(1, 0)).arrivals
    assert kept.message is None
    assert "refuses what it says" in kept.undecodable
    assert kept.record == a_record(1)
