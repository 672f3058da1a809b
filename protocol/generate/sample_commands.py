"""Commands, what is desired, and statuses, for the vectors."""

from __future__ import annotations

from typing import Any

from platefleet.protocol import messages as m
from platefleet.protocol.ids import uuid7

ISSUED_NS = 1_795_000_000_000_000_000
INSTALL = "0123456789abcdef" * 2
COMMAND = uuid7(1_795_000_000_000, bytes(range(10)))
CANCEL = uuid7(1_795_000_000_001, bytes(range(10)))
KEY = "fedcba9876543210" * 2
NIGHTS = m.Window(
    zone="Europe/Berlin",
    spans=(m.Span(days=("mon", "tue", "wed", "thu"), start="23:00", end="04:30"), m.Span(start="13:05", end="13:50")),
    days_off=("2026-12-24",),
    quiet_s=600,
)


def commands(stamp: m.Stamp, last: m.Stamp) -> dict[type[m.Message], dict[str, m.Message]]:
    """Return samples by kind, each with a name that says what is special in it."""
    return {
        m.Command: _commands(),
        m.Cancel: _cancels(),
        m.Desired: _desired(),
        m.CommandStatus: _statuses(stamp, last),
    }


def _commands() -> dict[str, m.Message]:
    named: dict[str, Any] = {"id": COMMAND, "device": "north-1", "install": INSTALL, "issued_at": ISSUED_NS}
    return {
        "an engine": m.Command(
            **named,
            operation="build",
            arguments={"role": "plate", "format": "tensorrt", "precision": "fp16", "batch": 4, "activate": True},
            not_before=ISSUED_NS + 10**9,
            not_after=ISSUED_NS + 86_400 * 10**9,
            priority=9,
        ),
        "no argument": m.Command(**named, operation="diagnose", not_after=ISSUED_NS + 1, priority=0),
        "every kind of value": m.Command(
            **named,
            operation="set-window",
            arguments={"a": None, "b": False, "c": -1, "d": 0.5, "e": "ü", "f": ("x", ""), "g": ()},
            not_after=2**63 - 1,
            builds_on=7,
        ),
    }


def _cancels() -> dict[str, m.Message]:
    cancel = m.Cancel(
        id=CANCEL, command=COMMAND, device="north-1", install=INSTALL, issued_at=ISSUED_NS, not_after=ISSUED_NS + 1
    )
    return {"one": cancel}


def _desired() -> dict[str, m.Message]:
    return {
        "nothing but its version": m.Desired(device="north-1", install=INSTALL, choices=1, issued_at=ISSUED_NS),
        "everything": m.Desired(
            device="north-1",
            install=INSTALL,
            choices=2**53 - 1,
            issued_at=ISSUED_NS,
            active={"plate": KEY, "vehicle": KEY},
            window=NIGHTS,
            rules=(m.Rule(name="engines"), m.Rule(name="benchmark", enabled=False, every_days=7)),
        ),
    }


def _statuses(stamp: m.Stamp, last: m.Stamp) -> dict[str, m.Message]:
    said: dict[str, Any] = {"command": COMMAND, "install": INSTALL, "operation": "build", "operator": "ada"}
    return {
        "accepted": m.CommandStatus(**said, number=1, state="accepted", at=stamp, choices=7),
        "waiting for the window": m.CommandStatus(
            **said,
            number=2,
            state="waiting",
            at=stamp,
            why=m.Waiting(hold="window", says="the window opens at Fri 20 Nov 23:00 CET", until_ns=ISSUED_NS + 10**13),
        ),
        "running": m.CommandStatus(**said, number=3, state="running", at=stamp, attempt=1, step="building"),
        "over, with a result": m.CommandStatus(
            **said, number=2**53 - 1, state="succeeded", at=last, attempt=5, result=b"\x81\xa3key\xa1k"
        ),
    }
