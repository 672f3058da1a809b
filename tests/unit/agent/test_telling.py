"""From effects to records: events as the wire has them, crops in their budget, announcements while a car stands."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from platefleet.agent.cameras.port import Picture
from platefleet.agent.crops import cut, jpeg, part
from platefleet.agent.events import Told, plate_event
from platefleet.agent.figures import Figures
from platefleet.agent.looks import effect_scaled, look_of, region_of, resized
from platefleet.agent.pacing import Pacing
from platefleet.agent.passes.types import Effect, Forget, Portrait, Revise, Standing
from platefleet.agent.settings.tree import CropSettings
from platefleet.agent.teller import Teller
from platefleet.models.detections import Detections, Region
from platefleet.models.reading import Character, Plate, Reading, Sighting
from platefleet.protocol.clock import SECOND_NS, Instant
from platefleet.protocol.clock_sync import stamped
from platefleet.protocol.codec import decode, encode
from platefleet.protocol.delivery.frame import Record, RecordType, open_body
from platefleet.protocol.delivery.notes import NO_NOTES, Change
from platefleet.protocol.delivery.outbox import MemoryOutbox
from platefleet.protocol.errors import OutboxError, Oversized, PlatefleetError
from platefleet.protocol.ids import uuid7
from platefleet.protocol.messages import Crops, Message, PlateEvent, Stamp
from tests.camera_servers import noise
from tests.turned_clock import TurnedClock

PASS = uuid7(1_795_000_000_000, b"0123456789")
AT = Instant(1_795_000_000 * SECOND_NS, 100 * SECOND_NS)
BOX = (10.0, 20.0, 60.0, 40.0)


def stamp(instant: Instant) -> Stamp:
    return stamped(instant, "b" * 36, "synced")


def a_revision(**more: object) -> Revise:
    characters = tuple(Character(text, 0.9, (("0", 0.05),)) for text in "B123ABC")
    revise = Revise(
        PASS, 1, final=False, interrupted=False, captured=AT, first_seen=AT, text="B123ABC", characters=characters,
        unread=None, direction="approaching", vehicle="car", plate_box=BOX, vehicle_box=None, plate_confidence=0.8,
        frames=4,
    )  # fmt: skip
    return replace(revise, **more)


def told(ms: dict[str, float] | None = None) -> Told:
    return Told("entry", stamp, ms or {"total": 12.34567}, {"plate": "onnx/fp32/0123"})


class Uplink:
    """Remembers what it was told: names and when the vehicle was seen."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []

    def tell(self, record: Record, seen_mono_ns: int) -> None:
        self.told.append((record.seq, seen_mono_ns))


class Voice:
    """A teller with everything around it."""

    def __init__(self) -> None:
        self.clock, self.uplink, self.figures = TurnedClock(), Uplink(), Figures()
        self.outbox = MemoryOutbox(clock=self.clock)
        self.teller = Teller(
            "entry", self.outbox, self.uplink, stamp=stamp, artifacts={}, settings=CropSettings(),
            figures=self.figures, clock=self.clock,
        )  # fmt: skip

    def do(self, *effects: Effect) -> list[Record]:
        now = self.clock.now()
        return self.teller.do(effects, Picture(noise(1, 200, 150), now, now.mono_ns, 1), {})

    def records(self) -> list[PlateEvent | Crops]:
        found = []
        for entry in self.outbox.waiting(None, 100):
            record = self.outbox.read(entry.key)
            body = None if record is None else open_body(record)
            if isinstance(body, PlateEvent | Crops):
                found.append(body)
        return found


def test_an_event_says_what_the_revision_says_and_survives_the_wire() -> None:
    event = plate_event(a_revision(), told())
    assert (event.text, event.direction, event.frames, event.plate_box) == ("B123ABC", "approaching", 4, BOX)
    assert event.mean == pytest.approx(0.9)
    assert event.characters[0].alternatives[0].text == "0"
    assert event.ms == {"total": 12.346}
    assert decode(PlateEvent, encode(event)) == event


def test_an_unread_revision_has_no_text_and_no_confidence() -> None:
    event = plate_event(a_revision(text="", characters=(), unread="no plate", plate_box=None), told())
    assert (event.text, event.mean, event.minimum, event.unread) == ("", 0.0, 0.0, "no plate")


