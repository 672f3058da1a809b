"""The outbox that goes on whatever its disk does: durable while it can be, in memory while it cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple
from functools import partial

from platefleet.protocol.codec import encode
from platefleet.protocol.delivery.durable.modes import DiskOrMemory
from platefleet.protocol.delivery.effects import Entry, Key
from platefleet.protocol.delivery.frame import Record, RecordType
from platefleet.protocol.delivery.memory import MemoryOutbox
from platefleet.protocol.delivery.notes import NO_NOTES, Change
from platefleet.protocol.delivery.port import EPOCHS_TOLD, Depth, Standing
from platefleet.protocol.messages import EpochCoverage, EpochEnd, Gone, Message
from platefleet.protocol.messages.delivery import GoneReason


class DurableOutbox(DiskOrMemory):
    """An `Outbox` on a disk, and in memory while the disk refuses. Reads and acks go past the thread that writes."""

    @property
    def epoch(self) -> str:
        """The epoch that is written to."""
        with self._switch:
            return self._written().epoch

    @property
    def volatile(self) -> bool:
        """Whether appends go to memory because the disk refuses."""
        with self._switch:
            return self._memory is not None

    def problems(self) -> Sequence[str]:
        """Return what is wrong with the disk, and what it means."""
        with self._switch:
            found = [self._damage] if self._damage else []
            if self._memory is not None:
                depth = self._memory.depth()
                found.append(
                    f"{self._refusal} Until then records are kept in memory: {depth.waiting} of them would be lost "
                    "with the power."
                )
            return found

    def counters(self) -> dict[str, int]:
        """Return how often the disk refused, and how many records were appended meanwhile."""
        with self._switch:
            now = 0 if self._memory is None else self._memory.depth().appended
            return {"fallbacks": self._fallbacks, "volatile_records": self._volatile_records + now}

    # Writing.

    def append(self, type: RecordType, message: Message, *, keep: Change = NO_NOTES) -> Record:  # noqa: A002
        """Keep a record; see `Outbox`. In memory if the disk refuses, or takes longer than is waited for."""
        body = encode(message)
        record = self._write(
            lambda disk: partial(disk.append, type, body, keep),
            lambda memory: memory.append(type, message, keep=keep),
        )
        self._heard()
        return record

    def keep(self, notes: Change) -> None:
        """Keep these notes; see `Outbox`."""
        self._write(lambda disk: lambda _: disk.keep(notes), lambda memory: memory.keep(notes))

    def begin_epoch(self) -> None:
        """Begin a new epoch, in memory if the disk refuses; see `Outbox`."""
        self._write(lambda disk: lambda _: disk.begin_epoch(), lambda memory: memory.begin_epoch())
        self._heard()

    def rename(self, key: Key) -> Record | None:
        """Keep a waiting record under a new name; see `Outbox`."""

        def in_memory(memory: MemoryOutbox) -> Record | None:
            if memory.holds(key[0]):
                return memory.rename(key)
            disk = self._disk
            old = None if disk is None or disk.standing(key) != "waiting" else disk.read(key)
            if disk is None or old is None:
                return None
            record = memory.take(old)
            disk.moved(key)
            return record

        record = self._write(lambda disk: lambda _: disk.rename(key), in_memory)
        self._heard()
        return record

    # Reading and believing: past the thread that writes.

    def kept(self, prefix: str = "") -> dict[str, bytes]:
        """Return the notes whose names begin with `prefix`, by name."""
        with self._switch:
            return self._written().kept(prefix)

    def listen(self, appended: Callable[[], None]) -> None:
        """Call `appended` after each append; see `Outbox`."""
        self._listeners.append(appended)

    def waiting(self, after: Key | None, most: int) -> Sequence[Entry]:
        """Return what the store is not believed to have: what is on the disk first, it is older."""
        with self._in_memory() as memory:
            if memory is None:
                return self._from_disk(lambda disk: disk.waiting(after, most), ())
            if after is not None and memory.holds(after[0]):
                return memory.waiting(after, most)
            found = self._from_disk(lambda disk: disk.waiting(after, most), ())
            return [*found, *memory.waiting(None, most - len(found))]

    def read(self, key: Key) -> Record | None:
        """Return a record, or None if it is no longer held."""
        with self._in_memory() as memory:
            if memory is not None and memory.holds(key[0]):
                return memory.read(key)
            return self._from_disk(lambda disk: disk.read(key), None)

    def standing(self, key: Key) -> Standing:
        """Return whether the store is believed to have it, does not yet, or nobody will."""
        with self._in_memory() as memory:
            if memory is not None and memory.holds(key[0]):
                return memory.standing(key)
            return self._from_disk(lambda disk: disk.standing(key), "gone")

    def cover(self, covered: Sequence[EpochCoverage]) -> int:
        """Add to what the store is believed to have; see `Outbox`."""
        with self._in_memory() as memory:
            count = 0 if memory is None else memory.cover(covered)
            return count + self._from_disk(lambda disk: disk.cover(covered), 0)

    def epochs(self) -> tuple[EpochEnd, ...]:
        """Return the epochs held and the last seq of each; see `Outbox`."""
        with self._in_memory() as memory:
            ends = self._from_disk(lambda disk: disk.epochs(), ())
            return ends if memory is None else (*ends, *memory.epochs())[-EPOCHS_TOLD:]

    def answer(self, asked: Sequence[EpochEnd], covered: Sequence[EpochCoverage]) -> None:
        """Replace what the store is believed to have of what was asked; see `Outbox`."""
        with self._in_memory() as memory:
            if memory is not None:
                memory.answer(asked, covered)
            self._from_disk(lambda disk: disk.answer(asked, covered), None)

    def gone(self, most: int) -> tuple[Gone, ...]:
        """Return ranges that are gone and that the store is not believed to know of; see `Outbox`."""
        with self._in_memory() as memory:
            found = self._from_disk(lambda disk: disk.gone(most), ())
            return found if memory is None else (*found, *memory.gone(most - len(found)))

    def set_aside(self, key: Key, reason: GoneReason) -> None:
        """Give a waiting record up: it becomes gone."""
        with self._in_memory() as memory:
            if memory is not None and memory.holds(key[0]):
                memory.set_aside(key, reason)
            else:
                self._from_disk(lambda disk: disk.set_aside(key, reason), None)

    def depth(self) -> Depth:
        """Return how full it is, disk and memory together."""
        with self._in_memory() as memory:
            disk = self._disk
            if memory is None and disk is not None:
                return disk.depth()
            parts = [each.depth() for each in (memory, disk) if each is not None]
            return Depth(*(sum(counts) for counts in zip(*(astuple(part) for part in parts), strict=True)))
