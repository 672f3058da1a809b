"""Where the points of an ingest are played: the kit's devices, what they sent, and what they heard."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from platefleet.fleet.conformance.client import TURN_S, Client
from platefleet.fleet.conformance.ingest.points import Ranges, Tell
from platefleet.fleet.conformance.ingest.speech import Speech
from platefleet.fleet.conformance.ingest.verdict import Epoch, HeardAck, HeardHost, Trace
from platefleet.protocol import topics
from platefleet.protocol.clock import SECOND_NS, Clock
from platefleet.protocol.codec import decode, encode
from platefleet.protocol.delivery.coverage import merge
from platefleet.protocol.errors import PlatefleetError, ProtocolError, SessionError
from platefleet.protocol.messages import Ack, Ask, Backfill, EpochEnd, Host
from platefleet.protocol.session import Broker, Received

RESTART_NS = 45 * SECOND_NS
ASK_AGAIN_NS = 3 * SECOND_NS
LAST = 1000
"""The last seq that the kit's questions name: above any that it sends."""


@dataclass(frozen=True)
class Site:
    """What the site has configured. wait_s: how long an ingest may take to say that it commits.

    restarts: by what is restarted, how; each raises a PlatefleetError if it could not.
    """

    broker: Broker
    device: str = "conformance-1"
    other_device: str = "conformance-2"
    wait_s: float = 20.0
    restarts: Mapping[str, Callable[[], None]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass
class _Asked:
    """The question that is out. epochs: those in it. at_ns: when it was last sent."""

    nonce: str
    epochs: frozenset[str]
    at_ns: int


class Stage:
    """The kit's two devices before one ingest, and everything that was seen. For one thread."""

    def __init__(self, site: Site, *, clock: Clock) -> None:
        """Play both devices of `site`. Raises ProtocolError for names that are none."""
        self.site = site
        self.trace = Trace()
        self._clock = clock
        self._speech = Speech(clock=clock)
        self._wishes: set[str] = set()
        self._answers: dict[str, Ranges] = {}
        self._asked: _Asked | None = None
        self._device = self._new_device()
        acks = topics.ack(site.other_device)
        self._other = Client(site.other_device, site.broker, (acks,), clock=clock, hear=self._hear)

    def open(self) -> None:
        """Connect, and wait a while for somebody who commits. Raises SessionError if the broker does not let it in."""
        self._device.start()
        self._other.start()
        why = self._device.connected()
        if why:
            raise SessionError(f"device {self.site.device}: {why}.")
        patience_ns = int(self.site.wait_s * SECOND_NS)
        self.until(lambda: any(heard.host.committing for heard in self.trace.hosts), patience_ns)

    def come_back(self, patience_ns: int) -> None:
        """Leave and connect again, as a device that comes later, and hear what is retained then."""
        self._device.stop()
        self._device = self._new_device()
        heard = len(self.trace.hosts)
        self._device.start()
        self.until(lambda: any(each.retained for each in self.trace.hosts[heard:]), patience_ns)

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
        """Take what has come, and ask what is to be asked: one question at a time, because the newest one counts."""
        self._device.turn(TURN_S)
        self._other.turn()
        open_ = self._asked
        if self._wishes and (open_ is None or self.now_ns() - open_.at_ns >= ASK_AGAIN_NS):
            self._ask(frozenset(self._wishes))

    def until(self, happened: Callable[[], bool], patience_ns: int) -> bool:
        """Wait; return whether it happened in time."""
        deadline_ns = self.now_ns() + patience_ns
        while not happened():
            if self.now_ns() >= deadline_ns:
                return False
            self.turn()
        return True

    def tell(self, tell: Tell, epoch: str) -> str:
        """Send a message of records; return why the broker does not take it, or nothing."""
        client = self._other if tell.other_device else self._device
        message = self._speech.message(tell, epoch)
        sent = self.trace.sent.setdefault((client.name, epoch), {})
        gone = [seq for first, last in tell.gone for seq in range(first, last + 1)]
        for seq in (*(record.seq for record in tell.records), *gone):
            sent.setdefault(seq, self.now_ns())
        return self._publish(client, topics.build(tell.via, client.name), message)

    def tell_raw(self, payload: bytes) -> str:
        """Send bytes on `up/backfill`; return why the broker does not take them, or nothing."""
        return self._publish(self._device, topics.backfill(self.site.device), payload)

    def ask(self, epoch: str) -> None:
        """Put an epoch into the next question."""
        self._answers.pop(epoch, None)
        self._wishes.add(epoch)

    def answered(self, epoch: str) -> Ranges | None:
        """Return what the store has of an epoch by the answer that came since `ask`, None until it came."""
        return self._answers.get(epoch)

    def restart(self, what: str) -> str:
        """Restart the broker or the ingest, and wait until somebody commits; return what went wrong, or nothing."""
        connections, heard = self._device.connections, len(self.trace.hosts)
        try:
            self.site.restarts[what]()
        except PlatefleetError as error:
            return str(error)
        if what == "broker":
            why = self._device.connected(connections)
            if why:
                return f"the broker did not come back: {why}"
        if not heard or self.until(lambda: any(h.host.committing for h in self.trace.hosts[heard:]), RESTART_NS):
            return ""  # an ingest that never says that it commits fails for that, once
        return f"no `host` said that somebody commits within {RESTART_NS // SECOND_NS} s of the {what}'s restart"

    def epoch_of(self, epoch: str, *, other_device: bool = False) -> Epoch:
        """Return (device, epoch)."""
        return (self.site.other_device if other_device else self.site.device), epoch

    def _new_device(self) -> Client:
        filters = (topics.ack(self.site.device), topics.every_host())
        return Client(self.site.device, self.site.broker, filters, clock=self._clock, hear=self._hear)

    def _publish(self, client: Client, topic: str, payload: bytes) -> str:
        try:
            client.publish(topic, payload)
        except SessionError as error:
            return str(error)
        return ""

    def _ask(self, epochs: frozenset[str]) -> None:
        nonce = os.urandom(16).hex()
        self.trace.nonces.add(nonce)
        self._asked = _Asked(nonce, epochs, self.now_ns())
        ends = tuple(EpochEnd(epoch=epoch, last=LAST) for epoch in sorted(epochs))
        self._publish(
            self._device, topics.backfill(self.site.device), encode(Backfill(ask=Ask(nonce=nonce, epochs=ends)))
        )

    def _hear(self, client: Client, received: Received) -> None:
        parsed = topics.parse(received.topic)
        try:
            if parsed.kind == "host":
                host = decode(Host, received.payload)
                self.trace.hosts.append(HeardHost(parsed.slot or "", host, received.retained))
                return
            ack = decode(Ack, received.payload)
        except ProtocolError:
            return  # told as the ack that is missing
        self.trace.acks.append(HeardAck(received.received_mono_ns, client.name, ack))
        if ack.answer is not None and client is self._device:
            self._on_answer(ack)

    def _on_answer(self, ack: Ack) -> None:
        """Take an answer, whatever its nonce: that it is wrong is one point's concern, and the others still see."""
        asked, answer = self._asked, ack.answer
        if asked is None or answer is None or (answer.nonce in self.trace.nonces and answer.nonce != asked.nonce):
            return
        told = {each.epoch: merge(each.covered) for each in answer.epochs}
        if told.keys() - asked.epochs:
            return  # by its epochs the answer to an older question
        self._answers.update({epoch: told.get(epoch, ()) for epoch in asked.epochs})
        self._wishes -= asked.epochs
        self._asked = None