def test_confidences_that_exceed_one_by_rounding_are_one() -> None:
    event = plate_event(a_revision(characters=(Character("B", 1.0000001),), text="B"), told())
    assert event.mean == 1.0


def test_a_revision_is_kept_before_it_is_told_and_its_pictures_follow() -> None:
    voice = Voice()
    (record,) = voice.do(Portrait(PASS, BOX, (0.0, 0.0, 100.0, 100.0)), a_revision())
    assert [type(body).__name__ for body in voice.records()] == ["PlateEvent", "Crops"]
    assert voice.uplink.told == [(record.seq, AT.mono_ns)]


def test_pictures_are_told_again_only_when_there_are_better_ones() -> None:
    voice = Voice()
    voice.do(Portrait(PASS, BOX, None), a_revision())
    voice.do(a_revision(revision=2))
    assert [type(body).__name__ for body in voice.records()] == ["PlateEvent", "Crops", "PlateEvent"]
    voice.do(Portrait(PASS, BOX, None), a_revision(revision=3))
    assert [body.revision for body in voice.records() if isinstance(body, Crops)] == [1, 3]


def test_a_standing_cars_newest_record_is_told_again_every_two_seconds_with_when_it_was_seen() -> None:
    voice = Voice()
    (record,) = voice.do(a_revision())
    for _ in range(50):
        voice.clock.turn(0.1)
        voice.do(Standing(PASS, voice.clock.now()))
    again = voice.uplink.told[1:]
    assert [(seq, (seen - AT.mono_ns) / SECOND_NS) for seq, seen in again] == [(record.seq, 2.0), (record.seq, 4.0)]


def test_what_is_forgotten_is_not_told_again() -> None:
    voice = Voice()
    voice.do(a_revision(), Forget(PASS))
    voice.clock.turn(10)
    voice.do(Standing(PASS, voice.clock.now()))
    assert len(voice.uplink.told) == 1


def test_passes_that_nobody_forgets_do_not_fill_the_memory() -> None:
    voice = Voice()
    for number in range(500):
        voice.do(Portrait(uuid7(number, b"0123456789"), BOX, BOX))
    assert len(voice.teller._known) <= 64


class Refusing(MemoryOutbox):
    """Takes no record while there is an error."""

    error: PlatefleetError | None = None

    def append(self, type: RecordType, message: Message, *, keep: Change = NO_NOTES) -> Record:  # noqa: A002
        if self.error is not None:
            raise self.error
        return super().append(type, message, keep=keep)


@pytest.mark.parametrize("error", [OutboxError("the disk is full"), Oversized("too long")])
def test_a_first_revision_that_the_outbox_refused_is_told_while_its_car_stands(error: PlatefleetError) -> None:
    voice = Voice()
    refusing = voice.teller._outbox = voice.outbox = Refusing(clock=voice.clock)
    refusing.error = error
    assert voice.do(Portrait(PASS, BOX, None), a_revision()) == []
    assert voice.do(Standing(PASS, AT)) == []
    assert "plate events cannot be kept" in voice.figures.troubles()[0]
    refusing.error = None
    voice.clock.turn(0.5)
    seen = voice.clock.now()
    (record,) = voice.do(Standing(PASS, seen))
    assert voice.uplink.told == [(record.seq, seen.mono_ns)]
    assert [type(body).__name__ for body in voice.records()] == ["PlateEvent", "Crops"]
    assert voice.figures.troubles() == []
    assert voice.figures.counts()["revisions"] == 1
    assert voice.do(Standing(PASS, seen)) == []


def test_the_text_before_a_refused_revision_is_not_told_again_and_the_new_one_is() -> None:
    voice = Voice()
    refusing = voice.teller._outbox = voice.outbox = Refusing(clock=voice.clock)
    (first,) = voice.do(a_revision())
    refusing.error = OutboxError("the disk is full")
    voice.do(a_revision(revision=2, text="B123ABD"))
    for _ in range(10):
        voice.clock.turn(1)
        voice.do(Standing(PASS, voice.clock.now()))
    assert [seq for seq, _ in voice.uplink.told] == [first.seq]
    refusing.error = None
    (second,) = voice.do(Standing(PASS, voice.clock.now()))
    assert [body.text for body in voice.records() if isinstance(body, PlateEvent)] == ["B123ABC", "B123ABD"]
    assert [seq for seq, _ in voice.uplink.told] == [first.seq, second.seq]


