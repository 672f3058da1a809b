"""The outbox in memory: it ends with its process, and every start of it is a new epoch that says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import islice

from platefleet.protocol.clock import Clock, Instant
from platefleet.protocol.clock_sync import ClockState, stamped
from platefleet.protocol.codec import encode
from platefleet.protocol.delivery.belief import Belief
from platefleet.protocol.delivery.effects import Entry, Key
from platefleet.protocol.delivery.frame import Record, RecordType, freeze
from platefleet.protocol.delivery.notes import NO_NOTES, Change, Notes
from platefleet.protocol.delivery.port import EPOCHS_TOLD, Depth, Standing
from platefleet.protocol.delivery.shelf import Shelf
from platefleet.protocol.errors import OutboxError, ProtocolError
from platefleet.protocol.ids import new_epoch
from platefleet.protocol.messages import EpochCoverage, EpochEnd, EpochOpening, Gone, Message
from platefleet.protocol.messages.delivery import GoneReason

QUOTA_BYTES = 64 * 1024 * 1024
QUOTA_RECORDS = 20_000


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
        self._previous = tuple(previous)
        self._lock = threading.RLock()
        self._listeners: list[Callable[[], None]] = []
        self._shelf = Shelf(quota_bytes, quota_records)
        self._appended = self._renamed = 0
        self._notes = Notes()
        self._closed = False
        self.begin_epoch()

    @property
    def epoch(self) -> str:
        """The epoch that is written to."""
        with self._lock:
            return self._present.belief.epoch

    @property
    def volatile(self) -> bool:
        """Always: there is no disk."""
        return True

    def problems(self) -> Sequence[str]:
        """Return nothing: memory is what was asked for."""
        return ()

    def append(self, type: RecordType, message: Message, *, keep: Change = NO_NOTES) -> Record:  # noqa: A002
        """Keep a record; see `Outbox`."""
        body = encode(message)
        with self._lock:
            self._refuse_when_closed()
            self._notes.check(keep)
            record = self._append(type, body)
            self._notes.apply(keep)
        self._heard()
        return record

    def keep(self, notes: Change) -> None:
        """Keep these notes; see `Outbox`."""
        with self._lock:
            self._refuse_when_closed()
            self._notes.check(notes)
            self._notes.apply(notes)

    def kept(self, prefix: str = "") -> dict[str, bytes]:
        """Return the notes whose names begin with `prefix`, by name."""
        with self._lock:
            return self._notes.kept(prefix)

    def listen(self, appended: Callable[[], None]) -> None:
        """Call `appended` after each append; see `Outbox`."""
        self._listeners.append(appended)

    def waiting(self, after: Key | None, most: int) -> Sequence[Entry]:
        """Return what the store is not believed to have; see `Outbox`."""
        with self._lock:
            return list(islice(self._shelf.entries_after(after), most))

    def read(self, key: Key) -> Record | None:
        """Return a record, or None if it is no longer held."""
        with self._lock:
            epoch = self._shelf.epochs.get(key[0])
            held = None if epoch is None else epoch.held.get(key[1])
            return None if held is None else held.record

    def standing(self, key: Key) -> Standing:
        """Return whether the store is believed to have it, does not yet, or nobody will."""
        with self._lock:
            epoch = self._shelf.epochs.get(key[0])
            return "gone" if epoch is None else epoch.belief.standing(key[1])

    def cover(self, covered: Sequence[EpochCoverage]) -> int:
        """Add to what the store is believed to have; see `Outbox`."""
        with self._lock:
            before = self._shelf.confirmed
            for told in covered:
                epoch = self._shelf.epochs.get(told.epoch)
                if epoch is not None:
                    self._shelf.commit(epoch, epoch.belief.believe(told.covered))
            return self._shelf.confirmed - before

    def epochs(self) -> tuple[EpochEnd, ...]:
        """Return the epochs held and the last seq of each; see `Outbox`."""
        with self._lock:
            newest = list(self._shelf.epochs.values())[-EPOCHS_TOLD:]
            return tuple(EpochEnd(epoch=each.belief.epoch, last=each.belief.last) for each in newest)

    def answer(self, asked: Sequence[EpochEnd], covered: Sequence[EpochCoverage]) -> None:
        """Replace what the store is believed to have of what was asked; see `Outbox`."""
        told = {each.epoch: each.covered for each in covered}
        with self._lock:
            for end in asked:
                epoch = self._shelf.epochs.get(end.epoch)
                if epoch is not None:
                    new, forgotten = epoch.belief.replace(end.last, told.get(end.epoch, ()))
                    self._shelf.commit(epoch, new)
                    self._shelf.forgotten(epoch, forgotten)

    def gone(self, most: int) -> tuple[Gone, ...]:
        """Return ranges that are gone and that the store is not believed to know of; see `Outbox`."""
        with self._lock:
            ranges = ((each.belief.epoch, *gone) for each in self._shelf.epochs.values() for gone in each.belief.gone())
            return tuple(
                Gone(epoch=name, first=first, last=last, reason=reason)
                for name, first, last, reason in islice(ranges, most)
            )

    def set_aside(self, key: Key, reason: GoneReason) -> None:
        """Give a waiting record up: it becomes gone."""
        with self._lock:
            if self._shelf.is_waiting(key):
                self._shelf.give_up(self._shelf.epochs[key[0]], key[1], reason)

    def begin_epoch(self) -> None:
        """Begin a new random epoch whose first record names those before it."""
        with self._lock:
            self._refuse_when_closed()
            now = self._clock.now()
            ends = (*self._previous, *self.epochs())[-EPOCHS_TOLD:]
            self._present = self._shelf.begin(new_epoch())
            stamp = stamped(now, self._clock.boot, self._clock_state(now))
            self._append("epoch", encode(EpochOpening(opened=stamp, volatile=True, previous=ends)))
            for epoch in list(self._shelf.epochs.values())[:-EPOCHS_TOLD]:
                if not epoch.held and next(epoch.belief.gone(), None) is None:
                    del self._shelf.epochs[epoch.belief.epoch]
        self._heard()

    def rename(self, key: Key) -> Record | None:
        """Keep a waiting record under a new name; see `Outbox`."""
        with self._lock:
            self._refuse_when_closed()
            if not self._shelf.is_waiting(key):
                return None
            epoch = self._shelf.epochs[key[0]]
            old = epoch.held[key[1]].record
            self._shelf.remove(epoch, key[1])
            epoch.belief.believed.add(key[1], key[1])
            record = self._append(old.type, old.body)
            self._renamed += 1
        self._heard()
        return record

    def depth(self) -> Depth:
        """Return how full it is."""
        with self._lock:
            shelf = self._shelf
            return Depth(
                waiting=shelf.waiting,
                waiting_bytes=shelf.waiting_bytes,
                held=shelf.held,
                held_bytes=shelf.held_bytes,
                appended=self._appended,
                committed=shelf.confirmed,
                gone=shelf.lost,
                renamed=self._renamed,
            )

    def holds(self, epoch: str) -> bool:
        """Whether this is an epoch of this outbox."""
        with self._lock:
            return epoch in self._shelf.epochs

    def take(self, old: Record) -> Record:
        """Keep somebody else's record under a new name."""
        with self._lock:
            record = self._append(old.type, old.body)
            self._renamed += 1
            return record

    def contents(self) -> list[tuple[Belief, list[tuple[Record, Entry]]]]:
        """Return each epoch and the records held of it, oldest first, for whoever takes them over."""
        with self._lock:
            return [
                (each.belief, [(held.record, held.entry) for held in each.held.values()])
                for each in self._shelf.epochs.values()
            ]

    def notes(self) -> Notes:
        """Return all notes, for whoever takes them over."""
        with self._lock:
            return Notes(self._notes.kept())

    def close(self) -> None:
        """Take nothing more; what is held can still be read and sent until the process ends."""
        with self._lock:
            self._closed = True

    # Under the lock.

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise OutboxError("outbox: it is closed; nothing is kept any more.")

    def _heard(self) -> None:
        for appended in self._listeners:
            appended()

    def _append(self, type: str, body: bytes) -> Record:  # noqa: A002  # the wire's word
        epoch = self._present
        try:
            record = freeze(epoch.belief.epoch, epoch.belief.last + 1, type, body)
        except ProtocolError as error:
            raise OutboxError(f"outbox: a record of type {type} cannot be kept: {error}.") from error
        size = len(record.frame)
        self._shelf.make_room(size)
        self._shelf.put(epoch, record, Entry(record.epoch, record.seq, size, self._clock.now().mono_ns))
        self._appended += 1
        return record
