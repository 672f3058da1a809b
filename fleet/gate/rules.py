"""A gate's settings as the rules of its lanes."""

from __future__ import annotations

from collections.abc import Mapping

from platefleet.fleet.gate.circumstances import HoldRule, Passback
from platefleet.fleet.gate.facts import Rule
from platefleet.fleet.gate.hearing import Key
from platefleet.fleet.gate.outputs.base import Output
from platefleet.fleet.gate.outputs.build import longest_s
from platefleet.fleet.gate.outputs.runner import WAITING_MOST
from platefleet.fleet.gate.settings import GateSettings, unknown_output
from platefleet.protocol.errors import ConfigError

OWN_OUTPUT_S = 30.0
"""How long a function of one's own may take before it counts as failed."""


def rules_of(settings: GateSettings, own: Mapping[str, Output] | None = None) -> dict[Key, Rule]:
    """Return the rule of each lane. Raises ConfigError for a lane whose output is nowhere."""
    rules: dict[Key, Rule] = {}
    for number, lane in enumerate(settings.lanes):
        known = {**settings.outputs, **(own or {})}
        for name in lane.outputs():
            if name not in known:
                raise ConfigError(f"lanes[{number}].output: {unknown_output(name, known)}.")
        output = settings.outputs.get(lane.output)
        one_s = OWN_OUTPUT_S if output is None or lane.output in (own or {}) else longest_s(output)
        # A pulse may wait for all those before it.
        within_ms = int((one_s * (WAITING_MOST + 1) + 2) * 1000)
        rules[lane.device, lane.lane] = Rule(
            settings.name,
            lane.device,
            lane.lane,
            lane.output,
            frozenset(lane.directions),
            lane.age_limit_ms,
            within_ms,
            lane.area or "",
            lane.way or "",
        )
    return rules


def holds_of(settings: GateSettings) -> dict[Key, HoldRule]:
    """Return how each lane may be held open."""
    return {
        (lane.device, lane.lane): HoldRule(
            tuple(each.hours() for each in lane.held), lane.hold_output or "", lane.release_output or ""
        )
        for lane in settings.lanes
    }


def passback_of(settings: GateSettings) -> Passback | None:
    """Return how anti-passback is meant, None if it is not."""
    back = settings.passback
    return None if back is None else Passback(back.mode == "hard", back.forget_h * 3600)
