"""What happens on a connection, as its link tells it."""

from __future__ import annotations

from dataclasses import dataclass

from platefleet.protocol.session.events import Received


@dataclass(frozen=True, slots=True)
class Greeted:
    """CONNACK. packet_limit_bytes: the broker's maximum packet size. in_flight: its receive maximum, or ours.

    keepalive_s: what it wants instead of ours; 0: nothing.
    """

    code: int
    reason: str
    packet_limit_bytes: int
    in_flight: int
    keepalive_s: int = 0


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A publish is done: PUBACK (answered), or QoS 0 written."""

    mid: int
    code: int
    answered: bool


@dataclass(frozen=True, slots=True)
class Subscribed:
    """SUBACK: one code a filter, in order."""

    mid: int
    codes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection is over."""

    reason: str
    by_peer: bool


Happened = Greeted | Acknowledged | Subscribed | Closed | Received
