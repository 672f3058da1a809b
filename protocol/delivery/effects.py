"""What the decision what to send next is about: entries of the outbox, things to do, limits."""

from __future__ import annotations

from dataclasses import dataclass

from platefleet.protocol.clock import MILLISECOND_NS, SECOND_NS

Key = tuple[str, int]
"""(epoch, seq): a record's name within its device."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as the outbox lists it. size_bytes: of its frame. appended_mono_ns: by this boot's clock, else 0."""

    epoch: str
    seq: int
    size_bytes: int
    appended_mono_ns: int = 0

    @property
    def key(self) -> Key:
        """Its name within this device."""
        return self.epoch, self.seq


@dataclass(frozen=True)
class Limits:
    """The numbers of the decision; what has no reason here has it in DESIGN.md, "Records"."""

    batch_bytes: int = 64 * 1024
    batch_records: int = 512
    outstanding_records: int = 2000
    outstanding_bytes: int = 4 * 1024 * 1024
    again_ns: int = 5 * SECOND_NS
    ask_every_ns: int = 600 * SECOND_NS
    window_most: int = 12
    """Below the session's 20 in flight, so that live messages always find room."""
    live_most: int = 4
    """Live messages handed over at a time: what waits here gets a new age, what waits in a socket does not."""
    live_waiting_most: int = 64
    live_limit_ns: int = 10 * SECOND_NS
    settle_ns: int = 100 * MILLISECOND_NS
    """A record this fresh may still be told live; crops gather into one message meanwhile."""
    blame_ns: int = 10 * SECOND_NS
    """A broker that cannot take a record closes at once; older messages are not to blame for a disconnect."""


@dataclass(frozen=True, slots=True)
class SendLive:
    """Send this record's live copy, with the age that it has now. seen_mono_ns: when its vehicle was last seen."""

    entry: Entry
    seen_mono_ns: int


@dataclass(frozen=True, slots=True)
class SendBatch:
    """Send these records to the store, in one message."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class SendAsk:
    """Ask the store what it has, and tell what is gone."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do before `until_mono_ns` (None: before something happens)."""

    until_mono_ns: int | None = None


Sending = SendLive | SendBatch | SendAsk
Effect = Sending | Rest
