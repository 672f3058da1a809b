"""The port of a store: what ingest hands in, and what comes back once it is durable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from platefleet.protocol.delivery.frame import Record
from platefleet.protocol.messages import EpochCoverage, Gone, Message

Name = tuple[str, str, int]
"""A record's name: (device, epoch, seq)."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One record as it came in.

    device: from the topic, never from the body. message: the decoded body, or None where `undecodable` says why it has
    none; such a record is kept, counted and covered all the same. received_utc_ns: by this machine's clock.
    """

    device: str
    record: Record
    received_utc_ns: int
    message: Message | None = None
    undecodable: str = ""
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", self.record.digest)  # SHA-256, asked for several times

    @property
    def name(self) -> Name:
        """(device, epoch, seq)."""
        return self.device, self.record.epoch, self.record.seq


@dataclass(frozen=True, slots=True)
class GoneTold:
    """A range of records that a device says nobody will ever get."""

    device: str
    gone: Gone
    received_utc_ns: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What is committed in one transaction, in order of arrival."""

    arrivals: Sequence[Arrival] = ()
    gone: Sequence[GoneTold] = ()

    def __bool__(self) -> bool:
        return bool(self.arrivals or self.gone)


@dataclass(frozen=True, slots=True)
class Clash:
    """Two records of one name: the one that the store has stays."""

    device: str
    epoch: str
    seq: int
    kept: bytes
    other: bytes


@dataclass(frozen=True)
class Committed:
    """What one transaction made durable.

    covered: for each device, the whole covered ranges that what it sent now lies in: telling more than asked repairs
    acks that were lost. fresh: records that the store did not have. again: records that it had. quarantined: of the
    fresh ones, those without a decodable body. clashes: each told once a batch.
    """

    covered: Mapping[str, tuple[EpochCoverage, ...]] = field(default_factory=dict)
    clashes: tuple[Clash, ...] = ()
    fresh: int = 0
    again: int = 0
    quarantined: int = 0


class Store(Protocol):
    """Where records are committed. One thread at a time; every method raises StoreError and nothing else."""

    @property
    def id(self) -> str:
        """The store's id, made once with its database; it stays with every copy of it."""
        ...

    def commit(self, batch: Batch) -> Committed:
        """Make the whole batch durable, or nothing of it.

        After it returned, the rows, the coverage that names them and the gone ranges survive a crash. A record that is
        there already is compared by digest: equal is `again`, different is a clash, reported and never overwritten.
        """
        ...

    def coverage(self, device: str, epochs: Sequence[str]) -> tuple[EpochCoverage, ...]:
        """Return what is covered (committed, or told as gone) of each epoch, in the order asked, lowest first.

        At most 4096 ranges: what would come behind is left out, and the device takes no epoch's lack of it for news.
        """
        ...

    def check(self) -> None:
        """Raise StoreError unless a commit would find its database."""
        ...

    def close(self) -> None:
        """Give the database back. Calling it again does nothing."""
        ...
