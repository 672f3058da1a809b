"""What every store must do, whatever database is beneath it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count as count_from

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from platefleet.fleet.store.opening import open_store
from platefleet.fleet.store.port import Arrival, Batch, GoneTold, Store
from platefleet.protocol.clock import SECOND_NS, SystemClock
from platefleet.protocol.delivery.coverage import contains, count, merge
from platefleet.protocol.messages import EpochCoverage, Gone, Stamp
from platefleet.protocol.messages.delivery import RANGES_ANSWERED
from tests.record_builders import a_crop, a_decision, a_pass, a_record, an_arrival, an_epoch, an_opening
from tests.seen import Seen


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url, clock=SystemClock())
    yield opened
    opened.close()


def told_gone(first: int, last: int) -> GoneTold:
    return GoneTold("north-1", Gone(epoch=an_epoch(), first=first, last=last, reason="quota"), 1)


def ranges(store: Store, device: str = "north-1", epoch: int = 1) -> tuple[tuple[int, int], ...]:
    return store.coverage(device, [an_epoch(epoch)])[0].covered


def test_a_committed_record_is_a_row_and_covered_and_both_survive_closing(store: Store, url: str) -> None:
    committed = store.commit(Batch([an_arrival(body=a_pass("AB12"))]))
    store.close()
    again = open_store(url, clock=SystemClock())
    assert (committed.fresh, committed.again) == (1, 0)
    assert committed.covered == {"north-1": (EpochCoverage(epoch=an_epoch(), covered=((1, 1),)),)}
    assert again.id == store.id
    assert ranges(again) == ((1, 1),)
    assert Seen(url).plates() == [("north-1", "in", 1, "AB12")]
    again.close()


def test_each_type_of_record_lands_in_the_table_that_is_asked_about_it(store: Store, url: str) -> None:
    bodies = [
        ("epoch", an_opening((an_epoch(7), 40))),
        ("plate", a_pass()),
        ("crops", a_crop()),
        ("decision", a_decision()),
    ]
    arrivals = [
        an_arrival("gate-1", a_record(n, type=kind, body=body), body=body) for n, (kind, body) in enumerate(bodies, 1)
    ]
    store.commit(Batch(arrivals))
    seen = Seen(url)
    assert [seen.count(table) for table in ("records", "epochs", "epoch_ends", "plates", "crops", "decisions")] == [
        4,
        1,
        1,
        1,
        1,
        1,
    ]
    assert seen.rows("SELECT device, verdict, subject FROM decisions") == [("gate-1", "opened", "north-1")]


def test_the_device_is_who_sent_it_whatever_the_body_says(store: Store, url: str) -> None:
    body = a_decision()
    store.commit(Batch([an_arrival("somebody", a_record(type="decision", body=body), body=body)]))
    assert Seen(url).rows("SELECT device FROM decisions") == [("somebody",)]


def test_a_record_that_comes_twice_is_one_row(store: Store, url: str) -> None:
    arrival = an_arrival(body=a_pass())
    store.commit(Batch([arrival, arrival]))
    committed = store.commit(Batch([arrival]))
    assert (committed.fresh, committed.again) == (0, 1)
    assert committed.covered["north-1"][0].covered == ((1, 1),)
    assert Seen(url).count("plates") == 1


@pytest.mark.parametrize("together", [True, False])
def test_another_record_of_a_taken_name_is_told_and_never_overwrites(store: Store, url: str, together: bool) -> None:
    first = an_arrival(record=a_record(body=a_pass("FIRST")), body=a_pass("FIRST"))
    other = an_arrival(record=a_record(body=a_pass("OTHER")), body=a_pass("OTHER"))
    if together:
        committed = store.commit(Batch([first, other]))
    else:
        store.commit(Batch([first]))
        committed = store.commit(Batch([other, other]))
    (clash,) = committed.clashes
    assert (clash.device, clash.epoch, clash.seq) == first.name
    assert (clash.kept, clash.other) == (first.digest, other.digest)
    assert [text for *_, text in Seen(url).plates()] == ["FIRST"]
    assert Seen(url).rows("SELECT frame FROM clashes") == [(other.record.frame,)]


def test_the_same_name_of_two_devices_is_two_records(store: Store) -> None:
    committed = store.commit(Batch([an_arrival("north-1"), an_arrival("south-1")]))
    assert (committed.fresh, committed.clashes) == (2, ())


def test_what_cannot_be_decoded_is_kept_with_its_reason_and_covered(store: Store, url: str) -> None:
    record = a_record(3, type="hologram", body=b"\x00from the future")
    committed = store.commit(Batch([Arrival("north-1", record, 1, undecodable="type hologram is not known here")]))
    assert (committed.fresh, committed.quarantined) == (1, 1)
    assert ranges(store) == ((3, 3),)
    assert Seen(url).rows("SELECT frame FROM records") == [(record.frame,)]
    assert Seen(url).rows("SELECT seq, reason FROM quarantine") == [(3, "type hologram is not known here")]


def test_gone_ranges_are_covered_and_told_once(store: Store, url: str) -> None:
    store.commit(Batch([an_arrival(record=a_record(4))], [told_gone(1, 3)]))
    committed = store.commit(Batch(gone=[told_gone(1, 3)]))
    assert committed.covered["north-1"][0].covered == ((1, 4),)
    assert Seen(url).rows('SELECT "first", "last", reason FROM gone') == [(1, 3, "quota")]


def test_an_ack_names_the_whole_range_so_that_a_lost_one_is_repaired(store: Store) -> None:
    store.commit(Batch([an_arrival(record=a_record(n)) for n in (1, 2, 9)]))
    committed = store.commit(Batch([an_arrival(record=a_record(3))]))
    assert committed.covered["north-1"][0].covered == ((1, 3),)


def test_an_epoch_that_was_never_heard_of_is_covered_nowhere(store: Store) -> None:
    assert store.coverage("north-1", [an_epoch(5)]) == (EpochCoverage(epoch=an_epoch(5), covered=()),)


def test_a_text_that_no_database_can_hold_is_shown_without_it_and_kept_in_the_frame(store: Store, url: str) -> None:
    body = a_pass("A\x00B")
    record = a_record(body=body)
    store.commit(Batch([an_arrival(record=record, body=body)]))
    assert [text for *_, text in Seen(url).plates()] == ["A�B"]
    assert Seen(url).rows("SELECT frame FROM records") == [(record.frame,)]


def test_an_answer_holds_so_many_ranges_the_lowest_of_what_was_asked_first(store: Store) -> None:
    gone = [
        GoneTold("north-1", Gone(epoch=an_epoch(epoch), first=seq, last=seq, reason="quota"), 1)
        for epoch, most in ((1, 3), (2, RANGES_ANSWERED + 10), (3, 2))
        for seq in range(2, 2 * most + 2, 2)
    ]
    for begin in range(0, len(gone), 2000):
        store.commit(Batch([], gone[begin : begin + 2000]))
    answered = store.coverage("north-1", [an_epoch(3), an_epoch(4), an_epoch(2), an_epoch(1)])
    assert [each.epoch for each in answered] == [an_epoch(3), an_epoch(4), an_epoch(2), an_epoch(1)]
    assert [len(each.covered) for each in answered] == [2, 0, RANGES_ANSWERED - 2, 0]
    assert answered[2].covered[-1] == (2 * RANGES_ANSWERED - 4, 2 * RANGES_ANSWERED - 4)
    alone = store.coverage("north-1", [an_epoch(1)])
    assert alone == (EpochCoverage(epoch=an_epoch(1), covered=((2, 2), (4, 4), (6, 6))),)


def test_a_closed_epoch_whose_records_all_came_is_one_row_of_coverage(store: Store, url: str) -> None:
    store.commit(Batch([an_arrival(record=a_record(seq)) for seq in range(1, 200, 2)]))
    assert len(Seen(url).coverage()) == 100
    store.commit(Batch([an_arrival(record=a_record(seq)) for seq in range(2, 200, 2)]))
    assert Seen(url).coverage() == [("north-1", an_epoch(), 1, 199)]


def a_stamped(seq: int, clock: str, *, utc_s: int, mono_s: int = 5, boot: str = "boot-1") -> Arrival:
    stamp = Stamp.model_validate(
        {"utc_ns": utc_s * SECOND_NS, "mono_ns": mono_s * SECOND_NS, "boot": boot, "clock": clock}
    )
    body = a_pass().model_copy(update={"captured": stamp})
    return an_arrival(record=a_record(seq, body=body), body=body)


def boots(url: str) -> list[tuple[str, str, int]]:
    found = Seen(url).rows("SELECT device, boot, utc_minus_mono_ns FROM boots ORDER BY device, boot")
    return [(device, boot, offset // SECOND_NS) for device, boot, offset in found]


def test_a_good_clock_tells_what_its_boot_was_behind_and_a_bad_one_tells_nothing(store: Store, url: str) -> None:
    store.commit(Batch([a_stamped(1, "unsynced", utc_s=10)]))
    assert boots(url) == []
    store.commit(Batch([a_stamped(2, "synced", utc_s=1005), a_stamped(3, "assumed", utc_s=2005, boot="boot-2")]))
    assert boots(url) == [("north-1", "boot-1", 1000), ("north-1", "boot-2", 2000)]


@pytest.mark.parametrize("together", [True, False])
def test_the_kernels_word_goes_before_a_persons_whichever_comes_first(store: Store, url: str, together: bool) -> None:
    stamps = [
        a_stamped(1, "assumed", utc_s=705),
        a_stamped(2, "synced", utc_s=1005),
        a_stamped(3, "assumed", utc_s=805),
    ]
    for batch in [stamps] if together else [[each] for each in stamps]:
        store.commit(Batch(batch))
    assert boots(url) == [("north-1", "boot-1", 1000)]
    store.close()  # and what is known is not only in this program's memory
    store.commit(Batch([a_stamped(4, "assumed", utc_s=905)]))
    assert boots(url) == [("north-1", "boot-1", 1000)]


def test_a_clock_that_is_set_again_within_a_boot_is_believed_anew(store: Store, url: str) -> None:
    store.commit(Batch([a_stamped(1, "synced", utc_s=1005)]))
    store.commit(Batch([a_stamped(2, "synced", utc_s=1066, mono_s=6)]))
    assert boots(url) == [("north-1", "boot-1", 1060)]


NAMES = st.tuples(st.sampled_from(["north-1", "south-1"]), st.integers(1, 2), st.integers(1, 12))
BATCHES = st.lists(st.lists(NAMES, max_size=8), max_size=8)


ROUNDS = count_from(1)
"""Each example has epochs of its own in the one store."""


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=BATCHES)
def test_in_any_order_with_any_repetition_coverage_is_the_rows_and_each_row_is_there_once(
    store: Store, url: str, batches: list[list[tuple[str, int, int]]]
) -> None:
    epoch_of = dict(enumerate((10 * next(ROUNDS), 10 * next(ROUNDS)), 1))
    sent: set[tuple[str, int, int]] = set()
    for batch in batches:
        names = [(device, epoch_of[epoch], seq) for device, epoch, seq in batch]
        committed = store.commit(
            Batch([an_arrival(device, a_record(seq, epoch=epoch)) for device, epoch, seq in names])
        )
        assert (committed.fresh, committed.again) == (len(set(names) - sent), len(names) - len(set(names) - sent))
        sent |= set(names)
        for device, epochs in committed.covered.items():
            for each in epochs:
                mine = {seq for d, e, seq in names if (d, an_epoch(e)) == (device, each.epoch)}
                assert all(contains(each.covered, seq) for seq in mine)
                assert set(each.covered) <= set(store.coverage(device, [each.epoch])[0].covered)
    for device in ("north-1", "south-1"):
        for epoch in epoch_of.values():
            assert ranges(store, device, epoch) == merge((s, s) for d, e, s in sent if (d, e) == (device, epoch))
    mine_alone = {an_epoch(epoch) for epoch in epoch_of.values()}
    assert len([epoch for _, epoch, _ in Seen(url).names() if epoch in mine_alone]) == len(sent)
    covered = [merge([(a, b)]) for _, epoch, a, b in Seen(url).coverage() if epoch in mine_alone]
    assert sum(map(count, covered)) == len(sent)
