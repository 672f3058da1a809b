"""A lane's records and notes over the agent's restarts, on a real outbox: what the next start finds and makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from platefleet.agent import notes
from platefleet.agent.cameras.port import Picture
from platefleet.agent.figures import Figures
from platefleet.agent.lane import LaneWatch
from platefleet.agent.passes.dormant import KEEP_S
from platefleet.agent.passes.types import Look, PassSettings, PlateSeen
from platefleet.agent.settings.tree import CropSettings
from platefleet.agent.teller import Teller
from platefleet.models.detections import Detections
from platefleet.models.reading import Sighting
from platefleet.protocol.clock import Instant
from platefleet.protocol.clock_sync import stamped
from platefleet.protocol.delivery.durable import DurableOutbox, open_outbox
from platefleet.protocol.delivery.frame import Record, open_body
from platefleet.protocol.delivery.notes import NO_NOTES, Change
from platefleet.protocol.delivery.outbox import MemoryOutbox, Outbox
from platefleet.protocol.errors import OutboxError
from platefleet.protocol.messages import PlateEvent, Stamp
from tests.looks import BARRIER, HEIGHT, WIDTH, a_plate
from tests.turned_clock import TurnedClock

BOOTS = ("b" * 36, "c" * 36)
NOTHING = Sighting(Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32)))


class Uplink:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[Record] = []

    def tell(self, record: Record, seen_mono_ns: int) -> None:  # the port's shape
        self.told.append(record)


class Run:
    """One run of a lane over an outbox, by a clock that the test turns."""

    def __init__(self, outbox: Outbox, clock: TurnedClock, boot: str = BOOTS[0], lane: str = "entry") -> None:
        self.clock, self.boot, self.outbox = clock, boot, outbox
        self.uplink, self.figures = Uplink(), Figures()
        teller = Teller(
            lane, outbox, self.uplink, stamp=self.stamp, artifacts={}, settings=CropSettings(enabled=False),
            figures=self.figures, clock=clock,
        )  # fmt: skip
        self.lane = LaneWatch(lane, PassSettings(), teller, seed=outbox.epoch, figures=self.figures, clock=clock)
        self.lane.resume(outbox.kept(notes.PREFIX), self.stamp(clock.now()))

    def stamp(self, at: Instant) -> Stamp:
        return stamped(at, self.boot, "synced")

    def see(self, seconds: float, *plates: PlateSeen, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.turn(0.1)
            now = self.clock.now()
            picture = Picture(np.zeros((48, 64, 3), np.uint8), now, now.mono_ns, 1)
            self.lane.show(picture, NOTHING, Look(now, *size, (), plates))

    def arrive(self, text: str = "AB123CD") -> None:
        """An empty lane, then a car that rolls in and stands."""
        self.see(3)
        x1, y1, x2, y2 = BARRIER
        for number in range(10):
            up = (9 - number) * 20
            self.see(0.1, a_plate(text, (x1, y1 - up, x2, y2 - up)))
        self.see(0.5, a_plate(text))

    def notes(self) -> dict[str, bytes]:
        return self.outbox.kept(notes.PREFIX)


def told(outbox: Outbox) -> list[PlateEvent]:
    records = [outbox.read(entry.key) for entry in outbox.waiting(None, 10_000)]
    return [body for each in records if each and isinstance(body := open_body(each), PlateEvent)]


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def opened(tmp_path: Path, clock: TurnedClock) -> Iterator[Sequence[DurableOutbox]]:
    """The outbox as each process after the other has it: opened when it is asked for, the one before being closed."""

    class Openings(list[DurableOutbox]):
        def __getitem__(self, number: int) -> DurableOutbox:  # type: ignore[override]
            while len(self) <= number:
                for each in self:
                    each.close()
                self.append(open_outbox(tmp_path / "outbox", clock=clock))
            return list.__getitem__(self, number)

    openings = Openings()
    yield openings
    for each in openings:
        each.close()


def test_a_car_that_stands_over_a_stop_is_one_pass_under_rising_revisions(
    opened: Sequence[DurableOutbox], clock: TurnedClock
) -> None:
    first = Run(opened[0], clock)
    first.arrive()
    first.lane.leave()
    assert [event.final for event in told(opened[0])] == [False]
    assert len(first.notes()) == 1
    clock.turn(20)
    second = Run(opened[1], clock)
    second.see(1, a_plate("AB123CD"))
    assert len(second.uplink.told) == 1  # whoever waits is told again
    second.see(10)
    events = told(opened[1])
    assert len({event.pass_id for event in events}) == 1
    assert [(event.revision, event.final, event.interrupted) for event in events] == [
        (1, False, False),
        (2, False, False),
        (3, True, False),
    ]
    assert {event.first_seen for event in events} == {events[0].first_seen}
    assert second.notes() == {}


def test_without_a_stop_in_order_the_note_of_the_last_revision_counts(
    opened: Sequence[DurableOutbox], clock: TurnedClock
) -> None:
    Run(opened[0], clock).arrive()
    clock.turn(10)
    second = Run(opened[1], clock)
    second.see(1, a_plate("AB123CD"))
    assert [(event.revision, event.final) for event in told(opened[1])] == [(1, False), (2, False)]


def test_a_car_that_is_not_seen_again_is_closed_with_what_was_told_of_it(
    opened: Sequence[DurableOutbox], clock: TurnedClock
) -> None:
    first = Run(opened[0], clock)
    first.arrive()
    first.lane.leave()
    left_ns = clock.now().mono_ns
    clock.turn(20)
    second = Run(opened[1], clock)
    second.see(29)
    assert len(second.notes()) == 1
    second.see(2)
    last = told(opened[1])[-1]
    assert (last.revision, last.final, last.interrupted, last.text) == (2, True, True, "AB123CD")
    assert last.captured.mono_ns == left_ns  # when it was seen, not when that was told
    assert second.notes() == {}


def test_a_pass_of_long_ago_is_closed_at_the_start_with_its_own_stamps(
    opened: Sequence[DurableOutbox], clock: TurnedClock
) -> None:
    first = Run(opened[0], clock)
    first.arrive()
    first.lane.leave()
    clock.turn(3600)
    second = Run(opened[1], clock, BOOTS[1])
    events = told(opened[1])
    assert (events[-1].final, events[-1].interrupted) == (True, True)
    assert (events[-1].captured.boot, events[-1].first_seen) == (BOOTS[0], events[0].first_seen)
    assert second.notes() == {}


def test_the_same_car_seen_an_hour_later_is_another_pass_with_another_name(
    opened: Sequence[DurableOutbox], clock: TurnedClock
) -> None:
    Run(opened[0], clock).arrive()
    clock.turn(3600)
    Run(opened[1], clock).arrive()
    ids = [event.pass_id for event in told(opened[1])]
    assert len(set(ids)) == 2


def test_names_of_passes_never_repeat_though_clock_and_cars_are_the_same(tmp_path: Path) -> None:
    names = set[str]()
    for _ in range(3):  # the clock begins anew each time, as without a battery
        clock = TurnedClock()
        outbox = open_outbox(tmp_path / "outbox", clock=clock)
        run = Run(outbox, clock)
        run.arrive()
        run.lane.stop()
        names |= {event.pass_id for event in told(outbox)}
        outbox.close()
    assert len(names) == 3


def test_a_camera_that_shows_larger_pictures_after_the_restart_shows_the_same_car(
    opened: Sequence[DurableOutbox], clock: TurnedClock
) -> None:
    first = Run(opened[0], clock)
    first.arrive()
    first.lane.leave()
    second = Run(opened[1], clock)
    x1, y1, x2, y2 = (edge * 2 for edge in BARRIER)
    second.see(0.2, a_plate("AB123CX", (x1, y1, x2, y2)), size=(WIDTH * 2, HEIGHT * 2))  # misread: its place decides
    events = told(opened[1])
    assert [(event.revision, event.text) for event in events] == [(1, "AB123CD"), (2, "AB123CD")]
    assert events[-1].plate_box == (x1, y1, x2, y2)


def test_a_car_that_stands_for_long_is_noted_every_ten_seconds(
    opened: Sequence[DurableOutbox], clock: TurnedClock
) -> None:
    run = Run(opened[0], clock)
    run.arrive()
    written = {bytes(*run.notes().values())}
    for _ in range(600):
        run.see(0.1, a_plate("AB123CD"))
        written.add(bytes(*run.notes().values()))
    assert 60 / KEEP_S <= len(written) <= 60 / KEEP_S + 2


def test_a_note_that_cannot_be_read_is_dropped_and_counted(opened: Sequence[DurableOutbox], clock: TurnedClock) -> None:
    opened[0].keep({notes.name_of("entry", "0199"): b"rubbish"})
    run = Run(opened[0], clock)
    assert run.notes() == {}
    assert run.figures.counts()["notes_unreadable"] == 1


class Fickle(MemoryOutbox):
    """An outbox on a disk that refuses what the test says."""

    volatile = False  # type: ignore[assignment]
    refuses = False

    def append(self, type: str, message: object, *, keep: Change = NO_NOTES) -> Record:  # type: ignore[override] # noqa: A002
        if self.refuses:
            raise OutboxError("the disk is full")
        return super().append(type, message, keep=keep)  # type: ignore[arg-type]

    def keep(self, notes: Change) -> None:
        if self.refuses:
            raise OutboxError("the disk is full")
        super().keep(notes)


def test_a_last_revision_that_was_refused_is_told_by_the_next_start(clock: TurnedClock) -> None:
    outbox = Fickle(clock=clock)
    first = Run(outbox, clock)
    first.arrive()
    outbox.refuses = True
    first.see(10)
    assert [event.final for event in told(outbox)] == [False]
    outbox.refuses = False
    clock.turn(60)
    Run(outbox, clock)
    assert [(event.revision, event.final, event.interrupted) for event in told(outbox)] == [
        (1, False, False),
        (2, True, True),
    ]


def test_notes_that_are_refused_are_told_as_a_problem_until_one_is_kept(clock: TurnedClock) -> None:
    outbox = Fickle(clock=clock)
    run = Run(outbox, clock)
    run.arrive()
    outbox.refuses = True
    run.see(KEEP_S + 1, a_plate("AB123CD"))
    assert run.figures.troubles() == ["open passes cannot be kept for a restart: the disk is full"]
    assert len(told(outbox)) == 1  # and whoever waits is announced all the same
    outbox.refuses = False
    run.see(KEEP_S + 1, a_plate("AB123CD"))
    assert run.figures.troubles() == []


def test_an_outbox_that_ends_with_the_process_has_its_passes_closed_at_the_stop(clock: TurnedClock) -> None:
    outbox = MemoryOutbox(clock=clock)
    run = Run(outbox, clock)
    run.arrive()
    run.lane.leave()
    assert [(event.final, event.interrupted) for event in told(outbox)] == [(False, False), (True, True)]
    assert run.notes() == {}


def test_notes_of_two_picture_sizes_are_never_mixed(opened: Sequence[DurableOutbox], clock: TurnedClock) -> None:
    run = Run(opened[0], clock)
    run.arrive()
    ((name, data),) = run.notes().items()
    found = notes.read(data, run.stamp(clock.now()))
    other = replace(found.left, pass_id=f"{found.left.pass_id[:-1]}0", size=(64, 48), revision=7)
    run.outbox.keep({name.replace(found.left.pass_id, other.pass_id): notes.written(other, run.stamp)})
    second = Run(opened[1], clock)
    second.see(1, a_plate("AB123CD"))
    assert len([event for event in told(opened[1]) if event.final and event.interrupted]) == 1
