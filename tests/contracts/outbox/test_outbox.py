"""What every outbox must do, whatever it keeps its records in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platefleet.protocol.delivery.coverage import merge
from platefleet.protocol.delivery.durable import open_outbox
from platefleet.protocol.delivery.frame import open_body, thaw
from platefleet.protocol.delivery.notes import NOTE_LIMIT_BYTES, NOTES_MOST
from platefleet.protocol.delivery.outbox import MemoryOutbox, Outbox
from platefleet.protocol.errors import OutboxError
from platefleet.protocol.messages import EpochCoverage, EpochEnd, EpochOpening, Gone
from tests.record_builders import a_crop, a_pass, an_epoch
from tests.turned_clock import TurnedClock


class Make(Protocol):
    """Makes an empty outbox with a quota, as a program's start does."""

    def __call__(self, *, quota_bytes: int = 10_000_000, quota_records: int = 1000) -> Outbox: ...


def in_memory(*, quota_bytes: int = 10_000_000, quota_records: int = 1000) -> Outbox:
    return MemoryOutbox(clock=TurnedClock(), quota_bytes=quota_bytes, quota_records=quota_records)


class OnDisk:
    """Makes durable outboxes, and closes them after the test; volatile: on a disk that never takes anything."""

    def __init__(self, folder: Path, *, volatile: bool = False) -> None:
        self._folder = folder
        self._volatile = volatile
        self._made: list[Outbox] = []

    def __call__(self, *, quota_bytes: int = 10_000_000, quota_records: int = 1000) -> Outbox:
        folder = self._folder / str(len(self._made))
        if self._volatile:
            folder.write_bytes(b"a file and no folder")
        outbox = open_outbox(
            folder / "outbox.db",
            clock=TurnedClock(),
            quota_bytes=quota_bytes,
            quota_records=quota_records,
            clock_state=lambda _: "synced",
            slow_s=60,
        )
        self._made.append(outbox)
        return outbox

    def close(self) -> None:
        for outbox in self._made:
            outbox.close()


