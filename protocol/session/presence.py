"""Who is here under our name: what one's own retained presence says, decided without I/O.

The incarnation is random per connection and stands in birth and will, so a stale will is told from the truth. Brokers
do not reliably say that somebody took over a session: Mosquitto 2.0.11 closes without a reason code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from platefleet.protocol import topics
from platefleet.protocol.codec import decode, encode
from platefleet.protocol.ids import new_incarnation
from platefleet.protocol.messages import Host, Presence

OWN_REMEMBERED = 64
"""Incarnations of ours that may still have a will under way."""
FOREIGN_BEFORE_ALARM = 2
RESTORE_EVERY_NS = 1_000_000_000
"""Presence is published again at most once a second, whoever else writes it."""


@dataclass(frozen=True)
class Announcement:
    """The retained message that says that a client is there, which is also its will.

    here, stopped, lost: bodies for an incarnation. read: (incarnation, here) of a body; ProtocolError otherwise.
    """

    topic: str
    here: Callable[[str], bytes]
    stopped: Callable[[str], bytes]
    lost: Callable[[str], bytes]
    read: Callable[[bytes], tuple[str, bool]]


def presence_of(client: str) -> Announcement:
    """`up/presence` of a device or a gate controller."""

    def read(body: bytes) -> tuple[str, bool]:
        heard = decode(Presence, body)
        return heard.incarnation, heard.state == "online"

    return Announcement(
        topics.presence(client),
        here=lambda incarnation: encode(Presence(incarnation=incarnation, state="online")),
        stopped=lambda incarnation: encode(Presence(incarnation=incarnation, state="stopped")),
        lost=lambda incarnation: encode(Presence(incarnation=incarnation, state="lost")),
        read=read,
    )


def host_of(slot: str, store: str) -> Announcement:
    """`host/{slot}` of an ingest worker: here means committing."""

    def body(committing: bool) -> Callable[[str], bytes]:
        return lambda incarnation: encode(Host(slot=slot, incarnation=incarnation, committing=committing, store=store))

    def read(data: bytes) -> tuple[str, bool]:
        heard = decode(Host, data)
        return heard.incarnation, heard.committing

    return Announcement(topics.host(slot), here=body(True), stopped=body(False), lost=body(False), read=read)


@dataclass(frozen=True)
class Identity:
    """What is known of our name: our incarnations, newest last, and the foreign ones seen since we started."""

    mine: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    predecessor: str | None = None
    restored_mono_ns: int | None = None

    @property
    def incarnation(self) -> str:
        """The newest of ours; empty before the first connection."""
        return self.mine[-1] if self.mine else ""


@dataclass(frozen=True)
class Restore:
    """Publish our presence again: something stale lies over it."""


@dataclass(frozen=True)
class Foreign:
    """Somebody else's incarnation, twice: another machine has this identity."""

    incarnation: str


Effect = Restore | Foreign


def connecting(state: Identity) -> Identity:
    """Return the state with a new incarnation for the next connection."""
    return replace(state, mine=(*state.mine, new_incarnation())[-OWN_REMEMBERED:])


def forgiven(state: Identity) -> Identity:
    """Return the state after the pause that follows `Foreign`: counting begins afresh."""
    return replace(state, foreign=())


def decide(
    state: Identity, incarnation: str, *, here: bool, told_here: bool, retained: bool, now_mono_ns: int
) -> tuple[Identity, tuple[Effect, ...]]:
    """Judge what was heard of our own presence: it is ours, stale, or somebody else's.

    here: what it says. told_here: what we said last. retained: it lay there before we subscribed, so our birth, which
    follows the subscription, overwrites it in any case. What lay there when we first connected is our predecessor's
    (this machine, before it restarted); its will may come late and proves nothing.
    """
    if incarnation == state.incarnation and here == told_here:
        return state, ()
    effects: tuple[Effect, ...] = ()
    if incarnation not in state.mine and incarnation != state.predecessor:
        if retained and len(state.mine) == 1 and state.predecessor is None:
            state = replace(state, predecessor=incarnation)
        elif incarnation not in state.foreign:
            state = replace(state, foreign=(*state.foreign, incarnation)[-FOREIGN_BEFORE_ALARM:])
            if len(state.foreign) >= FOREIGN_BEFORE_ALARM:
                return state, (Foreign(incarnation),)
    overwritten = not retained and (not here or incarnation in state.mine)
    last = state.restored_mono_ns
    if overwritten and (last is None or now_mono_ns - last >= RESTORE_EVERY_NS):
        state = replace(state, restored_mono_ns=now_mono_ns)
        effects = (Restore(),)
    return state, effects
