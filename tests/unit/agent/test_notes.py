"""Open passes as notes: what is written is read again, and whose car may still stand is told by the right clock."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platefleet.agent.notes import LAST_REVISION, is_young, lane_of, name_of, placed, read, written
from platefleet.agent.passes.types import OpenPass
from platefleet.models.reading import Character, Reading
from platefleet.protocol.clock import SECOND_NS, Instant
from platefleet.protocol.clock_sync import stamped
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.ids import uuid7
from platefleet.protocol.messages import Stamp

PASS = uuid7(1_795_000_000_000, b"0123456789")
BOOT, OTHER = "b" * 36, "c" * 36
START = Instant(1_795_000_000 * SECOND_NS, 5_000 * SECOND_NS)


def stamp(at: Instant) -> Stamp:
    return stamped(at, BOOT, "synced")


def after(seconds: float, boot: str = BOOT, clock: str = "synced", mono_s: float | None = None) -> Stamp:
    """The moment `seconds` after the start; another boot's clock says `mono_s`."""
    mono_ns = START.mono_ns + int(seconds * SECOND_NS) if mono_s is None else int(mono_s * SECOND_NS)
    return stamped(Instant(START.utc_ns + int(seconds * SECOND_NS), mono_ns), boot, clock)  # type: ignore[arg-type]


def a_pass(revision: int = 1) -> OpenPass:
    reading = Reading(tuple(Character(text, 0.9, (("0", 0.05),)) for text in "B123ABC"))
    return OpenPass(
        PASS, revision, reading, first=START, last=START, size=(640, 480), began=(1.0, 2.0, 3.0, 4.0),
        began_by_plate=True, plate=(5.0, 6.0, 7.0, 8.0), plate_confidence=0.8, vehicle=None, vehicle_name="car",
        score=0.4, peak=0.5, looks=30, plates=20, whole=19, legible=18,
    )  # fmt: skip


BOXES = st.tuples(*[st.floats(-1e5, 1e5) for _ in range(4)])
LEFT = st.builds(
    replace,
    st.just(a_pass()),
    revision=st.integers(1, 1000),
    reading=st.builds(
        lambda text, sure: Reading(tuple(Character(each, sure, (("8", sure / 2),)) for each in text)),
        st.text("ABC123", max_size=12),
        st.floats(0, 1),
    ),
    plate=st.none() | BOXES,
    vehicle=st.none() | BOXES,
    score=st.floats(-100, 100),
    looks=st.integers(0, 10**9),
)


@given(LEFT)
def test_what_is_written_is_read_again(left: OpenPass) -> None:
    assert read(written(left, stamp), after(1)).left == left


def test_a_note_is_found_by_its_lane() -> None:
    assert lane_of(name_of("entry-2.left", PASS)) == "entry-2.left"


@pytest.mark.parametrize(
    ("now", "young"),
    [
        (after(0), True),
        (after(30), True),
        (after(30.1), False),
        (after(-1), False),  # a clock of this boot never goes back: the note is of another machine
        (after(3600, mono_s=5_010), True),  # the wall clock was set an hour on; the boot's own says ten seconds
        (after(20, OTHER, mono_s=3), True),
        (after(31, OTHER, mono_s=3), False),
        (after(-20, OTHER, mono_s=3), False),
        (after(20, OTHER, "assumed", 3), True),
        (after(20, OTHER, "unsynced", 3), False),
    ],
)
def test_a_car_may_still_stand_if_it_was_seen_within_thirty_seconds(now: Stamp, young: bool) -> None:
    assert is_young(stamp(START), now) is young
    assert read(written(a_pass(), stamp), now).young is young


def test_over_a_boot_a_clock_that_was_not_good_then_says_nothing() -> None:
    assert not is_young(after(0, clock="unsynced"), after(20, OTHER, mono_s=3))


def test_machines_without_a_boot_id_have_no_boot_in_common() -> None:
    nowhere = "00000000-0000-0000-0000-000000000000"
    assert not is_young(after(0, nowhere, "unsynced"), after(10, nowhere, "unsynced"))


def test_moments_of_another_boot_are_placed_by_how_long_ago_they_were() -> None:
    assert placed(stamp(START), after(20, OTHER, mono_s=50)) == Instant(START.utc_ns, 30 * SECOND_NS)
    assert placed(stamp(START), after(20, OTHER, mono_s=3)) == Instant(START.utc_ns, 0)


def test_a_pass_of_too_many_revisions_is_not_gone_on_with() -> None:
    assert read(written(a_pass(LAST_REVISION), stamp), after(1)).young
    assert not read(written(a_pass(LAST_REVISION + 1), stamp), after(1)).young


@given(st.binary(max_size=400))
def test_bytes_that_are_no_note_are_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        read(data, after(1))


@given(st.integers(0, 2_000), st.integers(0, 255))
def test_a_note_with_a_flipped_byte_is_read_or_refused(place: int, value: int) -> None:
    data = bytearray(written(a_pass(), stamp))
    data[place % len(data)] = value
    try:
        found = read(bytes(data), after(1))
    except ProtocolError:
        return
    assert found.left.revision >= 1
