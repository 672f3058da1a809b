"""Where the points of a controller are played: the kit's devices, the site's plates, its openings and its restarts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from platefleet.fleet.conformance.client import TURN_S, Client
from platefleet.fleet.conformance.controller.plates import OWN, Plates
from platefleet.fleet.conformance.controller.points import UNLISTED, Point, Say, points
from platefleet.fleet.conformance.controller.speech import Speech
from platefleet.fleet.conformance.controller.verdict import HeardBeat
from platefleet.fleet.conformance.pulses import Opening, Pulses, meant
from platefleet.protocol import topics
from platefleet.protocol.age import HeardBeats
from platefleet.protocol.clock import SECOND_NS, Clock
from platefleet.protocol.codec import decode
from platefleet.protocol.errors import PlatefleetError, ProtocolError, SessionError
from platefleet.protocol.messages import Beat, Heard
from platefleet.protocol.session import Broker, Received

PATIENCE_NS = 15 * SECOND_NS
"""How long a good event may take to open before the controller counts as dead."""
RESTART_NS = 45 * SECOND_NS
"""How long a controller may take to send beats again: backoffs reach 15 s."""
GRACE_NS = SECOND_NS // 2
"""Outputs may be moved by a thread of their own: so long a wrong opening is waited for after a good one."""
EXPIRY_S = 10


@dataclass(frozen=True)
class Site:
    """What the site has configured. listed: plates on the controller's list. bare: its pulses name no plate.

    wait_s: how long the controller may take to send its first beat.
    restarts: by what is restarted, how; each raises a PlatefleetError if it could not.
    """

    broker: Broker
    device: str = "conformance-1"
    lane: str = "lane-1"
    other_device: str = "conformance-2"
    listed: tuple[str, ...] = OWN
    age_limit_ms: int = 5000
    bare: bool = False
    wait_s: float = 20.0
    restarts: Mapping[str, Callable[[], None]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Lent:
    """A plate that was given to a point, or to a good event between points, and since when."""

    plate: str
    since_ns: int


class Stage:
    """The kit's two devices before one controller, and everything that was seen. For one thread."""

    def __init__(self, site: Site, pulses: Pulses, *, clock: Clock) -> None:
        """Play at `site`. Raises ConfigError for plates that cannot be used, ProtocolError for names that are none."""
        self.site = site
        self.plates = Plates(site.listed)
        self.heard: list[HeardBeat] = []
        self.openings: list[Opening] = []
        self.lent: list[Lent] = []
        self.restarted_ns: int | None = None
        self._pulses = pulses
        self._clock = clock
        self._strangers = [self.plates.stranger(number) for number in range(len(points(site.age_limit_ms)))]
        self._known = self.plates.all | frozenset(self._strangers)
        self._beats = HeardBeats()
        beat = topics.beat(site.device)
        self._device = Client(site.device, site.broker, (beat,), clock=clock, hear=self._hear)
        self._other = Client(site.other_device, site.broker, (), clock=clock, hear=self._hear)
        self._speech = {client.name: Speech(clock=clock) for client in (self._device, self._other)}

    def open(self) -> None:
        """Connect. Raises SessionError if the broker does not let the device in."""
        self._device.start((self.site.lane,))
        self._other.start()
        why = self._device.connected()
        if why:
            raise SessionError(f"device {self.site.device}: {why}.")

    def close(self) -> None:
        """Leave."""
        self._device.stop()
        self._other.stop()

    def other_device(self) -> str:
        """Return why the second device is not there, or nothing."""
        return self._other.connected()

    def now_ns(self) -> int:
        """Return this machine's monotonic time."""
        return self._clock.now().mono_ns

    def turn(self) -> None:
        """Take what has come."""
        self._device.turn(TURN_S)
        self._other.turn()
        for told in self._pulses.take():
            self.openings.append(Opening(told.at_ns, meant(told.plate, self._known) or told.plate))

    def until(self, happened: Callable[[], bool], patience_ns: int = 2**62) -> bool:
        """Wait; return whether it happened in time."""
        deadline_ns = self.now_ns() + patience_ns
        while not happened():
            if self.now_ns() >= deadline_ns:
                return False
            self.turn()
        return True

    def lend(self, point: Point) -> tuple[str, ...]:
        """Return the texts of a point's plates; a stranger's comes last."""
        taken = self.plates.take(len(point.opens), self.now_ns())
        if any(isinstance(step, Say) and step.plate == UNLISTED for step in point.steps):
            taken += (self._strangers.pop(),)
        self.lent += [Lent(plate, self.now_ns()) for plate in taken]
        return taken

    def message(self, point: str, say: Say, plates: tuple[str, ...]) -> bytes:
        """Return what is sent for `say` as things are now."""
        heard = {} if say.heard == "none" else self._beats.report(self.now_ns())
        if say.heard == "never sent":
            heard = {gate: Heard(n=each.n // 2 + 1, held_ms=0) for gate, each in heard.items()}
        lane = f"{self.site.lane[:57]}-other" if say.other_lane else self.site.lane
        return self._speech[self._sender(say).name].message(point, say, plates[say.plate], lane, heard)

    def send(self, say: Say, message: bytes) -> None:
        """Publish it as often as it is said. Raises SessionError if the broker never takes it."""
        sender = self._sender(say)
        topic = topics.backfill(sender.name) if say.backfill else topics.plate(sender.name)
        for _ in range(say.copies):
            sender.publish(topic, message, retain=say.retained, expiry_s=None if say.retained else EXPIRY_S)

    def send_raw(self, payload: bytes, *, retained: bool) -> str:
        """Publish bytes on `up/plate`; return why the broker does not take them, or nothing."""
        try:
            self._device.publish(topics.plate(self.site.device), payload, retain=retained)
        except SessionError as error:
            return str(error)
        return ""

    def fence(self) -> bool:
        """Announce a good event until it opens; return whether it did. Then wait a little for what should not come."""
        self.until(lambda: self.plates.free(self.now_ns()) > 0)
        (plate,) = self.plates.take(1, self.now_ns())
        if self.site.bare:
            self.until(lambda: False, GRACE_NS)
        before, said_ns = len(self.openings), self.now_ns()
        name = f"fence {said_ns}"
        self.lent.append(Lent(plate, said_ns))

        def opened() -> bool:
            nonlocal said_ns
            if self.now_ns() >= said_ns:
                said_ns = self.now_ns() + SECOND_NS
                self.send(Say(), self.message(name, Say(), (plate,)))
            return any(self.site.bare or opening.plate == plate for opening in self.openings[before:])

        done = self.until(opened, PATIENCE_NS)
        self.until(lambda: False, GRACE_NS)
        self.plates.give_back([plate], self.now_ns())
        return done

    def restart(self, what: str) -> str:
        """Restart the broker or the controller, and wait for beats; return what went wrong, or nothing."""
        self.restarted_ns = self.restarted_ns or self.now_ns()
        connections = self._device.connections
        try:
            self.site.restarts[what]()
        except PlatefleetError as error:
            return str(error)
        if what == "broker":
            why = self._device.connected(connections)
            if why:
                return f"the broker did not come back: {why}"
        since_ns = self.now_ns()
        if self.until(lambda: self.heard[-1].at_ns > since_ns, RESTART_NS):
            return ""
        return f"no beat within {RESTART_NS // SECOND_NS} s of the {what}'s restart"

    def _sender(self, say: Say) -> Client:
        return self._other if say.other_device else self._device

    def _hear(self, client: Client, received: Received) -> None:  # noqa: ARG002  # beats are for the first device
        try:
            beat = decode(Beat, received.payload)
        except ProtocolError:
            return  # told as the beat that is missing
        self._beats.heard(beat, received.received_mono_ns)
        self.heard.append(HeardBeat(received.received_mono_ns, beat.gate, beat.n))
