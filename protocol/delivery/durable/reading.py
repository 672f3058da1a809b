"""The side of a database that asks and believes: it waits for no sync, and writes nothing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from platefleet.protocol.clock import Clock, Instant
from platefleet.protocol.clock_sync import ClockState
from platefleet.protocol.delivery.durable import rows, tables
from platefleet.protocol.delivery.durable.database import Database
from platefleet.protocol.delivery.durable.refused import DiskRefused, refusing
from platefleet.protocol.delivery.durable.rows import Row
from platefleet.protocol.delivery.durable.shelf import DiskShelf
from platefleet.protocol.delivery.effects import Entry, Key
from platefleet.protocol.delivery.frame import Record, thaw
from platefleet.protocol.delivery.notes import Notes
from platefleet.protocol.delivery.port import EPOCHS_TOLD, Depth, Standing
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.messages import EpochCoverage, EpochEnd, Gone
from platefleet.protocol.messages.delivery import GoneReason

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """What an outbox is opened with.

    keep_days: committed records stay so long if the quota allows it; None: as long as it does.
    """

    clock: Clock
    quota_bytes: int
    quota_records: int
    keep_days: float | None
    clock_state: Callable[[Instant], ClockState]


class DiskReading:
    """What is believed of one database. `state` is held only while memory or some pages are looked at."""

    def __init__(self, database: Database, use: Settings, *, counting: bool = True) -> None:
        """Take over a database that was checked, and count what it holds: that reads all of it."""
        self.path = database.path
        self.use = use
        self.database = database
        self.state = threading.RLock()
        self.appended = self.renamed = 0
        self.notes = Notes(tables.notes(database.reader))
        self.shelf = DiskShelf(database.reader, use.quota_bytes, use.quota_records)
        for epoch in tables.load(database.reader):
            if not counting:
                self.shelf.epochs[epoch.name] = epoch
                continue
            missing = self.shelf.unaccounted(epoch)
            self.shelf.adopt(epoch)
            self.appended += epoch.belief.last
            for first, last in missing:
                self.shelf.lose(epoch, first, last, "broken")
                LOG.error("%s: %s/%d … %d are missing; they are told as gone", self.path, epoch.name, first, last)

    def kept(self, prefix: str = "") -> dict[str, bytes]:
        """Return the notes whose names begin with `prefix`, by name."""
        with self.state:
            return self.notes.kept(prefix)

    def waiting(self, after: Key | None, most: int) -> Sequence[Entry]:
        """Return what the store is not believed to have; see `Outbox`."""
        with self.reading():
            return self.shelf.page(after, most)

    def read(self, key: Key) -> Record | None:
        """Return a record, or None if it is not held, or is damaged: then it is given up."""
        with self.reading():
            row = self.shelf.held_row(key)
            frame = None if row is None else rows.frame(self.database.reader, row.id)
            if row is None or frame is None:
                return None
            try:
                record = thaw(frame)
                if record.key == key:
                    return record
                said = "it is another"
            except ProtocolError as error:
                said = str(error)
            LOG.error("%s: record %s/%d cannot be read and is given up: %s", self.path, *key, said)
            if self.shelf.epochs[key[0]].belief.standing(key[1]) == "waiting":
                self.shelf.give_up(self.shelf.epochs[key[0]], row, "broken")
            else:
                self.shelf.remove(self.shelf.epochs[key[0]], row)
            return None

    def holds(self, epoch: str) -> bool:
        """Whether this is an epoch of this database."""
        with self.state:
            return epoch in self.shelf.epochs

    def standing(self, key: Key) -> Standing:
        """Return whether the store is believed to have it, does not yet, or nobody will."""
        with self.state:
            epoch = self.shelf.epochs.get(key[0])
            return "gone" if epoch is None else epoch.belief.standing(key[1])

    def cover(self, covered: Sequence[EpochCoverage]) -> int:
        """Add to what the store is believed to have. Not written now: see `TOLD_EVERY_NS`."""
        with self.reading():
            before = self.shelf.confirmed
            for told in covered:
                epoch = self.shelf.epochs.get(told.epoch)
                if epoch is not None:
                    self.shelf.commit(epoch, epoch.belief.believe(told.covered))
            return self.shelf.confirmed - before

    def epochs(self) -> tuple[EpochEnd, ...]:
        """Return the epochs held and the last seq of each; see `Outbox`."""
        with self.state:
            newest = list(self.shelf.epochs.values())[-EPOCHS_TOLD:]
            return tuple(EpochEnd(epoch=each.name, last=each.belief.last) for each in newest)

    def answer(self, asked: Sequence[EpochEnd], covered: Sequence[EpochCoverage]) -> None:
        """Replace what the store is believed to have of what was asked; see `Outbox`."""
        told = {each.epoch: each.covered for each in covered}
        with self.reading():
            for end in asked:
                epoch = self.shelf.epochs.get(end.epoch)
                if epoch is not None:
                    new, forgotten = epoch.belief.replace(end.last, told.get(end.epoch, ()))
                    self.shelf.commit(epoch, new)
                    self.shelf.forgotten(epoch, forgotten)

    def gone(self, most: int) -> tuple[Gone, ...]:
        """Return ranges that are gone and that the store is not believed to know of; see `Outbox`."""
        with self.state:
            ranges = ((each.name, *gone) for each in self.shelf.epochs.values() for gone in each.belief.gone())
            return tuple(
                Gone(epoch=name, first=first, last=last, reason=reason)
                for name, first, last, reason in islice(ranges, most)
            )

    def set_aside(self, key: Key, reason: GoneReason) -> None:
        """Give a waiting record up: it becomes gone."""
        with self.reading():
            row = self.waiting_row(key)
            if row is not None:
                self.shelf.give_up(self.shelf.epochs[key[0]], row, reason)

    def depth(self) -> Depth:
        """Return how full it is."""
        with self.state:
            shelf = self.shelf
            return Depth(
                waiting=shelf.waiting,
                waiting_bytes=shelf.waiting_bytes,
                held=shelf.held,
                held_bytes=shelf.held_bytes,
                appended=self.appended,
                committed=shelf.confirmed,
                gone=shelf.lost,
                renamed=self.renamed,
            )

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold the state; what the disk refuses meanwhile is DiskRefused."""
        with self.state, refusing(self.path):
            if self.database.closed:
                raise DiskRefused(f"{self.path}: the outbox is closed.", again=True)
            yield

    def waiting_row(self, key: Key) -> Row | None:
        """Return the row of a record that is held and waits. Under `reading`."""
        row = self.shelf.held_row(key)
        return None if row is None or self.standing(key) != "waiting" else row