@given(
    width=st.integers(1, 900),
    height=st.integers(1, 900),
    most=st.integers(1024, 96 * 1024),
    quality=st.integers(1, 100),
)
def test_a_picture_is_never_larger_than_its_budget(width: int, height: int, most: int, quality: int) -> None:
    data = jpeg(noise(3, width, height), quality, most)
    assert data is None or len(data) <= most


def test_a_picture_that_fits_nowhere_is_left_out_and_one_that_fits_is_readable() -> None:
    assert jpeg(noise(1, 500, 500), 90, 100) is None
    data = jpeg(noise(1, 1000, 800), 90, 64 * 1024)
    assert data is not None
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None


@pytest.mark.parametrize("box", [(-50.0, -50.0, -10.0, -10.0), (500.0, 10.0, 600.0, 20.0), (50.0, 50.0, 20.0, 60.0)])
def test_a_box_that_shows_nothing_gives_no_picture(box: tuple[float, float, float, float]) -> None:
    assert part(noise(1), box, 0.0) is None


def test_a_cut_is_a_copy_so_the_frame_can_go() -> None:
    frame = noise(1)
    kept = cut(frame, AT, BOX, None)
    assert kept.plate is not None
    before = kept.plate.copy()
    frame[:] = 0
    assert np.array_equal(kept.plate, before)


def test_a_very_large_vehicle_is_scaled_down() -> None:
    piece = part(noise(1, 3000, 200), (0.0, 0.0, 3000.0, 200.0), 0.0)
    assert piece is not None
    assert piece.shape[1] == 1280


def test_a_sighting_becomes_a_look_with_the_vehicles_class_names() -> None:
    box = np.float32([1, 2, 3, 4])
    vehicles = Detections(box[None], np.float32([0.7]), np.int32([1]))
    plate = Plate(box, box + 1, np.zeros((4, 2), np.float32), 0.6, Reading(), 0)
    look = look_of(Sighting(vehicles, (plate,), {"total": 1.0}), ("car", "bus"), AT, (640, 480))
    assert (look.vehicles[0].name, look.vehicles[0].box, look.width, look.height) == ("bus", (1, 2, 3, 4), 640, 480)
    assert (look.plates[0].detected, look.plates[0].vehicle) == ((2, 3, 4, 5), 0)


def test_a_look_in_a_larger_picture_is_the_same_look_in_the_smaller_one_and_back() -> None:
    box = np.float32([10, 20, 30, 40])
    look = look_of(Sighting(Detections(box[None], np.float32([1]), np.int32([0]))), ("car",), AT, (640, 480))
    smaller = resized(look, (320, 240))
    assert smaller.vehicles[0].box == (5, 10, 15, 20)
    back = effect_scaled(Portrait(PASS, None, smaller.vehicles[0].box), (2.0, 2.0))
    assert back == Portrait(PASS, None, (10, 20, 30, 40))
    assert effect_scaled(Forget(PASS), (2.0, 2.0)) == Forget(PASS)


def test_the_region_of_a_lane_holds_its_polygon() -> None:
    assert region_of((), 640, 480) is None
    assert region_of([(0.1, 0.1), (0.9, 0.1), (0.5, 0.95)], 100, 100) == Region(10, 10, 90, 95)


def test_a_files_time_is_ours_as_each_picture_was_seen() -> None:
    pacing = Pacing()
    frame = noise(1)
    for second in range(10):  # a file of one picture a second, worked through in half the time
        captured = Instant(AT.utc_ns + second * SECOND_NS, AT.mono_ns + second * SECOND_NS)
        arrived_ns = AT.mono_ns + second * SECOND_NS // 2
        pacing.note(Picture(frame, captured, arrived_ns, second, arrived_ns - captured.mono_ns))
    seen = pacing.ours(Instant(AT.utc_ns + 8 * SECOND_NS, AT.mono_ns + 8 * SECOND_NS))
    assert seen == Instant(AT.utc_ns + 4 * SECOND_NS, AT.mono_ns + 4 * SECOND_NS)


def test_a_live_pictures_time_is_ours_already() -> None:
    pacing = Pacing()
    pacing.note(Picture(noise(1), AT, AT.mono_ns + 5, 1))
    assert pacing.ours(AT) == AT
