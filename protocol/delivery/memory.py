"""The outbox in memory: it ends with its process, and every start of it is a new epoch that says so."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from platefleet.protocol.clock import Clock, Instant, boot_id
from platefleet.protocol.clock_sync import ClockState
from platefleet.protocol.codec import encode
from platefleet.protocol.delivery import coverage
from platefleet.protocol.delivery.effects import Entry, Key
from platefleet.protocol.delivery.frame import Record, RecordType, freeze
from platefleet.protocol.delivery.gone import GoneRanges
from platefleet.protocol.delivery.port import EPOCHS_TOLD, NOTHING, Depth, Standing
from platefleet.protocol.errors import OutboxError, ProtocolError
from platefleet.protocol.ids import new_epoch
from platefleet.protocol.messages import EpochCoverage, EpochEnd, EpochOpening, Gone, Message, Stamp
from platefleet.protocol.messages.delivery import GoneReason

QUOTA_BYTES = 64 * 1024 * 1024
QUOTA_RECORDS = 20_000


@dataclass(slots=True)
class _Held:
    record: Record
    entry: Entry


@dataclass
class _Epoch:
    """One epoch.

    waiting: seqs held and not believed to be at the store, sorted. gone: what the store must be told. lost: all that
    ever was gone, counted once however often a store forgets it.
    """

    name: str
    last: int = 0
    held: dict[int, _Held] = field(default_factory=dict)
    waiting: list[int] = field(default_factory=list)
    believed: coverage.Ranges = ()
    gone: GoneRanges = field(default_factory=GoneRanges)
    lost: coverage.Ranges = ()


class MemoryOutbox:
    """An `Outbox` without a disk."""

    def __init__(
        self,
        *,
        clock: Clock,
        quota_bytes: int = QUOTA_BYTES,
        quota_records: int = QUOTA_RECORDS,
        previous: Sequence[EpochEnd] = (),
        clock_state: Callable[[Instant], ClockState] = lambda _: "unsynced",
    ) -> None:
        """Begin the first epoch.

        previous: the epochs before this one, oldest first, as far as they are known. clock_state: what is known of the
        clock when an epoch begins.
        """
        self._clock = clock
        self._clock_state = clock_state
        self._quota_bytes = quota_bytes
        self._quota_records = quota_records
        self._previous = tuple(previous)
        self._lock = threading.RLock()
        self._listeners: list[Callable[[], None]] = []
        self._epochs: dict[str, _Epoch] = {}
        self._committed: dict[Key, None] = {}
        self._notes: dict[str, bytes] = {}
        self._crops: dict[Key, None] = {}
        self._held = self._held_bytes = self._waiting = self._waiting_bytes = 0
        self._appended = self._confirmed = self._lost = self._renamed = 0
        self.begin_epoch()

    @property
    def epoch(self) -> str:
        """The epoch that is written to."""
        with self._lock:
            return self._present.name

    @property
    def volatile(self) -> bool:
        """It is memory."""
        return True

    def keep(self, notes: Mapping[str, bytes | None]) -> None:
        """Keep notes; see `Outbox`."""
        with self._lock:
            for name, value in notes.items():
                if value is None:
                    self._notes.pop(name, None)
                else:
                    self._notes[name] = value

    def kept(self, prefix: str = "") -> dict[str, bytes]:
        """Return the notes whose names begin with `prefix`."""
        with self._lock:
            return {name: value for name, value in self._notes.items() if name.startswith(prefix)}

    def close(self) -> None:
        """Nothing is held."""

    def append(
        self,
        type: RecordType,  # noqa: A002  # the wire's word
        message: Message,
        *,
        keep: Mapping[str, bytes | None] = NOTHING,
    ) -> Record:
        """Keep a record; see `Outbox`."""
        body = encode(message)
        with self._lock:
            record = self._append(type, body)
            self.keep(keep)
        for appended in self._listeners:
            appended()
        return record

    def listen(self, appended: Callable[[], None]) -> None:
        """Call `appended` after each append; see `Outbox`."""
        self._listeners.append(appended)

    def waiting(self, after: Key | None, most: int) -> Sequence[Entry]:
        """Return what the store is not believed to have; see `Outbox`."""
        with self._lock:
            return list(islice(self._entries_after(after), most))

    def read(self, key: Key) -> Record | None:
        """Return a record, or None if it is no longer held."""
        with self._lock:
            epoch = self._epochs.get(key[0])
            held = None if epoch is None else epoch.held.get(key[1])
            return None if held is None else held.record

    def standing(self, key: Key) -> Standing:
        """Return whether the store is believed to have it, does not yet, or nobody will."""
        with self._lock:
            epoch = self._epochs.get(key[0])
            if epoch is None or key[1] in epoch.gone:
                return "gone"
            return "covered" if coverage.contains(epoch.believed, key[1]) else "waiting"

    def cover(self, covered: Sequence[EpochCoverage]) -> int:
        """Add to what the store is believed to have; see `Outbox`."""
        with self._lock:
            before = self._confirmed
            for told in covered:
                epoch = self._epochs.get(told.epoch)
                if epoch is not None:
                    self._believe(epoch, coverage.clip(coverage.merge(told.covered), epoch.last))
            return self._confirmed - before

    def epochs(self) -> tuple[EpochEnd, ...]:
        """Return the epochs held and the last seq of each; see `Outbox`."""
        with self._lock:
            ends = [EpochEnd(epoch=epoch.name, last=epoch.last) for epoch in self._epochs.values()]
            return tuple(ends[-EPOCHS_TOLD:])

    def answer(self, asked: Sequence[EpochEnd], covered: Sequence[EpochCoverage]) -> None:
        """Replace what the store is believed to have of what was asked; see `Outbox`."""
        told = {each.epoch: coverage.merge(each.covered) for each in covered}
        with self._lock:
            for end in asked:
                epoch = self._epochs.get(end.epoch)
                if epoch is not None:
                    self._replace(epoch, end.last, told.get(end.epoch, ()))

    def gone(self, most: int) -> tuple[Gone, ...]:
        """Return ranges that are gone and that the store is not believed to know of; see `Outbox`."""
        with self._lock:
            ranges = ((epoch.name, *each) for epoch in self._epochs.values() for each in epoch.gone.ranges)
            return tuple(
                Gone(epoch=name, first=first, last=last, reason=reason)
                for name, first, last, reason in islice(ranges, most)
            )

    def set_aside(self, key: Key, reason: GoneReason) -> None:
        """Give a waiting record up: it becomes gone."""
        with self._lock:
            if self.standing(key) == "waiting":
                self._give_up(key, reason)

    def begin_epoch(self) -> None:
        """Begin a new random epoch whose first record names those before it."""
        with self._lock:
            now = self._clock.now()
            ends = (*self._previous, *self.epochs())[-EPOCHS_TOLD:]
            self._present = _Epoch(new_epoch())
            self._epochs[self._present.name] = self._present
            stamp = Stamp(utc_ns=now.utc_ns, mono_ns=now.mono_ns, boot=boot_id(), clock=self._clock_state(now))
            self._append("epoch", encode(EpochOpening(opened=stamp, volatile=True, previous=ends)))
            for epoch in list(self._epochs.values())[:-EPOCHS_TOLD]:
                if not epoch.held and not epoch.gone.ranges:
                    del self._epochs[epoch.name]
        for appended in self._listeners:
            appended()

    def rename(self, key: Key) -> Record | None:
        """Keep a waiting record under a new name; see `Outbox`."""
        with self._lock:
            old = self.read(key)
            if old is None or self.standing(key) != "waiting":
                return None
            self._remove(key)
            epoch = self._epochs[key[0]]
            epoch.believed = coverage.merge([*epoch.believed, (key[1], key[1])])
            record = self._append(old.type, old.body)
            self._renamed += 1
        for appended in self._listeners:
            appended()
        return record

    def depth(self) -> Depth:
        """Return how full it is."""
        with self._lock:
            return Depth(
                waiting=self._waiting,
                waiting_bytes=self._waiting_bytes,
                held=self._held,
                held_bytes=self._held_bytes,
                appended=self._appended,
                committed=self._confirmed,
                gone=self._lost,
                renamed=self._renamed,
            )

    # Under the lock.

    def _append(self, type: str, body: bytes) -> Record:  # noqa: A002  # the wire's word
        epoch = self._present
        try:
            record = freeze(epoch.name, epoch.last + 1, type, body)
        except ProtocolError as error:
            raise OutboxError(f"outbox: a record of type {type} cannot be kept: {error}.") from error
        size = len(record.frame)
        self._make_room(size)
        epoch.last += 1
        entry = Entry(epoch.name, record.seq, size, self._clock.now().mono_ns)
        epoch.held[record.seq] = _Held(record, entry)
        epoch.waiting.append(record.seq)
        if type == "crops":
            self._crops[record.key] = None
        self._appended += 1
        self._held += 1
        self._held_bytes += size
        self._waiting += 1
        self._waiting_bytes += size
        return record

    def _make_room(self, size: int) -> None:
        if size > self._quota_bytes or self._quota_records < 1:
            raise OutboxError(f"outbox: a record of {size} bytes is above the quota of {self._quota_bytes} bytes.")
        while self._held_bytes + size > self._quota_bytes or self._held >= self._quota_records:
            committed = next(iter(self._committed), None)
            if committed is not None:
                self._remove(committed)
                continue
            key = next(iter(self._crops), None) or next((entry.key for entry in self._entries_after(None)), None)
            if key is None:
                raise OutboxError(f"outbox: no room for {size} bytes within the quota; raise it.")
            self._give_up(key, "quota")

    def _give_up(self, key: Key, reason: GoneReason) -> None:
        self._remove(key)
        self._lose(self._epochs[key[0]], key[1], key[1], reason)

    def _lose(self, epoch: _Epoch, first: int, last: int, reason: GoneReason) -> None:
        before = coverage.count(epoch.lost)
        epoch.gone.add(first, last, reason)
        epoch.lost = coverage.merge([*epoch.lost, (first, last)])
        self._lost += coverage.count(epoch.lost) - before

    def _remove(self, key: Key) -> None:
        """Hold a record no longer, waiting or committed."""
        epoch = self._epochs[key[0]]
        size = epoch.held.pop(key[1]).entry.size_bytes
        self._held -= 1
        self._held_bytes -= size
        self._crops.pop(key, None)
        if key in self._committed:
            del self._committed[key]
            return
        del epoch.waiting[bisect_left(epoch.waiting, key[1])]
        self._waiting -= 1
        self._waiting_bytes -= size

    def _entries_after(self, after: Key | None) -> Iterator[Entry]:
        behind = after is None or after[0] not in self._epochs
        for epoch in self._epochs.values():
            start = 0
            if not behind and after is not None:
                if epoch.name != after[0]:
                    continue
                behind = True
                start = bisect_right(epoch.waiting, after[1])
            for at in range(start, len(epoch.waiting)):
                yield epoch.held[epoch.waiting[at]].entry

    def _believe(self, epoch: _Epoch, covered: coverage.Ranges) -> None:
        epoch.believed = coverage.merge([*epoch.believed, *covered])
        epoch.gone.told(epoch.believed)
        for first, last in covered:
            begin, end = bisect_left(epoch.waiting, first), bisect_right(epoch.waiting, last)
            for seq in epoch.waiting[begin:end]:
                self._crops.pop((epoch.name, seq), None)
                self._committed[epoch.name, seq] = None
                self._waiting_bytes -= epoch.held[seq].entry.size_bytes
            del epoch.waiting[begin:end]
            self._waiting -= end - begin
            self._confirmed += end - begin

    def _replace(self, epoch: _Epoch, asked: int, covered: coverage.Ranges) -> None:
        """Believe the answer for 1 … `asked`, and what was believed before above it."""
        above = [(max(first, asked + 1), last) for first, last in epoch.believed if last > asked]
        epoch.believed = coverage.merge([*coverage.clip(covered, asked), *above])
        lacking = [seq for seq in epoch.held if not coverage.contains(epoch.believed, seq)]
        again = [seq for seq in lacking if (epoch.name, seq) in self._committed]
        for seq in again:
            held = epoch.held[seq]
            del self._committed[epoch.name, seq]
            if held.record.type == "crops":
                self._crops[epoch.name, seq] = None
            self._waiting += 1
            self._waiting_bytes += held.entry.size_bytes
            self._confirmed -= 1
        epoch.waiting = sorted({*epoch.waiting, *again})
        self._believe(epoch, epoch.believed)
        here = [(seq, seq) for seq in epoch.held] + [(first, last) for first, last, _ in epoch.gone.ranges]
        for first, last in coverage.missing(coverage.merge([*epoch.believed, *here]), asked):
            self._lose(epoch, first, last, "quota")
