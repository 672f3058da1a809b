"""One device and one gate around one broker: `site` is a fixture."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from platefleet.fleet.gate.controller import Gate
from platefleet.fleet.gate.lane_settings import LaneSettings
from platefleet.fleet.gate.outputs.base import Call, Order
from platefleet.fleet.gate.settings import AllowListSettings, GateSettings, PrintOutput
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.delivery.frame import Record
from platefleet.protocol.delivery.memory import MemoryOutbox
from platefleet.protocol.delivery.port import Outbox
from platefleet.protocol.delivery.uplink import Uplink
from platefleet.protocol.messages import Decision
from platefleet.protocol.session import Broker, Session
from tests.gate_builders import ON_THE_LIST, an_event
from tests.mosquitto import Mosquitto
from tests.until import until

CLOCK = SystemClock()


class Site:
    """One device and one gate around one broker; everything made here is stopped at the end."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self.broker = broker
        self.folder = folder
        self.allow = folder / "allow.csv"
        self.allow.write_text(f"plate,valid_from\n{ON_THE_LIST},\n")
        self.orders: list[Order] = []
        self.decisions: list[Decision] = []
        self.outbox = MemoryOutbox(clock=CLOCK)
        self._ends: list[Callable[[], None]] = []

    def settings(self, **changes: Any) -> GateSettings:
        fields: dict[str, Any] = {
            "name": "gate-1",
            "journal": self.folder / "gate.journal",
            "assume_synced": True,
            "allow_list": AllowListSettings(file=self.allow),
            "outputs": {"barrier": PrintOutput(kind="print")},
            "lanes": [LaneSettings(device="north-1", lane="entry", output="barrier")],
        }
        return GateSettings(**{**fields, **changes})

    def gate(
        self,
        broker: Broker | None = None,
        lift: Callable[[Order], object] | None = None,
        *,
        outbox: Outbox | None = None,
        **changes: Any,
    ) -> Gate:
        settings = self.settings(**changes)
        gate = Gate(
            Session(settings.name, broker or self.broker, clock=CLOCK),
            settings,
            outputs={"barrier": Call(lift or self.orders.append)},
            outbox=outbox,
            clock=CLOCK,
        )
        gate.start()
        self._ends.append(gate.stop)
        threading.Thread(target=lambda: self.decisions.extend(gate.decisions()), daemon=True).start()
        return gate

    def device(self, broker: Broker | None = None) -> Uplink:
        uplink = Uplink(Session("north-1", broker or self.broker, clock=CLOCK), self.outbox, clock=CLOCK)
        uplink.start()
        self._ends.append(uplink.stop)
        return uplink

    def listener(self, *filters: str) -> Session:
        session = Session("listener", self.broker, clock=CLOCK, subscriptions=[(each, 1) for each in filters])
        session.start()
        self._ends.append(session.stop)
        return session

    def ready(self, uplink: Uplink, gate: Gate) -> None:
        """Wait until the device hears the gate's beats and the gate hears the device."""
        until(lambda: uplink._beats.report(CLOCK.now().mono_ns))  # nothing else shows it
        until(lambda: not any(problem.startswith("device") for problem in gate.problems()))

    def event(self, text: str = ON_THE_LIST, **changes: Any) -> Record:
        return self.outbox.append("plate", an_event(text, **changes))

    def verdicts(self) -> list[tuple[str, str]]:
        return [(d.phase, d.verdict) for d in self.decisions]

    def end(self) -> None:
        for end in reversed(self._ends):
            end()


@pytest.fixture
def site(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Site]:
    made = Site(mosquitto.broker, tmp_path)
    yield made
    made.end()


def now() -> int:
    return CLOCK.now().mono_ns
