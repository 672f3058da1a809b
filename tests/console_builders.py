"""What a console hears and what its operators sign, built for tests; each names only what matters in it."""

from __future__ import annotations

from typing import Any

from platefleet.fleet.console.book import Signed
from platefleet.protocol.codec import encode
from platefleet.protocol.messages import (
    Cancel,
    Command,
    CommandStatus,
    Desired,
    Hardware,
    Health,
    Info,
    Presence,
    Stamp,
)
from tests.commanded import HOUR, new_id
from tests.trust_builders import T0, ordered

INSTALL, ANEW = "a" * 32, "b" * 32
SECOND = 10**9


def a_moment(after_s: float = 0) -> Stamp:
    after_ns = round(after_s * SECOND)
    return Stamp(utc_ns=T0 + after_ns, mono_ns=after_ns, boot="boot-1", clock="synced")


def an_info(device: str = "north-1", **more: Any) -> Info:
    said: dict[str, Any] = {
        "device": device,
        "kind": "agent",
        "software": "platefleet 0.1.0",
        "started": a_moment(),
        "install": INSTALL,
        "hardware": Hardware(model="Jetson Orin", cpu="arm", cores=6, memory_bytes=8 << 30),
        "trust_version": 1,
    }
    return Info(**{**said, **more})


def a_health(**more: Any) -> Health:
    return Health(**{"at": a_moment(), "uptime_ms": 1000, **more})


def a_presence(state: str = "online", incarnation: str = "1") -> Presence:
    return Presence.model_validate({"state": state, "incarnation": incarnation.rjust(32, "0")})


def a_command(device: str = "north-1", *, by: str = "anna", operation: str = "diagnose", **more: Any) -> Signed:
    said: dict[str, Any] = {"id": new_id(), "device": device, "install": INSTALL, "operation": operation}
    command = Command(**{**said, "issued_at": T0, "not_after": T0 + HOUR, **more})
    return Signed(command, ordered(by, encode(command)), by)


def a_cancel(id_: str, device: str = "north-1", *, by: str = "anna") -> bytes:
    cancel = Cancel(id=new_id(), command=id_, device=device, install=INSTALL, issued_at=T0, not_after=T0 + HOUR)
    return ordered(by, encode(cancel), "cancel")


def a_desired(choices: int, device: str = "north-1", **more: Any) -> tuple[Desired, bytes]:
    desired = Desired(**{"device": device, "install": INSTALL, "choices": choices, "issued_at": T0, **more})
    return desired, ordered("ada", encode(desired), "desired")


def a_status(id_: str, number: int, state: str, **more: Any) -> CommandStatus:
    said: dict[str, Any] = {"command": id_, "install": INSTALL, "operation": "diagnose", "operator": "anna"}
    return CommandStatus.model_validate({**said, "number": number, "state": state, "at": a_moment(number), **more})
