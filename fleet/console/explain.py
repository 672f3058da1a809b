"""Why a command waits, and what a device would do with one: in one sentence, from what the console knows. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from platefleet.fleet.console.known import Known
from platefleet.models.operations.port import Operation
from platefleet.protocol.commands.holds import Hours
from platefleet.protocol.errors import ConfigError
from platefleet.protocol.messages import CommandStatus
from platefleet.protocol.messages.desired import Window
from platefleet.protocol.windows import hours_at

SECOND_NS = 1_000_000_000
CANCEL_REFUSED = "cancel refused: "
"""How a device's answer to a cancel begins that it does not carry out."""
LATE_NS = 60 * SECOND_NS
"""A service that runs sends what is due within a second."""


@dataclass(frozen=True, slots=True)
class Why:
    """says: one sentence. until_ns: when it is expected to go on, UTC; None: nobody knows. moves: it needs nobody."""

    says: str
    until_ns: int | None = None
    moves: bool = True


@dataclass(frozen=True, slots=True)
class Sent:
    """What the console did with a command. state: of the console; sends: how often. trust_ends_ns: None: no trust."""

    state: str
    not_after_ns: int
    reason: str = ""
    sends: int = 0
    next_ns: int = 0
    cancel: bool = False
    trust_ends_ns: int | None = None


def why(sent: Sent, last: CommandStatus | None, device: Known, now_ns: int) -> Why:  # noqa: PLR0911 - one for each
    """Return why a command is where it is. last: the newest status that was heard."""
    there = _there(device, now_ns)
    if sent.state == "pending":
        if sent.trust_ends_ns is None:
            return Why(
                "no trust was published, so the device believes nobody; `platefleet console trust FILE`", moves=False
            )
        if sent.trust_ends_ns <= now_ns:
            return Why("the published trust has ended; renew it with `platefleet keys trust`", moves=False)
        if sent.sends == 0:
            return Why("it was not sent yet; is `platefleet console run` running and connected?", moves=False)
        if now_ns - sent.next_ns > LATE_NS:
            late = _span(now_ns - sent.next_ns)
            return Why(f"it was to be sent again {late} ago; is `platefleet console run` running?", moves=False)
        if not device.online:
            return Why(f"{there}; it is sent again when it is back")
        if device.info is not None and not device.info.trust_version:
            return Why(f"{device.name} has no trust yet; are the root keys in its configuration?", moves=False)
        return Why(
            f"sent {sent.sends} times and not answered; the device's health says if it refused the key", sent.next_ns
        )
    if last is None:
        return Why(sent.reason or sent.state)
    asked = _cancel(sent, last)
    match last.state:
        case "waiting" if last.why is not None:
            offline = "" if device.online else f"; it said so {_span(now_ns - last.at.utc_ns)} ago, and {there}"
            return Why(f"{last.why.hold}: {last.why.says}{offline}{asked}", last.why.until_ns)
        case "accepted" | "waiting":
            return Why(f"it was accepted and begins at once{asked}")
        case "running":
            lost = "" if device.online else f", but {there}"
            return Why(f"{last.step or 'it runs'}, try {last.attempt}{lost}{asked}")
        case _:
            return Why(last.reason or last.state)


def foresee(  # noqa: PLR0911 - one for each reason
    operation: Operation[Any, Any], arguments: Any, device: Known, now_ns: int, lives: tuple[int, int]
) -> Why:
    """Return what a device would do with a command now. lives: from when and until when it may begin, UTC ns."""
    (begins_ns, ends_ns), info, health = lives, device.info, device.health
    if not device.online:
        gone = "was never seen" if device.presence_ns is None else f"is {device.presence}"
        return Why(f"{gone}; it would be sent when it is back")
    if info is None or info.reported is None:
        return Why("takes no commands: no root keys in its configuration", moves=False)
    need = operation.memory_bytes(arguments)
    total = info.hardware.memory_bytes
    if need > total > 0:
        return Why(f"needs {need / 1e9:.1f} GB free and the device has {total / 1e9:.1f} GB in all", moves=False)
    anyhow = bool(getattr(arguments, "anyhow", False))
    if operation.in_window and not anyhow:
        hours = _hours(info.reported.window, max(now_ns, begins_ns))
        if hours is None:
            return Why("has no window that this machine can read")
        if not hours.open:
            if hours.opens_ns is not None and hours.opens_ns >= ends_ns:
                return Why(f"{hours.says}, and the command ends before that; give it a longer --within", moves=False)
            return Why(hours.says, hours.opens_ns, moves=hours.opens_ns is not None)
    if begins_ns > now_ns:
        return Why("would wait for the moment that it is ordered for", begins_ns)
    if health is not None and health.temperature_c is not None and operation.in_window and health.temperature_c > 80:
        return Why(f"has {health.temperature_c:.0f} °C; it would wait until it is cooler")
    if info.commands and operation.slot != "light":
        many = "an open command" if len(info.commands) == 1 else f"{len(info.commands)} open commands"
        return Why(f"has {many}; it would wait for what is of its kind")
    return Why("would begin at once" if not operation.in_window else "would begin as soon as no car comes")


def _cancel(sent: Sent, last: CommandStatus) -> str:
    """Return what became of a cancel, in brackets; empty where there is none or nothing left to cancel."""
    if not sent.cancel or sent.state not in {"accepted", "waiting", "running"}:
        return ""
    refused = last.reason.startswith(CANCEL_REFUSED)
    return f" ({last.reason})" if refused else " (its cancel is on its way)"


def _there(device: Known, now_ns: int) -> str:
    """Return whether a device is there.

    >>> _there(Known("north-1", presence="lost", presence_ns=0), 240 * SECOND_NS)
    'north-1 has been lost for 4 min'
    """
    if device.presence_ns is None:
        return f"{device.name} was never seen"
    return f"{device.name} has been {device.presence} for {_span(now_ns - device.presence_ns)}"


def _hours(window: Window | None, now_ns: int) -> Hours | None:
    try:
        return None if window is None else hours_at(window, now_ns)
    except ConfigError:
        return None


def _span(ns: int) -> str:
    seconds = max(0, ns) // SECOND_NS
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
