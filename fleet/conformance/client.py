"""A device that the kit plays: one session, what it hears, and publishing that waits until the broker takes it."""

from __future__ import annotations

import platform
from collections.abc import Callable

from platefleet import __version__
from platefleet.protocol import topics
from platefleet.protocol.clock import MILLISECOND_NS, SECOND_NS, Clock
from platefleet.protocol.codec import encode
from platefleet.protocol.errors import SessionError
from platefleet.protocol.messages import Hardware, Info, Stamp
from platefleet.protocol.session import Broker, Connected, Disconnected, Received, Refused, Session

PATIENCE_S = 20.0
"""How long the kit waits for a broker before it gives up."""
TURN_S = 0.05


class Client:
    """One device of the kit, for one thread. hear: called with each message that comes."""

    def __init__(
        self,
        name: str,
        broker: Broker,
        filters: tuple[str, ...],
        *,
        clock: Clock,
        hear: Callable[[Client, Received], None],
    ) -> None:
        self.name = name
        self.connections = 0
        self._clock = clock
        self._hear = hear
        self._said = ""
        wanted = [(each, 1) for each in filters]
        self._session = Session(name, broker, clock=clock, subscriptions=wanted)

    def start(self, lanes: tuple[str, ...] = ()) -> None:
        """Connect and say what this device is, as devices do. Returns at once."""
        self._session.retain(topics.info(self.name), encode(_info(self.name, lanes, stamp(self._clock))))
        self._session.start()

    def stop(self) -> None:
        """Leave."""
        self._session.stop()

    def connected(self, more_than: int = 0) -> str:
        """Wait until the broker let this device in more often than `more_than`; return why it did not, or nothing."""
        deadline_ns = self.now_ns() + int(PATIENCE_S * SECOND_NS)
        while self.connections <= more_than and not self._said and self.now_ns() < deadline_ns:
            self.turn(TURN_S)
        if self.connections > more_than:
            return ""
        return self._said or self._session.health().reason or "the broker did not answer"

    def turn(self, wait_s: float = 0.0) -> None:
        """Take what has come, waiting for the first of it at most `wait_s`."""
        event = self._session.next_event(wait_s)
        while event is not None:
            match event:
                case Received():
                    self._hear(self, event)
                case Connected():
                    self.connections += 1
                    self._said = ""
                case Refused(reason):
                    self._said = reason
                case Disconnected():
                    pass  # the session connects again
                case _:
                    pass
            event = self._session.next_event(0)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> None:
        """Hand a message to the broker, waiting for a connection and for room. Raises SessionError if none comes."""
        deadline_ns = self.now_ns() + int(PATIENCE_S * SECOND_NS)
        while self._session.publish(topic, payload, qos=1, retain=retain, expiry_s=expiry_s) is None:
            if self.now_ns() > deadline_ns:
                why = self._session.health().reason or "it acknowledges nothing"
                raise SessionError(f"device {self.name}: the broker took no message for {PATIENCE_S:g} s ({why}).")
            self.turn(TURN_S)

    def now_ns(self) -> int:
        """Return this machine's monotonic time."""
        return self._clock.now().mono_ns


def stamp(clock: Clock, utc_ns: int | None = None) -> Stamp:
    """Return this moment as a device stamps it; utc_ns: what a device with a wrong clock says instead."""
    now = clock.now()
    return Stamp(
        utc_ns=max(0, now.utc_ns) if utc_ns is None else utc_ns, mono_ns=now.mono_ns, boot=clock.boot, clock="unsynced"
    )


def unix_ms(clock: Clock) -> int:
    """Return the milliseconds that a UUIDv7 begins with."""
    return max(0, clock.now().utc_ns) // MILLISECOND_NS


def _info(name: str, lanes: tuple[str, ...], started: Stamp) -> Info:
    hardware = Hardware(model="conformance kit", cpu=platform.machine()[:64], cores=0, memory_bytes=0)
    return Info(
        device=name,
        kind="agent",
        software=f"platefleet {__version__} conformance",
        started=started,
        install="conformance",
        hardware=hardware,
        lanes=lanes,
    )
