"""What a database holds, as the program believes it: counts, what the store has, what is to be deleted.

This, in memory, is what counts. The database's rows follow it in batches: a row whose record is not held any more is
`doomed` and is seen by nobody from then on, and is deleted together with the belief that made it superfluous. If the
process dies before that, the record is simply held again: the quota takes it again, the store is asked again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from platefleet.protocol.delivery.durable import rows
from platefleet.protocol.delivery.durable.epoch import DiskEpoch, packed
from platefleet.protocol.delivery.durable.rows import Row
from platefleet.protocol.delivery.effects import Entry, Key
from platefleet.protocol.delivery.gone import GoneRanges
from platefleet.protocol.delivery.range_set import Range
from platefleet.protocol.messages.delivery import GoneReason

DOOMED_ROWS = 64
DOOMED_BYTES = 1024 * 1024
"""So many rows are deleted together: neighbours on one page then cost one write."""
TOLD_ROWS = 64
"""So many may be committed before it is written: after a power cut the quota must know whose place to take first."""


@dataclass
class Changes:
    """What the database must be told with the next write that carries it.

    doomed: rows. dirty: numbers of epochs. beliefs: last seq and what is believed of those, as of when it was taken.
    """

    doomed: set[int] = field(default_factory=set)
    dirty: set[int] = field(default_factory=set)
    beliefs: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    losses: dict[int, GoneRanges] = field(default_factory=dict)
    pruned: set[int] = field(default_factory=set)


class DiskShelf:
    """What is held of each epoch, oldest first. Owned by whoever holds its outbox's state lock; reads `connection`."""

    def __init__(self, connection: sqlite3.Connection, quota_bytes: int, quota_records: int) -> None:
        self.epochs: dict[str, DiskEpoch] = {}
        self.changes = Changes()
        self.held = self.held_bytes = self.waiting = self.waiting_bytes = self.confirmed = self.lost = 0
        self._connection = connection
        self._quota_bytes = quota_bytes
        self._quota_records = quota_records
        self._doomed: dict[int, int] = {}
        self._doomed_bytes = 0
        self._told = 0

    # What is there.

    def held_row(self, key: Key) -> Row | None:
        """Return the row of a record that is held."""
        epoch = self.epochs.get(key[0])
        if epoch is None or not 1 <= key[1] <= epoch.belief.last or epoch.base + key[1] in self._doomed:
            return None
        return rows.one(self._connection, epoch.base + key[1])

    def page(self, after: Key | None, most: int) -> list[Entry]:
        """Return what waits behind a name, oldest first."""
        found: list[Entry] = []
        behind = after is None or after[0] not in self.epochs
        for epoch in self.epochs.values():
            first = epoch.waiting_from
            if not behind and after is not None:
                if epoch.name != after[0]:
                    continue
                behind = True
                first = max(first, after[1] + 1)
            for seqs in epoch.belief.believed.lacking(first, epoch.belief.last) if epoch.waiting else ():
                if len(found) >= most:
                    return found
                part = self._rows(epoch, seqs, most - len(found))
                found += [
                    Entry(epoch.name, row.id - epoch.base, row.size, 0 if epoch.loaded else row.mono) for row in part
                ]
        return found

    def unaccounted(self, epoch: DiskEpoch) -> list[Range]:
        """Return the seqs that are neither held, believed nor lost: rows that a damaged database does not have."""
        missing: list[Range] = []
        for first, last in epoch.belief.believed.lacking(1, epoch.belief.last):
            lost = epoch.belief.lost.between(first, last)
            expected = last - first + 1 - sum(min(end, last) - max(begin, first) + 1 for begin, end, _ in lost)
            if rows.tally(self._connection, *epoch.rows((first, last)), ()).rows != expected:
                missing += [
                    left
                    for begin, end in self._not_held(epoch, first, last)
                    for left in epoch.belief.lost.lacking(begin, end)
                ]
        return missing

    def _not_held(self, epoch: DiskEpoch, first: int, last: int) -> Iterator[Range]:
        for number in rows.ids(self._connection, *epoch.rows((first, last))):
            seq = number - epoch.base
            if number in self._doomed:
                continue
            if seq > first:
                yield first, seq - 1
            first = seq + 1
        if first <= last:
            yield first, last

    # What changes.

    def adopt(self, epoch: DiskEpoch) -> None:
        """Take an epoch with the rows that it has; count them."""
        self.epochs[epoch.name] = epoch
        for believed, ranges in (
            (True, epoch.belief.believed.within(1, epoch.belief.last)),
            (False, epoch.belief.believed.lacking(1, epoch.belief.last)),
        ):
            for seqs in ranges:
                counted = rows.tally(self._connection, *epoch.rows(seqs), self._doomed)
                self.held += counted.rows
                self.held_bytes += counted.size
                if believed:
                    epoch.committed += counted.rows
                else:
                    self._wait(epoch, counted.rows, counted.size, counted.crops)
        self.lost += sum(last - first + 1 for first, last, _ in epoch.belief.lost.ranges)

    def put(self, epoch: DiskEpoch, row: Row) -> None:
        """Hold a new record of the newest epoch; its row was written."""
        epoch.belief.last = row.id - epoch.base
        self.held += 1
        self.held_bytes += row.size
        self._wait(epoch, 1, row.size, row.crops)

    def make_room(self, size: int) -> None:
        """Make room for so many bytes and a record, in the quota's order."""
        while self.held and (self.held_bytes + size > self._quota_bytes or self.held >= self._quota_records):
            found = self.oldest_committed()
            if found is not None:
                self.remove(*found)
                continue
            found = self._oldest_crops() or self._oldest_waiting()
            if found is None:
                return
            self.give_up(*found, "quota")

    def give_up(self, epoch: DiskEpoch, row: Row, reason: GoneReason) -> None:
        """Take a record that is held for lost."""
        self.remove(epoch, row)
        self.lose(epoch, row.id - epoch.base, row.id - epoch.base, reason)

    def lose(self, epoch: DiskEpoch, first: int, last: int, reason: GoneReason) -> None:
        """Take seqs that are not held for lost."""
        for begin, end in list(epoch.belief.lost.lacking(first, last)):
            self.lost += epoch.belief.lose(begin, end, reason)
            self.changes.losses.setdefault(epoch.number, GoneRanges()).add(begin, end, reason)

    def move(self, epoch: DiskEpoch, row: Row) -> None:
        """Hold a waiting record no longer under this name, which is taken at the store."""
        self.remove(epoch, row)
        epoch.belief.believed.add(row.id - epoch.base, row.id - epoch.base)

    def remove(self, epoch: DiskEpoch, row: Row) -> None:
        """Hold a record no longer, waiting or committed."""
        if row.id - epoch.base in epoch.belief.believed:
            epoch.committed -= 1
        else:
            self._wait(epoch, -1, -row.size, -row.crops)
        self.held -= 1
        self.held_bytes -= row.size
        self.changes.doomed.add(row.id)
        self.changes.dirty.add(epoch.number)
        self._doomed[row.id] = row.size
        self._doomed_bytes += row.size

    def doom(self, numbers: Iterable[int]) -> None:
        """Let rows that nobody holds be deleted; they were never counted."""
        for number in numbers:
            self._doomed.setdefault(number, 0)
            self.changes.doomed.add(number)

    def commit(self, epoch: DiskEpoch, new: Sequence[Range]) -> None:
        """Take what is newly believed from what waits."""
        for seqs in new:
            counted = rows.tally(self._connection, *epoch.rows(seqs), self._doomed)
            self._wait(epoch, -counted.rows, -counted.size, -counted.crops)
            epoch.committed += counted.rows
            epoch.committed_from = min(epoch.committed_from, seqs[0])
            self.confirmed += counted.rows
            self.changes.dirty.add(epoch.number)

    def forgotten(self, epoch: DiskEpoch, ranges: Sequence[Range]) -> None:
        """Let what the store lost wait again; what is no longer held is lost for good."""
        for first, last in ranges:
            counted = rows.tally(self._connection, *epoch.rows((first, last)), self._doomed)
            epoch.waiting_from = min(epoch.waiting_from, first)
            epoch.crops_from = min(epoch.crops_from, first)
            self._wait(epoch, counted.rows, counted.size, counted.crops)
            epoch.committed -= counted.rows
            self.confirmed -= counted.rows
            self.changes.dirty.add(epoch.number)
            if counted.rows < last - first + 1:
                for missing in self._not_held(epoch, first, last):
                    self.lose(epoch, *missing, "quota")

    def prune(self, epochs: Iterable[DiskEpoch]) -> None:
        """Forget those epochs that hold nothing and of which there is nothing to tell."""
        for epoch in epochs:
            if not epoch.waiting and not epoch.committed and next(epoch.belief.gone(), None) is None:
                del self.epochs[epoch.name]
                self.changes.pruned.add(epoch.number)

    # What the database is told.

    def due(self) -> bool:
        """Whether so much is to be deleted, or was committed, that it is worth a write. Needs no lock."""
        return (
            len(self._doomed) >= DOOMED_ROWS
            or self._doomed_bytes >= DOOMED_BYTES
            or self.confirmed - self._told >= TOLD_ROWS
        )

    def take(self) -> Changes:
        """Return what is to be written; it comes back by `written` or `refused`."""
        taken, self.changes = self.changes, Changes()
        for epoch in self.epochs.values():
            if epoch.number in taken.dirty:
                taken.beliefs[epoch.number] = epoch.belief.last, packed(epoch.belief.believed)
        return taken

    def written(self, taken: Changes) -> None:
        """Forget what was doomed: it is deleted."""
        self._told = self.confirmed
        for number in taken.doomed:
            self._doomed_bytes -= self._doomed.pop(number, 0)

    def refused(self, taken: Changes) -> None:
        """Put back what was not written."""
        self.changes.doomed |= taken.doomed
        self.changes.dirty |= taken.dirty
        self.changes.pruned |= taken.pruned
        for number, losses in taken.losses.items():
            for each in losses.ranges:
                self.changes.losses.setdefault(number, GoneRanges()).add(*each)

    # Looking for the next to go.

    def oldest_committed(self) -> tuple[DiskEpoch, Row] | None:
        """Return the oldest record that is held and committed."""
        for epoch in self.epochs.values():
            if not epoch.committed:
                continue
            for seqs in epoch.belief.believed.within(epoch.committed_from, epoch.belief.last):
                for row in self._rows(epoch, seqs, 1):
                    epoch.committed_from = row.id - epoch.base
                    return epoch, row
        return None

    def _oldest_crops(self) -> tuple[DiskEpoch, Row] | None:
        for epoch in self.epochs.values():
            for seqs in epoch.belief.believed.lacking(epoch.crops_from, epoch.belief.last) if epoch.crops else ():
                for row in self._rows(epoch, seqs, 1, crops=True):
                    epoch.crops_from = row.id - epoch.base
                    return epoch, row
        return None

    def _oldest_waiting(self) -> tuple[DiskEpoch, Row] | None:
        for epoch in self.epochs.values():
            for seqs in epoch.belief.believed.lacking(epoch.waiting_from, epoch.belief.last) if epoch.waiting else ():
                for row in self._rows(epoch, seqs, 1):
                    epoch.waiting_from = row.id - epoch.base
                    return epoch, row
        return None

    def _rows(self, epoch: DiskEpoch, seqs: Range, most: int, *, crops: bool = False) -> list[Row]:
        """Return up to `most` rows of a range that are held."""
        found: list[Row] = []
        first, last = epoch.rows(seqs)
        while first <= last and len(found) < most:
            part = rows.page(self._connection, first, last, most - len(found), crops=crops)
            found += [row for row in part if row.id not in self._doomed]
            if not part:
                break
            first = part[-1].id + 1
        return found

    def _wait(self, epoch: DiskEpoch, count: int, size: int, crops: int) -> None:
        epoch.waiting += count
        epoch.crops += crops
        self.waiting += count
        self.waiting_bytes += size