@pytest.fixture(params=["memory", "disk", "volatile"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    if request.param == "memory":
        yield in_memory
        return
    maker = OnDisk(tmp_path, volatile=request.param == "volatile")
    yield maker
    maker.close()


def waiting(outbox: Outbox) -> list[int]:
    return [entry.seq for entry in outbox.waiting(None, 10_000)]


def covered(outbox: Outbox, *ranges: tuple[int, int]) -> list[EpochCoverage]:
    return [EpochCoverage(epoch=outbox.epoch, covered=ranges)]


def gone(outbox: Outbox) -> list[tuple[int, int, str]]:
    return [(each.first, each.last, each.reason) for each in outbox.gone(512)]


def filled(make: Make, records: int) -> Outbox:
    """Record 1 opens the epoch; then plates at even and crops at odd seqs."""
    outbox = make(quota_records=records)
    for seq in range(2, records + 1):
        outbox.append("crops" if seq % 2 else "plate", a_crop())
    return outbox


def test_record_1_opens_a_new_random_epoch(make: Make) -> None:
    first, second = make(), make()
    assert first.epoch != second.epoch
    record = first.read((first.epoch, 1))
    assert record is not None
    opening = open_body(record)
    assert isinstance(opening, EpochOpening)
    assert opening.previous == ()


def test_seqs_count_from_1_without_holes_over_threads(make: Make) -> None:
    outbox = make()
    threads = [threading.Thread(target=lambda: [outbox.append("plate", a_pass()) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert waiting(outbox) == list(range(1, 202))


def test_a_record_is_read_as_it_was_appended(make: Make) -> None:
    outbox = make()
    record = outbox.append("plate", a_pass("M1"))
    again = outbox.read(record.key)
    assert again is not None
    assert thaw(again.frame) == record
    assert open_body(again) == a_pass("M1")
    assert outbox.read((outbox.epoch, 99)) is None


def test_what_listens_hears_every_append(make: Make) -> None:
    outbox = make()
    heard: list[int] = []
    outbox.listen(lambda: heard.append(1))
    outbox.append("plate", a_pass())
    outbox.append("plate", a_pass())
    assert len(heard) == 2


def test_the_backlog_is_read_in_pages_oldest_first(make: Make) -> None:
    outbox = filled(make, 10)
    first = outbox.waiting(None, 4)
    assert [e.seq for e in first] == [1, 2, 3, 4]
    assert [e.seq for e in outbox.waiting(first[-1].key, 4)] == [5, 6, 7, 8]
    assert outbox.waiting((outbox.epoch, 10), 4) == []


def test_an_ack_only_adds_and_may_come_twice_late_and_out_of_order(make: Make) -> None:
    outbox = filled(make, 10)
    assert outbox.cover(covered(outbox, (5, 6))) == 2
    assert outbox.cover(covered(outbox, (1, 3))) == 3
    assert outbox.cover(covered(outbox, (5, 5))) == 0
    assert waiting(outbox) == [4, 7, 8, 9, 10]
    assert outbox.standing((outbox.epoch, 2)) == "covered"
    assert outbox.standing((outbox.epoch, 4)) == "waiting"
    assert outbox.depth().committed == 5


def test_an_ack_for_what_was_never_sent_or_for_another_epoch_changes_nothing(make: Make) -> None:
    outbox = filled(make, 3)
    assert outbox.cover(covered(outbox, (4, 2**53 - 1))) == 0
    assert outbox.cover([EpochCoverage(epoch=an_epoch(9), covered=((1, 3),))]) == 0
    record = outbox.append("plate", a_pass())
    assert outbox.standing(record.key) == "waiting"


def test_the_answer_replaces_what_was_believed_and_leaves_what_came_after_the_question(make: Make) -> None:
    outbox = filled(make, 20)
    outbox.cover(covered(outbox, (1, 8)))
    asked = outbox.epochs()
    late = outbox.append("plate", a_pass())
    outbox.cover(covered(outbox, (late.seq, late.seq)))
    outbox.answer(asked, covered(outbox, (1, 2), (6, 6)))
    assert waiting(outbox) == [3, 4, 5, *range(7, 21)]
    assert outbox.standing(late.key) == "covered"


def test_an_answer_without_an_epoch_means_that_the_store_has_nothing_of_it(make: Make) -> None:
    outbox = filled(make, 3)
    outbox.cover(covered(outbox, (1, 3)))
    outbox.answer(outbox.epochs(), [])
    assert waiting(outbox) == [1, 2, 3]


def test_the_quota_takes_committed_records_first(make: Make) -> None:
    outbox = filled(make, 10)
    outbox.cover(covered(outbox, (2, 3)))
    for _ in range(2):
        outbox.append("plate", a_pass())
    assert outbox.read((outbox.epoch, 2)) is None
    assert outbox.read((outbox.epoch, 3)) is None
    assert gone(outbox) == []
    assert outbox.standing((outbox.epoch, 2)) == "covered"


def test_then_crops_that_are_not_committed_then_the_oldest_records_which_become_gone(make: Make) -> None:
    outbox = filled(make, 6)
    outbox.append("plate", a_pass())
    outbox.append("plate", a_pass())
    assert gone(outbox) == [(3, 3, "quota"), (5, 5, "quota")]
    for _ in range(3):
        outbox.append("plate", a_pass())
    assert gone(outbox) == [(1, 5, "quota")]
    assert outbox.standing((outbox.epoch, 4)) == "gone"
    assert outbox.depth().gone == 5
    assert waiting(outbox) == list(range(6, 12))


def test_the_quota_of_bytes_is_kept_too(make: Make) -> None:
    outbox = make(quota_bytes=10_000)
    for _ in range(20):
        outbox.append("crops", a_crop(2000))
        assert outbox.depth().held_bytes <= 10_000


def test_a_record_above_the_quota_or_the_frames_limit_is_refused_and_costs_nothing(make: Make) -> None:
    outbox = make(quota_bytes=10_000)
    kept = outbox.append("plate", a_pass())
    with pytest.raises(OutboxError):
        outbox.append("crops", a_crop(20_000))
    assert outbox.read(kept.key) == kept
    large = a_crop(90_000).model_copy(update={"vehicle": bytes(90_000)})
    with pytest.raises(OutboxError):
        make().append("crops", large)


def test_gone_ranges_are_told_until_the_store_knows_them(make: Make) -> None:
    outbox = filled(make, 5)
    outbox.set_aside((outbox.epoch, 2), "unsendable")
    outbox.set_aside((outbox.epoch, 3), "unsendable")
    assert outbox.gone(512) == (Gone(epoch=outbox.epoch, first=2, last=3, reason="unsendable"),)
    assert waiting(outbox) == [1, 4, 5]
    outbox.cover(covered(outbox, (2, 2)))
    assert gone(outbox) == [(3, 3, "unsendable")]
    outbox.cover(covered(outbox, (3, 3)))
    assert gone(outbox) == []


def test_a_committed_record_cannot_be_set_aside(make: Make) -> None:
    outbox = filled(make, 3)
    outbox.cover(covered(outbox, (2, 2)))
    outbox.set_aside((outbox.epoch, 2), "unsendable")
    assert gone(outbox) == []


def test_what_the_store_lost_and_we_no_longer_hold_is_gone(make: Make) -> None:
    outbox = filled(make, 4)
    outbox.cover(covered(outbox, (1, 4)))
    outbox.append("plate", a_pass())
    outbox.answer(outbox.epochs(), [])
    assert gone(outbox) == [(1, 1, "quota")]
    assert waiting(outbox) == [2, 3, 4, 5]


def test_a_record_that_is_gone_is_counted_once_however_often_the_store_forgets_it(make: Make) -> None:
    outbox = make(quota_records=2)
    outbox.append("plate", a_pass())
    outbox.append("plate", a_pass())
    asked = outbox.epochs()
    for _ in range(2):
        outbox.answer(asked, ())
        assert gone(outbox) == [(1, 1, "quota")]
        outbox.cover([EpochCoverage(epoch=outbox.epoch, covered=((1, 1),))])
        assert gone(outbox) == []
    assert outbox.depth().gone == 1


def test_a_new_epoch_begins_at_1_and_names_the_one_before(make: Make) -> None:
    outbox = filled(make, 4)
    old = outbox.epoch
    outbox.begin_epoch()
    assert outbox.epochs() == (EpochEnd(epoch=old, last=4), EpochEnd(epoch=outbox.epoch, last=1))
    record = outbox.read((outbox.epoch, 1))
    assert record is not None
    opening = open_body(record)
    assert isinstance(opening, EpochOpening)
    assert opening.previous[-1] == EpochEnd(epoch=old, last=4)


def test_a_record_whose_name_is_taken_lives_on_under_a_new_one(make: Make) -> None:
    outbox = make()
    old = outbox.append("plate", a_pass("M1"))
    outbox.begin_epoch()
    new = outbox.rename(old.key)
    assert new is not None
    assert new.epoch == outbox.epoch
    assert new.body == old.body
    assert outbox.read(old.key) is None
    assert outbox.rename(old.key) is None
    assert [e.key for e in outbox.waiting(None, 10)][-1] == new.key


@given(
    acks=st.lists(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), max_size=4), max_size=6),
    answers=st.lists(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), max_size=4), max_size=3),
    appends=st.integers(0, 30),
)
def test_every_record_is_waiting_covered_or_gone_and_the_counts_agree(
    acks: list[list[tuple[int, int]]], answers: list[list[tuple[int, int]]], appends: int
) -> None:
    outbox = in_memory(quota_records=12)
    for turn in range(max(len(acks), len(answers))):
        for n in range(appends // 4):
            outbox.append("crops" if n % 3 else "plate", a_crop(300))
        for ranges in acks[turn : turn + 1]:
            outbox.cover(covered(outbox, *merge(ranges)))
        for ranges in answers[turn : turn + 1]:
            outbox.answer(outbox.epochs(), covered(outbox, *merge(ranges)))
        (end,) = outbox.epochs()
        standing = {seq: outbox.standing((end.epoch, seq)) for seq in range(1, end.last + 1)}
        assert waiting(outbox) == [seq for seq, how in standing.items() if how == "waiting"]
        told = {seq for first, last, _ in gone(outbox) for seq in range(first, last + 1)}
        assert told == {seq for seq, how in standing.items() if how == "gone"}
        held = {seq for seq in standing if outbox.read((end.epoch, seq)) is not None}
        assert set(waiting(outbox)) <= held
        depth = outbox.depth()
        assert (depth.waiting, depth.held) == (len(waiting(outbox)), len(held))
        assert depth.held <= 12


def test_notes_are_kept_alone_or_with_a_record_and_forgotten_by_name(make: Make) -> None:
    outbox = make()
    outbox.keep({"pass/1": b"open", "pass/2": b"", "told/1": b"x"})
    outbox.append("plate", a_pass(), keep={"pass/1": None, "pass/2": b"standing"})
    assert outbox.kept("pass/") == {"pass/2": b"standing"}
    assert outbox.kept() == {"pass/2": b"standing", "told/1": b"x"}
    outbox.keep({"pass/2": None, "never": None})
    assert outbox.kept("pass/") == {}


def test_a_note_above_a_limit_is_refused_together_with_its_record(make: Make) -> None:
    outbox = make()
    outbox.keep({"a": b"1"})
    for change in ({"a": bytes(NOTE_LIMIT_BYTES + 1)}, {"": b""}, {f"note/{n}": b"" for n in range(NOTES_MOST)}):
        with pytest.raises(OutboxError):
            outbox.append("plate", a_pass(), keep=change)
        with pytest.raises(OutboxError):
            outbox.keep(change)
    assert outbox.kept() == {"a": b"1"}
    assert waiting(outbox) == [1]


def test_a_refused_record_keeps_no_note(make: Make) -> None:
    outbox = make(quota_bytes=10_000)
    with pytest.raises(OutboxError):
        outbox.append("crops", a_crop(20_000), keep={"a": b"1"})
    assert outbox.kept() == {}


def test_the_opening_says_whether_the_epoch_is_volatile(make: Make) -> None:
    outbox = make()
    record = outbox.read((outbox.epoch, 1))
    assert record is not None
    opening = open_body(record)
    assert isinstance(opening, EpochOpening)
    assert opening.volatile is outbox.volatile


def test_a_closed_outbox_takes_nothing(make: Make) -> None:
    outbox = make()
    outbox.close()
    outbox.close()
    for write in (lambda: outbox.append("plate", a_pass()), lambda: outbox.keep({"a": b""}), outbox.begin_epoch):
        with pytest.raises(OutboxError):
            write()
