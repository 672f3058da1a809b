"""One MQTT 5 session: connects, stays connected, and hands everything to one consumer."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Sequence
from dataclasses import replace

from platefleet.protocol.backoff import Backoff
from platefleet.protocol.clock import SECOND_NS, Clock
from platefleet.protocol.errors import SessionError
from platefleet.protocol.session import presence
from platefleet.protocol.session.dial import Interrupted, Wake
from platefleet.protocol.session.events import Disconnected, Event, ForeignIncarnation, Refused, SessionHealth, State
from platefleet.protocol.session.handoff import HandOff
from platefleet.protocol.session.honours import Probe
from platefleet.protocol.session.life import Counts, Ended, Life, Owned
from platefleet.protocol.session.link import CONTENT_TYPE, Link
from platefleet.protocol.session.settings import Broker
from platefleet.protocol.session.why import unanswered, why

LOG = logging.getLogger(__name__)
SETTLED_S = 5.0
"""A connection that lasted this long starts the backoff afresh; a shorter one is part of the same trouble."""


class Session:
    """One client's connection to the broker, for the life of the program.

    Every connection starts clean and leaves nothing at the broker; subscriptions and retained messages are restored on
    each. Nothing is queued here for later and nothing is sent again by the library: who publishes decides again.
    `publish`, `retain`, `announce`, `wake` and `health` may be called from any thread, `next_event` from one.
    """

    def __init__(
        self,
        client: str,
        broker: Broker,
        *,
        clock: Clock,
        subscriptions: Sequence[tuple[str, int]] = (),
        announcement: presence.Announcement | None = None,
        queue_size: int = 10_000,
    ) -> None:
        """`subscriptions`: (filter, QoS). `announcement`: birth and will; the client's `up/presence` unless given.

        queue_size: received messages that wait for the consumer; beyond it the oldest give way and are counted.
        Raises ConfigError for TLS files that cannot be used.
        """
        self.client = client
        self._broker = broker
        self._clock = clock
        self._announcement = announcement or presence.presence_of(client)
        self._filters = tuple(subscriptions)
        self._events = HandOff(queue_size)
        self._identity = presence.Identity()
        self._owned = Owned()
        self._counts = Counts()
        self._lock = threading.Lock()
        self._link: Link | None = None
        self._stop = threading.Event()
        self._wake = Wake()
        self._thread: threading.Thread | None = None
        self._state: State = "starting"
        self._since = clock.now()
        self._reason = ""
        self._tls = None if broker.tls is None else broker.tls.context(broker.names)
        self._honours = Probe(client, shared=broker.shared) if broker.probe else None

    @property
    def incarnation(self) -> str:
        """The newest connection's random name; empty before the first attempt."""
        return self._identity.incarnation

    def start(self) -> None:
        """Begin to connect, if that was not done yet. Returns at once; a broker that is away is tried again for ever.

        Raises SessionError after `stop`.
        """
        if self._stop.is_set():
            raise SessionError(f"session {self.client}: it was stopped; make a new one.")
        if self._thread is not None:
            return
        self._thread = threading.Thread(target=self._run, name=f"session {self.client}", daemon=True)
        self._thread.start()

    def subscribe(self, subscriptions: Sequence[tuple[str, int]]) -> None:
        """Add (filter, QoS) to what is subscribed on every connect. Raises SessionError once started."""
        if self._thread is not None:
            raise SessionError(f"session {self.client}: it is started; name every subscription before.")
        self._filters = tuple(dict([*self._filters, *subscriptions]).items())

    def stop(self, timeout_s: float = 2.0) -> None:
        """Say `stopped`, leave, and join the thread. Calling it again does nothing."""
        self._stop.set()
        self._wake.wake()
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                LOG.warning("session %s: still looking up the broker's name; its thread is left behind", self.client)
                return
        self._wake.close()

    def next_event(self, timeout_s: float) -> Event | None:
        """Return the next event, or None after `timeout_s` or a `wake`. For one consumer."""
        return self._events.get(timeout_s)

    def wake(self) -> None:
        """Let a waiting `next_event` return None at once."""
        self._events.poke()

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 0,
        retain: bool = False,
        expiry_s: int | None = None,
        content_type: str = CONTENT_TYPE,
    ) -> int | None:
        """Send a message now, or not at all. Never blocks.

        Returns a token that `Published` repeats (unique while in flight), or None when not connected or too much is in
        flight: then nothing was queued. Raises SessionError for a topic that is none, and for a packet above the
        broker's limit, which would end the connection again and again.
        """
        with self._lock:
            link = self._link
            if link is None:
                return None
            if link.packet_bytes(topic, payload, expiry_s, content_type) > link.packet_limit_bytes:
                raise SessionError(
                    f"session {self.client}: {len(payload)} bytes for {topic} are above the broker's limit of "
                    f"{link.packet_limit_bytes} bytes a packet; raise the broker's maximum packet size."
                )
            mid = link.publish(topic, payload, qos=qos, retain=retain, expiry_s=expiry_s, content_type=content_type)
            return None if mid is None else self._counts.connections << 16 | mid

    def retain(self, topic: str, payload: bytes) -> None:
        """Own a retained message: published now if connected, and again on every connect (QoS 1)."""
        self._owned.put(topic, payload)
        self._wake.wake()

    def announce(self, here: bool) -> None:
        """Say from now on that we are here, or connected but not here (an ingest worker that cannot commit)."""
        self._owned.here = here
        say = self._announcement.here if here else self._announcement.stopped
        with self._lock:
            if self._link is None:
                return  # the next birth says it
            self._owned.put(self._announcement.topic, say(self.incarnation))
        self._wake.wake()

    def room(self) -> int:
        """Return how many messages `publish` would take now."""
        with self._lock:
            return 0 if self._link is None else self._link.room()

    def health(self) -> SessionHealth:
        """Return how the session is doing."""
        counts = self._counts
        return SessionHealth(
            state=self._state,
            since=self._since,
            reason=self._reason,
            connections=counts.connections,
            failed=counts.failed,
            refused=counts.refused,
            dropped=self._events.dropped,
            denied=counts.denied,
            restored=counts.restored,
            faults=counts.faults,
            shortfalls=() if self._honours is None else self._honours.result or (),
        )

    # The session's thread.

    def _run(self) -> None:
        broker = self._broker
        backoff = Backoff(broker.backoff_s, broker.backoff_most_s)
        refused = Backoff(broker.refused_most_s / 16, broker.refused_most_s)
        while not self._stop.is_set():
            self._identity = presence.connecting(self._identity)
            if self._state != "refused":
                self._enter("connecting", self._reason)
            began_ns = self._clock.now().mono_ns
            ended = self._connection()
            if self._stop.is_set():
                break
            if ended.how == "lost" and self._clock.now().mono_ns - began_ns > SETTLED_S * SECOND_NS:
                backoff.reset()
                refused.reset()
            if ended.how == "foreign":
                # Half fixed, half random: two machines with one identity must not come back in step.
                self._stop.wait(
                    broker.foreign_pause_s / 2 + Backoff(broker.foreign_pause_s, broker.foreign_pause_s).next_s()
                )
                self._identity = presence.forgiven(self._identity)
            else:
                self._stop.wait(refused.next_s() if ended.how == "refused" else backoff.next_s())
        self._enter("stopped", "")

    def _connection(self) -> Ended:
        """Live through one connection, and tell how it ended."""
        life = None
        link = Link(
            self.client,
            self._broker,
            (self._announcement.topic, self._announcement.lost(self._identity.incarnation)),
            tls=self._tls,
            clock=self._clock,
            wake=self._wake,
            stopping=self._stop.is_set,
        )
        try:
            link.open()
            life = Life(
                link,
                self._identity,
                self._announcement,
                self._filters,
                owned=self._owned,
                counts=self._counts,
                clock=self._clock,
                keepalive_s=self._broker.keepalive_s,
                greeting_s=self._broker.connect_timeout_s,
                honours=self._honours,
                tell=self._events.put,
                opened=self._online,
                stopping=self._stop.is_set,
            )
            ended = life.live()
            if ended.how == "lost" and ended.by_peer and not life.online:
                ended = replace(ended, reason=unanswered(self._broker))
        except Interrupted:
            ended = Ended("left", "stopped")
        except OSError as error:
            ended = self._unreachable(error)
        except Exception as error:  # a bug below must not end the thread that keeps us connected
            LOG.exception("session %s: a fault of this program ended the connection", self.client)
            self._counts.faults += 1
            ended = Ended("lost", f"a fault of this program: {error!r}")
        with self._lock:
            self._link = None
        link.close()
        if life is not None:
            self._identity = life.identity
        self._tell_end(ended, was_online=life is not None and life.online)
        return ended

    def _online(self, link: Link) -> None:
        with self._lock:
            self._link = link
        self._enter("online", "")

    def _unreachable(self, error: OSError) -> Ended:
        if isinstance(error, ssl.SSLError):
            return Ended("refused", why(error, self._broker), permanent=True)
        return Ended("lost", why(error, self._broker))

    def _tell_end(self, ended: Ended, *, was_online: bool) -> None:
        if was_online:
            self._events.put(Disconnected(ended.reason, ended.by_peer))
        elif ended.how != "left":
            self._counts.failed += 1
        if ended.reason != self._reason:
            LOG.log(
                logging.INFO if ended.how == "left" else logging.WARNING, "session %s: %s", self.client, ended.reason
            )
        match ended.how:
            case "refused":
                self._counts.refused += 1
                self._events.put(Refused(ended.reason, ended.permanent))
                self._enter("refused", ended.reason)
            case "foreign":
                self._events.put(ForeignIncarnation(ended.foreign))
                self._enter("foreign", ended.reason)
            case "lost":
                self._enter("waiting", ended.reason)
            case "left":
                self._enter("stopped", "")

    def _enter(self, state: State, reason: str) -> None:
        if state != self._state:
            self._since = self._clock.now()
        self._state, self._reason = state, reason
