"""The queue of what a device has to tell, as a port. `tests/contracts/outbox` is what every outbox must pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from platefleet.protocol.delivery.effects import Entry, Key
from platefleet.protocol.delivery.frame import Record, RecordType
from platefleet.protocol.delivery.notes import NO_NOTES, Change
from platefleet.protocol.messages import EpochCoverage, EpochEnd, Gone, Message
from platefleet.protocol.messages.delivery import GoneReason

EPOCHS_TOLD = 256
"""As many as an `Ask` and an `EpochOpening` name."""
Standing = Literal["waiting", "covered", "gone"]


@dataclass(frozen=True)
class Depth:
    """How full an outbox is, and what happened to it so far.

    waiting: records that the store is not believed to have. held: all that are kept. appended: opening records too.
    committed: records that were waiting and were covered. gone: given up. renamed: kept under a new name.
    """

    waiting: int
    waiting_bytes: int
    held: int
    held_bytes: int
    appended: int
    committed: int
    gone: int
    renamed: int


class Outbox(Protocol):
    """What the uplink and the writers need of an outbox. Every method may be called from any thread.

    Names are `(epoch, seq)`; one outbox may hold several epochs, the newest is written to, and every start of a writer
    begins a new one. What the store is believed to have only grows by `cover` and is replaced by `answer`. Nothing here
    waits for a network.

    Quota (DESIGN.md, "Records"): the place of committed records is used first, then that of uncommitted crops, then
    that of the oldest uncommitted records; what was not committed becomes a `gone` range, told and counted.

    Notes are small named values that a program needs after a restart: open passes, what a gate told already.
    """

    @property
    def epoch(self) -> str:
        """The epoch that is written to."""
        ...

    @property
    def volatile(self) -> bool:
        """Whether what is appended now ends with this process, because there is no disk or it refuses."""
        ...

    def problems(self) -> Sequence[str]:
        """Return what is wrong, a sentence each: what, where, what to do. Empty when all is well."""
        ...

    def append(self, type: RecordType, message: Message, *, keep: Change = NO_NOTES) -> Record:  # noqa: A002
        """Keep a record, and the notes `keep` with it or not at all; both are durable when this returns.

        Raises OutboxError when it is larger than a record or the quota may be; nothing was kept then.
        """
        ...

    def keep(self, notes: Change) -> None:
        """Keep these notes; None forgets one. Durable when this returns. Raises OutboxError above a limit."""
        ...

    def kept(self, prefix: str = "") -> dict[str, bytes]:
        """Return the notes whose names begin with `prefix`, by name."""
        ...

    def listen(self, appended: Callable[[], None]) -> None:
        """Call `appended` after each append, in the thread that appends; it must not block."""
        ...

    def waiting(self, after: Key | None, most: int) -> Sequence[Entry]:
        """Return up to `most` records that the store is not believed to have, oldest first, those after `after`."""
        ...

    def read(self, key: Key) -> Record | None:
        """Return a record, or None if it is no longer held."""
        ...

    def standing(self, key: Key) -> Standing:
        """Return whether the store is believed to have it, does not yet, or nobody will."""
        ...

    def cover(self, covered: Sequence[EpochCoverage]) -> int:
        """Add to what the store is believed to have; return how many records that were waiting are not any more."""
        ...

    def epochs(self) -> tuple[EpochEnd, ...]:
        """Return the newest 256 epochs held and the last seq of each, oldest first: the question to the store."""
        ...

    def answer(self, asked: Sequence[EpochEnd], covered: Sequence[EpochCoverage]) -> None:
        """Replace what the store is believed to have of what was asked; what it lacks and we do not hold is gone.

        What was appended or acknowledged above the `last` that was asked stays as it is.
        """
        ...

    def gone(self, most: int) -> tuple[Gone, ...]:
        """Return up to `most` ranges that are gone and that the store is not believed to know of."""
        ...

    def set_aside(self, key: Key, reason: GoneReason) -> None:
        """Give a waiting record up: it becomes gone."""
        ...

    def begin_epoch(self) -> None:
        """Begin a new random epoch: the store has something else under a name of the present one."""
        ...

    def rename(self, key: Key) -> Record | None:
        """Keep a waiting record under a new name in the present epoch, its old name being taken.

        Returns the new record, or None if the old one is not waiting.
        """
        ...

    def depth(self) -> Depth:
        """Return how full it is."""
        ...

    def close(self) -> None:
        """End it in order. What is appended afterwards is refused with OutboxError."""
        ...
