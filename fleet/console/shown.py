"""Devices, commands and results as rows for people and for programs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from platefleet.fleet.console.known import Known
from platefleet.fleet.questions.moments import in_utc, in_zone, span
from platefleet.fleet.questions.sheets import Head
from platefleet.models.operations import operations
from platefleet.models.operations.reading import result_of
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.messages import CommandStatus

DEVICE_HEADS = (
    Head("device", 20),
    Head("kind", 6),
    Head("site", 12, spare=True),
    Head("state", 10),
    Head("for", 12),
    Head("software", 18, spare=True),
    Head("vehicle/plate/reader", 34, spare=True),
    Head("open", 4, right=True),
    Head("problems", 8, right=True),
)
DEVICE_NAMES = ("device", "kind", "site", "labels", "presence", "since", "software", "model", "install", "choices",
                "trust", "open", "problems")  # fmt: skip
COMMAND_NAMES = (
    "command",
    "device",
    "operation",
    "operator",
    "state",
    "issued",
    "updated",
    "reason",
    "step",
    "attempt",
)


def command_heads(width: int) -> tuple[Head, ...]:
    """Return the columns of commands for so wide a terminal. An id is shown by its end, which no other has."""
    narrow = width < 100
    what = max(18, min(60, width - (62 if narrow else 89)))
    return (
        Head("command", 12),
        Head("device", 16),
        Head("operation", 10),
        Head("by", 12, spare=True),
        Head("state", 11),
        Head("for", 11, spare=True),
        Head("what", what),
    )


def device_row(device: Known) -> dict[str, object]:
    """Return a device for programs."""
    info, health = device.info, device.health
    return {
        "device": device.name,
        "kind": device.kind,
        "site": device.site,
        "labels": list(device.labels),
        "presence": device.presence,
        "since": None if device.presence_ns is None else in_utc(device.presence_ns),
        "software": "" if info is None else info.software,
        "model": "" if info is None else info.hardware.model,
        "install": device.install,
        "choices": device.choices,
        "trust": 0 if info is None else info.trust_version,
        "open": [] if info is None else list(info.commands),
        "problems": [] if health is None else list(health.problems),
    }


def device_cells(device: Known, now_ns: int) -> tuple[str, ...]:
    """Return a device for the columns of `DEVICE_HEADS`."""
    info, health = device.info, device.health
    served = (
        {} if info is None else {each.role: f"{each.format}/{each.precision}" for each in info.artifacts if each.active}
    )
    return (
        device.name,
        device.kind,
        device.site,
        device.presence,
        "" if device.presence_ns is None else span(now_ns - device.presence_ns),
        "" if info is None else info.software,
        " ".join(served.get(role, "-") for role in ("vehicle", "plate", "reader")) if served else "",
        "" if info is None else str(len(info.commands)),
        "" if health is None else str(len(health.problems)),
    )


def command_row(row: Row[Any], last: CommandStatus | None) -> dict[str, object]:
    """Return a command for programs, its result opened."""
    told: dict[str, object] = {
        "command": row.id,
        "device": row.device,
        "operation": row.operation,
        "operator": row.operator,
        "state": row.state,
        "issued": in_utc(row.issued_ns),
        "updated": in_utc(row.updated_ns),
        "reason": row.reason,
        "step": row.step,
        "fraction": row.fraction,
        "attempt": 0 if last is None else last.attempt,
    }
    if last is not None and last.result is not None:
        told["result"] = result_row(last)
    return told


def command_cells(row: Row[Any], now_ns: int, says: str) -> tuple[str, ...]:
    """Return a command for the columns of `command_heads`."""
    return row.id[-12:], row.device, row.operation, row.operator, row.state, span(now_ns - row.updated_ns), says


def result_row(status: CommandStatus) -> object:
    """Return a result as JSON has it; pictures by their size, since `--pictures DIR` writes them."""
    operation = operations().get(status.operation)
    if operation is None or status.result is None:
        return None
    try:
        plain: dict[str, object] = result_of(operation, status.result).model_dump(mode="python", exclude_none=True)
    except ProtocolError as error:
        return str(error)
    return _without_bytes(plain)


def result_lines(status: CommandStatus) -> list[str]:
    """Return a result as sentences for a person."""
    operation = operations().get(status.operation)
    if operation is None or status.result is None:
        return []
    try:
        return list(operation.lines(result_of(operation, status.result)))
    except ProtocolError as error:
        return [str(error)]


def status_line(heard_ns: int, status: CommandStatus) -> str:
    """Return one status as a line of a command's life."""
    what = status.step or (status.why.says if status.why is not None else "") or status.reason
    later = span(max(0, heard_ns - status.at.utc_ns))
    return f"{in_zone(status.at.utc_ns)}  {status.state:<11} {what}  (heard {later} later)"


def _without_bytes(value: object) -> object:
    match value:
        case bytes():
            return f"{len(value)} bytes"
        case dict():
            return {str(key): _without_bytes(inside) for key, inside in value.items()}
        case list() | tuple():
            return [_without_bytes(inside) for inside in value]
        case _:
            return value
