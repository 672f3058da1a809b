"""One simulated device: the real session, uplink and outbox, told what a lane that does not exist has seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from platefleet.deploy.simulate.ledger import LedgerFile, digest
from platefleet.deploy.simulate.traffic import LANE, LEFT_S, Step
from platefleet.protocol.clock import SECOND_NS, Clock, Instant
from platefleet.protocol.clock_sync import ClockState, stamped
from platefleet.protocol.codec import encode
from platefleet.protocol.delivery.frame import Record
from platefleet.protocol.delivery.outbox import Outbox
from platefleet.protocol.delivery.uplink import Uplink
from platefleet.protocol.errors import OutboxError
from platefleet.protocol.messages import CharacterRead, Crops, PlateEvent, Stamp
from platefleet.protocol.session import Broker, Session

BOX = (40.0, 60.0, 600.0, 440.0)


@dataclass(frozen=True, slots=True)
class Due:
    """A step with the message that it appends (None for an announcement), and when its vehicle was last seen."""

    step: Step
    message: PlateEvent | Crops | None
    seen_ns: int


class Device:
    """One device. `due`, `hand` and `do` belong to one thread; the uplink has its own."""

    def __init__(
        self,
        name: str,
        broker: Broker,
        outbox: Outbox,
        *,
        ledger: LedgerFile,
        steps: Iterator[Step],
        clock: Clock,
        clock_state: Callable[[Instant], ClockState] = lambda _: "assumed",
        ledger_clock: Clock | None = None,
    ) -> None:
        """clock, clock_state: the device's own. ledger_clock: what the ledger's times are by; None: the same."""
        self.name, self.outbox = name, outbox
        self._session = Session(name, broker, clock=clock)
        self.uplink = Uplink(self._session, outbox, clock=clock)
        self.told = self.refused = 0
        self._ledger, self._ledger_clock = ledger, ledger_clock or clock
        self._clock, self._clock_state, self._boot = clock, clock_state, clock.boot
        self._steps = steps
        self._next = next(steps)
        self._newest: tuple[str, Record] | None = None
        self._began_ns = clock.now().mono_ns

    def start(self) -> None:
        """Begin to send, and the lane's time."""
        self._began_ns = self._clock.now().mono_ns
        self.uplink.start()

    @property
    def away(self) -> bool:
        """Whether it is not at the broker."""
        return self._session.health().state != "online"

    @property
    def next_ns(self) -> int:
        """When the next step is due, by this boot's clock."""
        return self._began_ns + int(self._next.at_s * SECOND_NS)

    def due(self) -> list[Due]:
        """Return the steps whose time has come, and note what they will hand over and which vehicles are there."""
        due: list[Due] = []
        now = self._clock.now()
        while self._began_ns + int(self._next.at_s * SECOND_NS) <= now.mono_ns:
            step, self._next = self._next, next(self._steps)
            message = self._message(step, now)
            due.append(Due(step, message, now.mono_ns if step.seen else now.mono_ns - int(LEFT_S * SECOND_NS)))
            if message is not None:
                body = digest(encode(message))
                self._ledger.note("hand", device=self.name, body=body, type=step.kind, **{"pass": step.pass_id})
            if step.seen:
                named = {"pass": step.pass_id, "text": step.text}
                at_ns = self._ledger_clock.now().mono_ns
                self._ledger.note("seen", device=self.name, mono_ns=at_ns, **named)
        return due

    def do(self, due: Due) -> None:
        """Append it, note what was kept, and tell it."""
        step, message = due.step, due.message
        if message is not None:
            record = self._append(message)
            if record is None:
                return
            if isinstance(message, PlateEvent):
                self._newest = step.pass_id, record
        if step.kind == "crops" or self._newest is None or self._newest[0] != step.pass_id:
            return
        self.told += 1
        self.uplink.tell(self._newest[1], due.seen_ns)

    def keep(self, step: Step) -> None:
        """Append what the step appends, as if its time had come, and tell nobody."""
        message = self._message(step, self._clock.now())
        if message is not None:
            self._append(message)

    def now(self, step: Step) -> None:
        """Do a step now."""
        now = self._clock.now()
        self.do(Due(step, self._message(step, now), now.mono_ns))

    def stop(self, timeout_s: float) -> None:
        """End the uplink and close the outbox."""
        self.uplink.stop(timeout_s)
        self.outbox.close()

    def _append(self, message: PlateEvent | Crops) -> Record | None:
        try:
            record = self.outbox.append("plate" if isinstance(message, PlateEvent) else "crops", message)
        except OutboxError:
            self.refused += 1
            return None
        self._ledger.note(
            "kept",
            device=self.name,
            epoch=record.epoch,
            seq=record.seq,
            digest=digest(record.frame),
            volatile=self.outbox.volatile,
        )
        return record

    def _message(self, step: Step, now: Instant) -> PlateEvent | Crops | None:
        stamp = self._stamp(now)
        match step.kind:
            case "announcement":
                return None
            case "crops":
                return Crops(pass_id=step.pass_id, revision=step.revision, captured=stamp, plate=step.payload)
            case _:
                since_ns = int((step.at_s - step.first_s) * SECOND_NS)
                first = self._stamp(Instant(now.utc_ns - since_ns, max(0, now.mono_ns - since_ns)))
                return _event(step, captured=stamp, first_seen=first)

    def _stamp(self, at: Instant) -> Stamp:
        return stamped(at, self._boot, self._clock_state(at))


def _event(step: Step, *, captured: Stamp, first_seen: Stamp) -> PlateEvent:
    return PlateEvent(
        pass_id=step.pass_id,
        revision=step.revision,
        final=step.final,
        lane=LANE,
        captured=captured,
        first_seen=first_seen,
        text=step.text,
        characters=tuple(CharacterRead(text=symbol, confidence=0.9) for symbol in step.text),
        mean=0.9 if step.text else 0.0,
        minimum=0.9 if step.text else 0.0,
        unread=None if step.text else "illegible",
        direction="approaching",
        vehicle="car",
        vehicle_box=BOX,
        frames=max(1, int((step.at_s - step.first_s) * 10)),
        ms={"vehicle": 20.0, "plate": 8.0, "read": 5.0},
        artifacts={"vehicle": "simulated", "plate": "simulated", "reader": "simulated"},
    )
