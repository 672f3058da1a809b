"""What a session tells its one consumer, and how it is doing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from platefleet.protocol.clock import Instant

NO_SUBSCRIBER = 0x10
"""PUBACK reason code: accepted, and nobody is there to receive it (source: MQTT 5, 3.4.2.1)."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker let us in; subscriptions, birth and retained messages are on their way before anything else."""

    incarnation: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is gone, and with it every token not told in `Published`.

    by_peer: the other end closed it; False where we gave it up (no answer, stop, foreign incarnation).
    """

    reason: str
    by_peer: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """A message. expiry_s: what is left of it by the broker's count, None where it has none."""

    topic: str
    payload: bytes
    retained: bool
    received_mono_ns: int
    expiry_s: int | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a publish: QoS 1 the broker's reason code, QoS 0 that it left this program.

    ok is also true for NO_SUBSCRIBER.
    """

    token: int
    reason_code: int
    ok: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker (or its certificate) said no. permanent: until a person changes something."""

    reason: str
    permanent: bool


@dataclass(frozen=True, slots=True)
class ForeignIncarnation:
    """Another machine uses this identity; the session backs off."""

    incarnation: str


Event = Connected | Disconnected | Received | Published | Refused | ForeignIncarnation
State = Literal["starting", "connecting", "online", "waiting", "refused", "foreign", "stopped"]


@dataclass(frozen=True)
class SessionHealth:
    """How the session is doing.

    since: when it entered this state. reason: why, one sentence, empty while online and well.
    connections: times the broker let us in. failed: attempts that came to nothing. refused: refusals by the broker.
    dropped: received messages that the consumer was too slow for. denied: publishes the broker would not take.
    restored: times our presence was published again over a stale one. shortfalls: a sentence for each thing that the
    broker was found not to honour; empty while that was not measured.
    """

    state: State
    since: Instant
    reason: str
    connections: int
    failed: int
    refused: int
    dropped: int
    denied: int
    restored: int
    faults: int
    shortfalls: tuple[str, ...] = ()
