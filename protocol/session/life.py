"""One connection's life: greeting, subscriptions, birth, traffic, silence, farewell."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from platefleet.protocol.clock import SECOND_NS, Clock
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.session import presence
from platefleet.protocol.session.events import Connected, Event, Published, Received, Refused
from platefleet.protocol.session.happened import Acknowledged, Closed, Greeted, Happened, Subscribed
from platefleet.protocol.session.honours import Probe
from platefleet.protocol.session.link import DENIED, PERMANENT, Link, said

LOG = logging.getLogger(__name__)
FAREWELL_S = 1.0
"""How long a stop waits for the broker to take `stopped`."""
TURN_S = 1.0
QUIET_TURN_S = 5.0
"""The longest wait for the network, before and after the broker is known; a stop or a publish ends it at once."""


@dataclass
class Counts:
    """What happened to a session, over all its connections. Written by its thread alone."""

    connections: int = 0
    failed: int = 0
    refused: int = 0
    denied: int = 0
    restored: int = 0
    faults: int = 0


@dataclass
class Owned:
    """Retained messages that we own: what they say, and which the broker has not been told on this connection."""

    here: bool = True
    bodies: dict[str, bytes] = field(default_factory=dict)
    untold: dict[str, None] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, topic: str, body: bytes) -> None:
        """Own `topic` from now on."""
        with self.lock:
            self.bodies[topic] = body
            self.untold[topic] = None

    def take(self) -> tuple[str, bytes] | None:
        """Return a message that is to be told, or None."""
        with self.lock:
            topic = next(iter(self.untold), None)
            if topic is None:
                return None
            del self.untold[topic]
            return topic, self.bodies[topic]

    def again(self, topic: str, body: bytes) -> None:
        """Own `topic` too, and tell everything, this first: the broker may have forgotten it."""
        with self.lock:
            self.bodies.pop(topic, None)
            self.bodies = {topic: body, **self.bodies}
            self.untold = dict.fromkeys(self.bodies)


@dataclass(frozen=True)
class Ended:
    """How a connection ended."""

    how: Literal["lost", "refused", "foreign", "left"]
    reason: str
    permanent: bool = False
    by_peer: bool = False
    foreign: str = ""


class Life:
    """One connection, lived on the session's thread. Becomes `online` once; is thrown away at its end."""

    def __init__(
        self,
        link: Link,
        identity: presence.Identity,
        announcement: presence.Announcement,
        filters: Sequence[tuple[str, int]],
        *,
        owned: Owned,
        counts: Counts,
        clock: Clock,
        keepalive_s: float,
        greeting_s: float,
        honours: Probe | None,
        tell: Callable[[Event], None],
        opened: Callable[[Link], None],
        stopping: Callable[[], bool],
    ) -> None:
        self.identity = identity
        self.online = False
        self._link = link
        self._announcement = announcement
        own = (announcement.topic, 1)
        self._filters = (own, *(wanted for wanted in filters if wanted[0] != announcement.topic))
        self._owned = owned
        self._counts = counts
        self._clock = clock
        self._keepalive_ns = int(keepalive_s * SECOND_NS)
        self._greeting_ns = int(greeting_s * SECOND_NS)
        self._honours = honours if honours is not None and honours.result is None else None
        self._tell = tell
        self._opened = opened
        self._stopping = stopping
        self._answered_ns = clock.now().mono_ns
        self._probe: int | None = None
        self._subscription: int | None = None

    def live(self) -> Ended:
        """Turn the link until it ends or the session is stopped."""
        while True:
            for happened in self._link.turn(self._most_s()):
                ended = self._on(happened)
                if ended is not None:
                    return ended
            if self._stopping():
                return self._farewell()
            silent = self._judge_silence()
            if silent is not None:
                return silent
            if self.online:
                self._tell_retained()
                self._measure()

    def _most_s(self) -> float:
        measured = self._honours is None or self._honours.result is not None
        return min(QUIET_TURN_S if self.online and measured else TURN_S, self._keepalive_ns / SECOND_NS / 8)

    def _on(self, happened: Happened) -> Ended | None:
        match happened:
            case Greeted():
                return self._greeted(happened)
            case Acknowledged(mid, code, answered):
                if answered:
                    self._answered_ns = self._clock.now().mono_ns
                if self._honours is not None and self._honours.acknowledged(mid, code):
                    return None
                denied = code >= DENIED
                self._counts.denied += denied
                self._tell(Published(self._counts.connections << 16 | mid, code, not denied))
            case Subscribed(mid, codes):
                self._answered_ns = self._clock.now().mono_ns
                self._subscribed(mid, codes)
            case Received() if self._honours is not None and self._honours.received(happened):
                return None
            case Received(topic) if topic == self._announcement.topic:
                self._tell(happened)
                return self._heard_of_us(happened)
            case Received():
                self._tell(happened)
            case Closed(reason, by_peer):
                return Ended("lost", reason, by_peer=by_peer)
        return None

    def _greeted(self, greeted: Greeted) -> Ended | None:
        if greeted.code >= DENIED:
            reason = f"the broker refused the session: {greeted.reason} (0x{greeted.code:02X})"
            return Ended("refused", reason, permanent=greeted.code in PERMANENT)
        self._answered_ns = self._clock.now().mono_ns
        if greeted.keepalive_s:  # paho pings by it, once in a turn
            self._keepalive_ns = min(self._keepalive_ns, greeted.keepalive_s * SECOND_NS)
        self._counts.connections += 1
        self._subscription = self._link.subscribe(self._filters)
        self._announce()
        self.online = True
        self._opened(self._link)
        self._tell(Connected(self.identity.incarnation))
        if self._honours is not None:
            self._honours.begin(self._link, greeted, self._clock.now().mono_ns)
        return None

    def _measure(self) -> None:
        """Go on measuring what the broker honours; say once what it does not."""
        honours = self._honours
        if honours is None:
            return
        before = honours.result
        honours.turn(self._link, self._clock.now().mono_ns)
        for shortfall in honours.result or () if before is None else ():
            LOG.warning("%s", shortfall)

    def _subscribed(self, mid: int, codes: tuple[int, ...]) -> None:
        if mid == self._probe:
            self._probe = None
        if self._honours is not None and self._honours.subscribed(mid, codes, self._answered_ns):
            return
        if mid != self._subscription:
            return
        for (wanted, _), code in zip(self._filters, codes, strict=False):
            if code >= DENIED:
                reason = f"the broker refused the subscription to {wanted}: {said(code, subscription=True)}"
                LOG.warning("%s", reason)
                self._counts.refused += 1
                self._tell(Refused(reason, code in PERMANENT))

    def _heard_of_us(self, received: Received) -> Ended | None:
        if not received.payload:
            return None  # somebody cleared it: an empty one means nothing, and our next connect restores it
        try:
            incarnation, here = self._announcement.read(received.payload)
        except ProtocolError as error:
            LOG.warning("our own presence holds what is no presence: %s", error)
            return None
        self.identity, effects = presence.decide(
            self.identity,
            incarnation,
            here=here,
            told_here=self._owned.here,
            retained=received.retained,
            now_mono_ns=received.received_mono_ns,
        )
        for effect in effects:
            match effect:
                case presence.Restore():
                    self._counts.restored += 1
                    say = self._announcement.here if self._owned.here else self._announcement.stopped
                    self._owned.put(self._announcement.topic, say(self.identity.incarnation))
                case presence.Foreign():
                    reason = f"another machine has this identity: its incarnation is {effect.incarnation}"
                    return Ended("foreign", reason, foreign=effect.incarnation)
        return None

    def _announce(self) -> None:
        """Tell everything that we own: presence with this connection's incarnation, and what lies beside it."""
        say = self._announcement.here if self._owned.here else self._announcement.stopped
        self._owned.again(self._announcement.topic, say(self.identity.incarnation))
        self._tell_retained()

    def _tell_retained(self) -> None:
        while self._link.room() > 0:
            message = self._owned.take()
            if message is None:
                return
            if self._link.publish(*message, qos=1, retain=True) is None:
                self._owned.put(*message)
                return

    def _judge_silence(self) -> Ended | None:
        """Give up a link on which no round trips come back; that its socket is open proves nothing."""
        silent_ns = self._clock.now().mono_ns - self._answered_ns
        if not self.online:
            return Ended("lost", "the broker did not answer") if silent_ns > self._greeting_ns else None
        if silent_ns >= self._keepalive_ns * 3 // 2:
            return Ended("lost", f"no answer from the broker for {silent_ns / SECOND_NS:.1f} s")
        if silent_ns >= self._keepalive_ns // 2 and self._probe is None:
            # paho sends PINGREQ only while one direction is idle, and keeps its answer to itself; the answer to a
            # renewed subscription is a round trip that we see.
            self._probe = self._link.subscribe(self._filters[:1], probe=True)
        return None

    def _farewell(self) -> Ended:
        """Say `stopped` and leave in order, so that the broker forgets the will; give up after FAREWELL_S."""
        deadline_ns = self._clock.now().mono_ns + int(FAREWELL_S * SECOND_NS)
        last: int | None = None
        left = not self.online
        if left:
            self._link.leave()
        while self._clock.now().mono_ns < deadline_ns:
            if last is None and not left:
                body = self._announcement.stopped(self.identity.incarnation)
                last = self._link.publish(self._announcement.topic, body, qos=1, retain=True)
            for happened in self._link.turn(0.05):
                if isinstance(happened, Closed):
                    return Ended("left", "stopped")
                if isinstance(happened, Acknowledged) and happened.mid == last:
                    left = True
                    self._link.leave()
        return Ended("left", "stopped without the broker's answer")
