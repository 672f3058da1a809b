"""The outbox on a disk: every append is one transaction, synced before it returns; what the disk refuses is raised."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.clock_sync import stamped
from platefleet.protocol.codec import encode
from platefleet.protocol.delivery.belief import Belief
from platefleet.protocol.delivery.durable import rows, tables
from platefleet.protocol.delivery.durable.database import Database
from platefleet.protocol.delivery.durable.epoch import DiskEpoch, packed
from platefleet.protocol.delivery.durable.reading import DiskReading, Settings
from platefleet.protocol.delivery.durable.refused import DiskRefused
from platefleet.protocol.delivery.durable.rows import Row
from platefleet.protocol.delivery.durable.schema import VERSION
from platefleet.protocol.delivery.durable.shelf import Changes
from platefleet.protocol.delivery.effects import Key
from platefleet.protocol.delivery.frame import Record, freeze
from platefleet.protocol.delivery.notes import NO_NOTES, Change
from platefleet.protocol.delivery.port import EPOCHS_TOLD
from platefleet.protocol.delivery.range_set import RangeSet
from platefleet.protocol.errors import OutboxError, ProtocolError
from platefleet.protocol.ids import new_epoch
from platefleet.protocol.messages import EpochEnd, EpochOpening

LOG = logging.getLogger(__name__)
DAY_NS = 86_400 * SECOND_NS
TOLD_EVERY_NS = 60 * SECOND_NS
"""How often what the store has is written, if it is little: losing it costs a question, a write costs flash."""
OLD_ROWS = 64
"""Records above `keep_days` deleted after one append."""


class DiskOutbox(DiskReading):
    """What `Outbox` says, on one database, which nobody else has open. Raises DiskRefused; then nothing was kept.

    Two locks: `writing` is held while the disk works, `state` only while memory or a page of the database is looked
    at. Who needs both takes `writing` first. So nobody who reads or covers waits for a sync.
    """

    def __init__(self, database: Database, use: Settings, *, counting: bool = True) -> None:
        """Take over a database that was checked, and count what it holds. `begin_epoch` must follow.

        counting: false: nothing may be read of it, and nothing given up for its quota.
        """
        super().__init__(database, use, counting=counting)
        self.writing = threading.RLock()
        self._told_ns = self._trim_ns = self._looked_ns = 0
        self.utc_ns = tables.newest_utc_ns(database.reader)
        self._present: DiskEpoch | None = None

    @property
    def epoch(self) -> str:
        """The epoch that is written to."""
        with self.state:
            assert self._present is not None
            return self._present.name

    def append(
        self,
        type: str,  # noqa: A002  # the wire's word
        body: bytes,
        keep: Change = NO_NOTES,
        claim: Callable[[], bool] = lambda: True,
    ) -> Record:
        """Keep a record and notes: one transaction.

        claim: whether somebody still waits for it. If not, it lives elsewhere under another name, and this one is lost.
        """
        with self.writing:
            assert self._present is not None
            epoch = self._present
            record = self._record(epoch, type, body)
            row = self._row(epoch, record)
            if not keep and not self._due(row.mono):
                self.database.execute(*rows.insertion(row, record.frame))
            else:
                with self.state:
                    self.notes.check(keep)
                with self.transaction() as connection:
                    rows.insert(connection, row, record.frame)
                    tables.keep(connection, keep)
            self.put(epoch, row, keep, claim)
        return record

    def keep(self, notes: Change) -> None:
        """Keep notes alone."""
        with self.writing:
            with self.state:
                self.notes.check(notes)
            with self.transaction() as connection:
                tables.keep(connection, notes)
            with self.state:
                self.notes.apply(notes)

    def begin_epoch(self) -> None:
        """Begin a new random epoch whose first record names those before it."""
        with self.writing:
            with self.state:
                ends = self.epochs()
                known = list(self.shelf.epochs.values())
                number = known[-1].number + 1 if known else 1
                epoch = DiskEpoch(number, known[-1].end if known else 0, Belief(new_epoch()))
                self.shelf.changes.dirty.update(each.number for each in known[-1:])
            record = self._record(epoch, "epoch", self.opening(ends))
            row = self._row(epoch, record)
            with self.transaction(all_changes=True) as connection:
                tables.begin(connection, epoch)
                rows.insert(connection, row, record.frame)
            self.began(epoch)
            self.put(epoch, row)

    def moved(self, key: Key) -> None:
        """Hold a waiting record no longer: it lives on under another name, this one being taken at the store."""
        with self.reading():
            row = self.waiting_row(key)
            if row is not None:
                self.shelf.move(self.shelf.epochs[key[0]], row)

    def rename(self, key: Key) -> Record | None:
        """Keep a waiting record under a new name: the old row goes and the new one comes in one transaction.

        Who could not wait for that has called `moved`: then it lives elsewhere, and the new one is lost.
        """
        with self.writing:
            old = self.read(key)
            with self.reading():
                row = self.waiting_row(key)
            if old is None or row is None:
                return None
            assert self._present is not None
            epoch, present = self.shelf.epochs[key[0]], self._present
            record = self._record(present, old.type, old.body)
            new = self._row(present, record)
            with self.state:
                believed = RangeSet(epoch.belief.believed.ranges)
            believed.add(key[1], key[1])
            with self.transaction(all_changes=True) as connection:
                rows.delete(connection, [row.id])
                tables.believe(connection, epoch.number, epoch.belief.last, packed(believed))
                rows.insert(connection, new, record.frame)
            with self.state:
                ours = epoch.belief.standing(key[1]) == "waiting"
                if ours:
                    self.shelf.move(epoch, row)
            self.put(present, new, claim=lambda: ours)
            self.renamed += 1
            return record

    def check(self) -> None:
        """Let the disk take and sync something that changes nothing. Raises DiskRefused."""
        with self.writing, self.transaction(all_changes=True) as connection:
            connection.execute(f"PRAGMA user_version = {VERSION}")

    def close(self) -> None:
        """Write what is still to be written, if the disk takes it, and close the database."""
        with self.writing, self.state:
            if not self.database.closed:
                with suppress(DiskRefused), self.transaction(all_changes=True):
                    pass
                self.database.close()

    def abandon(self) -> None:
        """Close the database as it is: another connection has taken its place."""
        with self.writing, self.state:
            self.database.close()

    # For whoever adopts records, and below.

    def opening(self, ends: Sequence[EpochEnd]) -> bytes:
        """Return the body of a record that opens an epoch now."""
        now = self.use.clock.now()
        stamp = stamped(now, self.use.clock.boot, self.use.clock_state(now))
        return encode(EpochOpening(opened=stamp, volatile=False, previous=tuple(ends)[-EPOCHS_TOLD:]))

    @contextmanager
    def transaction(self, *, all_changes: bool = False) -> Iterator[sqlite3.Connection]:
        """Write and sync; with what was taken, believed and lost meanwhile where that is due. Under `writing`."""
        now_ns = self.use.clock.now().mono_ns
        with self.state:
            due = all_changes or self._due(now_ns)
            taken = self.shelf.take() if due else Changes()
        try:
            with self.database.transaction() as connection:
                if due:
                    tables.change(connection, taken)
                yield connection
        except BaseException:
            with self.state:
                self.shelf.refused(taken)
            raise
        if due:
            self._told_ns = now_ns
            with self.state:
                self.shelf.written(taken)

    def began(self, epoch: DiskEpoch) -> None:
        """Write to this epoch from now on; forget old ones that hold nothing."""
        with self.state:
            self.shelf.epochs[epoch.name] = epoch
            self._present = epoch
            self.shelf.prune(list(self.shelf.epochs.values())[:-EPOCHS_TOLD])

    def _due(self, now_ns: int) -> bool:
        """Whether the next write carries what was taken, believed and lost."""
        late = now_ns - self._told_ns >= TOLD_EVERY_NS
        return self.shelf.due() or (late and bool(self.shelf.changes.dirty))

    def _record(self, epoch: DiskEpoch, type: str, body: bytes) -> Record:  # noqa: A002  # the wire's word
        try:
            record = freeze(epoch.name, epoch.belief.last + 1, type, body)
        except ProtocolError as error:
            raise OutboxError(f"{self.path}: a record of type {type} cannot be kept: {error}.") from error
        size = len(record.frame)
        if size > self.use.quota_bytes or self.use.quota_records < 1:
            raise OutboxError(f"{self.path}: a record of {size} bytes is above the quota of {self.use.quota_bytes}.")
        return record

    def _row(self, epoch: DiskEpoch, record: Record) -> Row:
        now = self.use.clock.now()
        if now.mono_ns - self._looked_ns >= TOLD_EVERY_NS or not self._looked_ns:
            self._looked_ns = now.mono_ns
            if self.use.clock_state(now) != "unsynced":
                self.utc_ns = now.utc_ns
        return Row(epoch.base + record.seq, len(record.frame), now.mono_ns, self.utc_ns, int(record.type == "crops"))

    def put(
        self, epoch: DiskEpoch, row: Row, notes: Change = NO_NOTES, claim: Callable[[], bool] = lambda: True
    ) -> None:
        """Believe what was written."""
        with self.state:
            if notes:
                self.notes.apply(notes)
            try:
                self.shelf.make_room(row.size)
                self._forget_old(row.mono)
            except sqlite3.Error as error:  # the record is kept all the same; its place is made with the next
                LOG.warning("%s: no room was made: %s", self.path, error)
            self.shelf.put(epoch, row)
            self.appended += 1
            if not claim():
                self.shelf.give_up(epoch, row, "volatile")

    def _forget_old(self, now_ns: int) -> None:
        keep_days = self.use.keep_days
        if keep_days is None or not self.utc_ns or now_ns < self._trim_ns:
            return
        for _ in range(OLD_ROWS):
            found = self.shelf.oldest_committed()
            if found is None or found[1].utc > self.utc_ns - keep_days * DAY_NS:
                self._trim_ns = now_ns + TOLD_EVERY_NS
                return
            self.shelf.remove(*found)
