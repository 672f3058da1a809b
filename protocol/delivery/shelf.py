"""The records that an outbox in memory holds, epoch by epoch, within its quota, and the counts of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from platefleet.protocol.delivery.belief import Belief
from platefleet.protocol.delivery.effects import Entry, Key
from platefleet.protocol.delivery.frame import Record
from platefleet.protocol.delivery.range_set import Range
from platefleet.protocol.errors import OutboxError
from platefleet.protocol.messages.delivery import GoneReason


@dataclass(slots=True)
class Held:
    """A record and its entry."""

    record: Record
    entry: Entry


@dataclass
class HeldEpoch:
    """One epoch. number: from 0, in the order in which they began. waiting, committed: seqs held, sorted."""

    number: int
    belief: Belief
    held: dict[int, Held] = field(default_factory=dict)
    waiting: list[int] = field(default_factory=list)
    committed: list[int] = field(default_factory=list)


class Shelf:
    """What is held of each epoch, oldest first. Owned by whoever holds its outbox's lock."""

    def __init__(self, quota_bytes: int, quota_records: int) -> None:
        self.epochs: dict[str, HeldEpoch] = {}
        self.held = self.held_bytes = self.waiting = self.waiting_bytes = self.confirmed = self.lost = 0
        self._begun = 0
        self._quota_bytes = quota_bytes
        self._quota_records = quota_records
        self._crops: list[tuple[int, str, int]] = []

    def begin(self, name: str) -> HeldEpoch:
        """Add an epoch."""
        self.epochs[name] = epoch = HeldEpoch(self._begun, Belief(name))
        self._begun += 1
        return epoch

    def is_waiting(self, key: Key) -> bool:
        """Whether the record is held and the store is not believed to have it."""
        epoch = self.epochs.get(key[0])
        return epoch is not None and key[1] in epoch.held and key[1] not in epoch.belief.believed

    def put(self, epoch: HeldEpoch, record: Record, entry: Entry) -> None:
        """Hold a new record of the newest epoch."""
        epoch.belief.last = record.seq
        epoch.held[record.seq] = Held(record, entry)
        self.held += 1
        self.held_bytes += entry.size_bytes
        self._wait(epoch, record.seq)

    def make_room(self, size: int) -> None:
        """Make room for so many bytes, in the quota's order. Raises OutboxError where there can be none."""
        if size > self._quota_bytes or self._quota_records < 1:
            raise OutboxError(f"outbox: a record of {size} bytes is above the quota of {self._quota_bytes} bytes.")
        while self.held_bytes + size > self._quota_bytes or self.held >= self._quota_records:
            oldest = next((each for each in self.epochs.values() if each.committed), None)
            if oldest is not None:
                self.remove(oldest, oldest.committed[0])
            elif self._crops:
                self.give_up(self.epochs[self._crops[0][1]], self._crops[0][2], "quota")
            else:
                epoch = next(each for each in self.epochs.values() if each.waiting)
                self.give_up(epoch, epoch.waiting[0], "quota")

    def give_up(self, epoch: HeldEpoch, seq: int, reason: GoneReason) -> None:
        """Take a record that is held for lost."""
        self.remove(epoch, seq)
        self.lost += epoch.belief.lose(seq, seq, reason)

    def remove(self, epoch: HeldEpoch, seq: int) -> None:
        """Hold a record no longer, waiting or committed."""
        if seq in epoch.belief.believed:
            del epoch.committed[bisect_left(epoch.committed, seq)]
        else:
            self._wait_no_more(epoch, seq)
        self.held -= 1
        self.held_bytes -= epoch.held.pop(seq).entry.size_bytes

    def commit(self, epoch: HeldEpoch, new: Sequence[Range]) -> None:
        """Take what is newly believed from what waits."""
        for first, last in new:
            for seq in epoch.waiting[bisect_left(epoch.waiting, first) : bisect_right(epoch.waiting, last)]:
                self._wait_no_more(epoch, seq)
                insort(epoch.committed, seq)
                self.confirmed += 1

    def forgotten(self, epoch: HeldEpoch, ranges: Sequence[Range]) -> None:
        """Let what the store lost wait again; what is no longer held is lost for good."""
        for first, last in ranges:
            begin, end = bisect_left(epoch.committed, first), bisect_right(epoch.committed, last)
            again = epoch.committed[begin:end]
            del epoch.committed[begin:end]
            for seq in again:
                self._wait(epoch, seq)
                self.confirmed -= 1
            for seq in range(first, last + 1):
                if seq not in epoch.held:
                    self.lost += epoch.belief.lose(seq, seq, "quota")

    def entries_after(self, after: Key | None) -> Iterator[Entry]:
        """Give what waits behind a name, oldest first."""
        behind = after is None or after[0] not in self.epochs
        for epoch in self.epochs.values():
            start = 0
            if not behind and after is not None:
                if epoch.belief.epoch != after[0]:
                    continue
                behind = True
                start = bisect_right(epoch.waiting, after[1])
            for at in range(start, len(epoch.waiting)):
                yield epoch.held[epoch.waiting[at]].entry

    def _wait(self, epoch: HeldEpoch, seq: int) -> None:
        held = epoch.held[seq]
        insort(epoch.waiting, seq)
        if held.record.type == "crops":
            insort(self._crops, (epoch.number, epoch.belief.epoch, seq))
        self.waiting += 1
        self.waiting_bytes += held.entry.size_bytes

    def _wait_no_more(self, epoch: HeldEpoch, seq: int) -> None:
        held = epoch.held[seq]
        del epoch.waiting[bisect_left(epoch.waiting, seq)]
        if held.record.type == "crops":
            del self._crops[bisect_left(self._crops, (epoch.number, epoch.belief.epoch, seq))]
        self.waiting -= 1
        self.waiting_bytes -= held.entry.size_bytes
