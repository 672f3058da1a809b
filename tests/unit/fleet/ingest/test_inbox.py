"""What comes in: taken apart, bounded, and never harmed by its neighbours."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platefleet.fleet.ingest.counters import Counters
from platefleet.fleet.ingest.inbox import BATCH_RECORDS, BYTES_MOST, RECORDS_MOST, Inbox
from platefleet.protocol.codec import encode
from platefleet.protocol.messages import Ask, Backfill, EpochEnd, Gone, LivePlate, LiveStatus
from tests.record_builders import a_crop, a_record, an_epoch


def backfill(*frames: bytes, gone: tuple[Gone, ...] = (), ask: Ask | None = None) -> bytes:
    return encode(Backfill(records=frames, gone=gone, ask=ask))


def frame(seq: int = 1) -> bytes:
    return a_record(seq).frame


@pytest.fixture
def inbox() -> Inbox:
    return Inbox(Counters())


def test_live_and_filled_back_records_are_the_same_records(inbox: Inbox) -> None:
    inbox.take("north-1", "plate", encode(LivePlate(age_ms=3, heard={}, record=frame(1))), 7)
    inbox.take("north-1", "fleet", encode(LiveStatus(age_ms=3, record=frame(2))), 8)
    inbox.take("north-1", "backfill", backfill(frame(3), frame(4)), 9)
    assert [(a.device, a.record.seq, a.received_utc_ns) for a in inbox.batch().arrivals] == [
        ("north-1", 1, 7),
        ("north-1", 2, 8),
        ("north-1", 3, 9),
        ("north-1", 4, 9),
    ]


def test_a_batch_stays_until_it_is_committed(inbox: Inbox) -> None:
    inbox.take("north-1", "backfill", backfill(frame(1)), 7)
    assert inbox.batch() == inbox.batch()
    inbox.committed(inbox.batch())
    assert not inbox.batch()
    assert (len(inbox), inbox.size_bytes) == (0, 0)


def test_behind_a_batch_that_was_handed_out_the_next_one_gathers(inbox: Inbox) -> None:
    def take(seqs: range) -> None:
        for first in range(seqs.start, seqs.stop, 100):
            inbox.take("north-1", "backfill", backfill(*map(frame, range(first, min(first + 100, seqs.stop)))), 7)

    take(range(1, BATCH_RECORDS + 10))
    assert inbox.enough
    batch = inbox.hand_out()
    assert (len(batch.arrivals), inbox.behind, inbox.enough) == (BATCH_RECORDS, 9, False)
    take(range(BATCH_RECORDS + 10, 2 * BATCH_RECORDS + 1))
    assert inbox.enough
    inbox.take_back()
    assert (inbox.behind, inbox.hand_out()) == (2 * BATCH_RECORDS, batch)
    inbox.take_back()
    inbox.committed(batch)
    assert inbox.behind == BATCH_RECORDS
    assert [a.record.seq for a in inbox.batch().arrivals] == list(range(BATCH_RECORDS + 1, 2 * BATCH_RECORDS + 1))


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (b"", "ProtocolError"),
        (b"\xc1 nothing", "ProtocolError"),
        (b"\x81\xa7version\x02", "UnknownVersion"),
        (backfill(frame()) + bytes(300_000), "Oversized"),
        (encode(LivePlate(age_ms=1, heard={}, record=frame()))[:-1], "ProtocolError"),
    ],
)
def test_a_message_that_is_none_is_counted_by_kind_and_logged_once(
    inbox: Inbox, caplog: pytest.LogCaptureFixture, payload: bytes, kind: str
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            inbox.take("north-1", "backfill", payload, 1)
    assert inbox.counters.troubles == {kind: 3}
    assert len(caplog.records) == 1
    assert not inbox.batch()


def test_a_rotten_frame_is_counted_and_its_neighbours_are_taken(inbox: Inbox) -> None:
    rotten = bytearray(frame(2))
    rotten[-1] ^= 1
    inbox.take("north-1", "backfill", backfill(frame(1), bytes(rotten), frame(3)), 1)
    assert [a.record.seq for a in inbox.batch().arrivals] == [1, 3]
    assert inbox.counters.troubles == {"rotten": 1}


def test_a_body_that_cannot_be_decoded_is_an_arrival_with_the_reason(inbox: Inbox) -> None:
    strange = a_record(1, type="hologram", body=b"\x00")
    broken = a_record(2, type="plate", body=b"\xc1")
    inbox.take("north-1", "backfill", backfill(strange.frame, broken.frame), 1)
    first, second = inbox.batch().arrivals
    assert "type hologram is not known" in first.undecodable
    assert second.undecodable.startswith("PlateEvent: ")
    assert first.message is second.message is None


def test_gone_ranges_are_taken_and_one_that_runs_backwards_is_not(inbox: Inbox) -> None:
    ranges = tuple(Gone(epoch=an_epoch(), first=a, last=b, reason="quota") for a, b in ((1, 3), (9, 4)))
    inbox.take("north-1", "backfill", backfill(gone=ranges), 1)
    assert [(g.gone.first, g.gone.last) for g in inbox.batch().gone] == [(1, 3)]
    assert inbox.counters.troubles == {"backwards": 1}


def test_only_the_newest_question_of_a_device_is_answered(inbox: Inbox) -> None:
    for nonce in ("0" * 32, "1" * 32):
        ask = Ask(nonce=nonce, epochs=(EpochEnd(epoch=an_epoch(), last=4),))
        inbox.take("north-1", "backfill", backfill(ask=ask), 1)
    assert [ask.nonce for ask in inbox.questions.values()] == ["1" * 32]


def test_while_nothing_is_committed_what_finds_no_place_is_turned_away(inbox: Inbox) -> None:
    small = [frame(seq) for seq in range(1, 101)]
    for _ in range(RECORDS_MOST // 100 + 1):
        inbox.take("north-1", "backfill", backfill(*small), 1)
    assert len(inbox) == RECORDS_MOST
    assert inbox.counters.turned_away == 100 - RECORDS_MOST % 100
    assert len(inbox.batch().arrivals) == BATCH_RECORDS


def test_large_frames_are_bounded_by_their_bytes(inbox: Inbox) -> None:
    body = a_crop(90_000)
    large = a_record(1, type="crops", body=body).frame
    for _ in range(300):
        inbox.take("north-1", "backfill", backfill(large), 1)
    assert inbox.size_bytes < BYTES_MOST + len(large)
    assert 1 <= len(inbox.batch().arrivals) < 30
    assert inbox.counters.turned_away == 300 - len(inbox)


@given(st.binary(max_size=200), st.sampled_from(["plate", "fleet", "backfill"]))
def test_whatever_bytes_come_nothing_is_raised(payload: bytes, kind: str) -> None:
    inbox = Inbox(Counters())
    inbox.take("north-1", kind, payload, 1)
    assert len(inbox) + sum(inbox.counters.troubles.values()) + inbox.counters.turned_away <= 1
