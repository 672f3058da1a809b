"""What is the outbox in memory's own; what every outbox does stands in `tests/contracts/outbox`."""

from __future__ import annotations

from platefleet.protocol.clock_sync import ClockState
from platefleet.protocol.delivery.frame import open_body
from platefleet.protocol.delivery.outbox import MemoryOutbox
from platefleet.protocol.messages import EpochEnd, EpochOpening
from tests.record_builders import an_epoch
from tests.turned_clock import TurnedClock


def test_each_epoch_is_opened_with_what_is_known_of_the_clock_by_then() -> None:
    states: list[ClockState] = ["unsynced", "synced"]
    outbox = MemoryOutbox(clock=TurnedClock(), clock_state=lambda _: states.pop(0))
    outbox.begin_epoch()
    openings = [open_body(record) for entry in outbox.waiting(None, 10) if (record := outbox.read(entry.key))]
    assert [each.opened.clock for each in openings if isinstance(each, EpochOpening)] == ["unsynced", "synced"]


def test_the_first_epoch_names_those_that_were_before_the_program() -> None:
    previous = (EpochEnd(epoch=an_epoch(7), last=12),)
    outbox = MemoryOutbox(clock=TurnedClock(), previous=previous)
    record = outbox.read((outbox.epoch, 1))
    assert record is not None
    opening = open_body(record)
    assert isinstance(opening, EpochOpening)
    assert opening.previous == previous
