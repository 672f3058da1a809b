"""Taking over into a database what was kept in memory while its disk refused.

The records keep their names: their epochs become epochs of the database, and behind them a new one begins whose opening
names them. Until `finish`, nobody sees any of it; what a crash leaves of it is an epoch like any other.
"""

from __future__ import annotations

from platefleet.protocol.delivery.belief import Belief
from platefleet.protocol.delivery.durable import rows, tables
from platefleet.protocol.delivery.durable.disk import DiskOutbox
from platefleet.protocol.delivery.durable.epoch import DiskEpoch
from platefleet.protocol.delivery.durable.rows import Row
from platefleet.protocol.delivery.effects import Key
from platefleet.protocol.delivery.frame import freeze
from platefleet.protocol.delivery.gone import GoneRanges
from platefleet.protocol.delivery.memory import MemoryOutbox
from platefleet.protocol.ids import new_epoch
from platefleet.protocol.messages import EpochEnd

APART = 2**20
"""Row numbers left free behind each epoch: it may grow while it is written."""


class Adoption:
    """One attempt. `write` as often as the memory has grown meanwhile, then `finish`."""

    def __init__(self, disk: DiskOutbox, memory: MemoryOutbox) -> None:
        self._disk = disk
        self._memory = memory
        self._known = list(disk.shelf.epochs.values())
        self._number = self._known[-1].number if self._known else 0
        self._base = self._top = self._known[-1].end if self._known else 0
        self._epochs: dict[str, DiskEpoch] = {}
        self._written: dict[Key, int] = {}
        self._present: tuple[DiskEpoch, Row] | None = None

    def write(self) -> None:
        """Write what is held in memory and not written yet, and open an epoch behind it. Raises DiskRefused."""
        contents, notes = self._memory.contents(), self._memory.kept()
        with self._disk.writing, self._disk.transaction(all_changes=True) as connection:
            if not self._epochs:  # what an earlier attempt left
                for table in ("records", "crops"):
                    connection.execute(f"DELETE FROM {table} WHERE id > ?", (self._top,))  # noqa: S608  # two names
                connection.execute("DELETE FROM lost WHERE epoch > ?", (self._number,))
                connection.execute("DELETE FROM epochs WHERE number > ?", (self._number,))
            for belief, held in contents:
                epoch = self._epochs.get(belief.epoch) or self._begin(belief)
                tables.begin(connection, epoch)
                for first, last, reason in belief.lost.ranges:
                    tables.lose(connection, epoch.number, first, last, reason)
                for record, entry in held:
                    if record.key not in self._written:
                        crops = int(record.type == "crops")
                        row = Row(epoch.base + record.seq, entry.size_bytes, entry.appended_mono_ns, 0, crops)
                        rows.insert(connection, row, record.frame)
                        self._written[record.key] = row.id
            epoch, row, frame = self._opening()
            tables.begin(connection, epoch)
            rows.insert(connection, row, frame)
            connection.execute("DELETE FROM notes")
            tables.keep(connection, notes)

    def finish(self) -> None:
        """Hold what was written from now on. Nothing may have been appended to the memory since the last `write`."""
        assert self._present is not None
        contents, depth = self._memory.contents(), self._memory.depth()
        held = {record.key for _, records in contents for record, _ in records}
        with self._disk.reading():
            shelf = self._disk.shelf
            shelf.doom({number for key, number in self._written.items() if key not in held})
            for epoch in self._epochs.values():
                shelf.adopt(epoch)
                shelf.changes.dirty.add(epoch.number)
                shelf.changes.losses[epoch.number] = GoneRanges(epoch.belief.lost.ranges)
            shelf.confirmed += depth.committed
            self._disk.appended += depth.appended
            self._disk.renamed += depth.renamed
            self._disk.notes = self._memory.notes()
            epoch, row = self._present
            self._disk.began(epoch)
            self._disk.put(epoch, row)

    def _begin(self, belief: Belief) -> DiskEpoch:
        self._number += 1
        epoch = self._epochs[belief.epoch] = DiskEpoch(self._number, self._base, belief)
        self._base += belief.last + APART
        self._present = None  # the epoch behind it moves
        return epoch

    def _opening(self) -> tuple[DiskEpoch, Row, bytes]:
        """Return the epoch that comes behind, and its first record, which names all before it as they are now."""
        name = new_epoch() if self._present is None else self._present[0].name
        epoch = DiskEpoch(self._number + 1, self._base, Belief(name))
        ends = [EpochEnd(epoch=each.name, last=each.belief.last) for each in (*self._known, *self._epochs.values())]
        record = freeze(name, 1, "epoch", self._disk.opening(ends))
        now_ns = self._disk.use.clock.now().mono_ns
        row = Row(epoch.base + 1, len(record.frame), now_ns, 0, 0)
        self._present = epoch, row
        return epoch, row, record.frame
