"""A gate controller of your own in a few lines.

def lift(order):
    relay.pulse()

with controller("gate-1", Broker("192.0.2.10"), {("north-1", "entry"): lift},
                allowed=lambda plate: plate in residents, journal="gate.journal") as gate:
    for decision in gate.decisions():
        print(decision.verdict, decision.text, decision.reason)
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from platefleet.fleet.gate.controller import Gate
from platefleet.fleet.gate.escape import line
from platefleet.fleet.gate.hearing import Key
from platefleet.fleet.gate.lane_settings import LaneSettings
from platefleet.fleet.gate.outputs.base import Call, Order
from platefleet.fleet.gate.settings import GateSettings, OutboxSettings
from platefleet.fleet.gate.verdicts import Judgement
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.messages import CharacterRead
from platefleet.protocol.session import Broker, Session

__all__ = ["Broker", "Gate", "Order", "controller", "line"]
LOG = logging.getLogger(__name__)


def controller(
    name: str,
    broker: Broker,
    lanes: Mapping[Key, Callable[[Order], object]],
    *,
    allowed: Callable[[str], object],
    journal: str | Path,
    outbox: str | Path | None = None,
    age_limit_ms: int = 5000,
) -> Gate:
    """Return a gate: `allowed(plate)` says who may come in, `lanes[device, lane](order)` lifts that lane's barrier.

    Everything else (age, once per pass, the journal, records, presence) is as `platefleet gate run` has it. A function
    that lifts returns when the barrier was told, and raises if it was not. `allowed` is asked on the gate's loop and
    has to answer at once. The decisions wait for the store in `outbox`, a file beside the journal unless named. Use the
    gate in a `with` statement, which raises GateError when the journal is another's.
    """
    settings = GateSettings(
        name=name,
        journal=Path(journal),
        outbox=OutboxSettings(file=None if outbox is None else Path(outbox)),
        lanes=[
            LaneSettings(device=device, lane=lane, output=f"{device}/{lane}", age_limit_ms=age_limit_ms)
            for device, lane in lanes
        ],
    )
    clock = SystemClock()
    outputs = {f"{device}/{lane}": Call(lift) for (device, lane), lift in lanes.items()}
    return Gate(Session(name, broker, clock=clock), settings, outputs=outputs, listing=Function(allowed), clock=clock)


class Function:
    """A function as the list. A plate that it does not allow is asked for again with the next announcement."""

    version = ""

    def __init__(self, allowed: Callable[[str], object]) -> None:
        self._allowed = allowed

    def judge(self, text: str, characters: Sequence[CharacterRead], day: dt.date | None) -> Judgement:  # noqa: ARG002
        """Ask. A function that fails has not allowed anything."""
        try:
            allowed = bool(self._allowed(text))
        except Exception as error:
            LOG.exception("the function that knows the plates failed, so this one stays outside")
            return Judgement("not on the list", f"the function that knows the plates failed: {type(error).__name__}")
        if allowed:
            return Judgement("opened", f"{text} is allowed", text)
        return Judgement("not on the list", f"{text} is not allowed")
