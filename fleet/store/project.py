"""A record's body as rows of the tables that questions are asked of: pure, one function a type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Table

from platefleet.fleet.store import tables
from platefleet.fleet.store.port import Arrival, GoneTold
from platefleet.protocol.messages import Crops, Decision, EpochOpening, PlateEvent, Stamp

Row = dict[str, Any]


def rows(arrival: Arrival) -> Iterator[tuple[Table, Row]]:
    """Yield each row that stands for the record besides its own in `records`."""
    name: Row = {"device": arrival.device, "epoch": arrival.record.epoch, "seq": arrival.record.seq}
    if arrival.undecodable:
        yield tables.quarantine, {**name, "reason": text(arrival.undecodable)}
        return
    match arrival.message:
        case PlateEvent() as event:
            yield tables.plates, {**name, **_plate(event)}
        case Crops() as crops:
            yield tables.crops, {**name, **_crops(crops)}
        case Decision() as decision:
            yield tables.decisions, {**name, **_decision(decision)}
        case EpochOpening() as opening:
            yield tables.epochs, {**name, **_stamp("opened", opening.opened), "volatile": opening.volatile}
            for end in opening.previous:
                yield (
                    tables.epoch_ends,
                    {"device": arrival.device, "epoch": name["epoch"], "previous": end.epoch, "last": end.last},
                )
        case _:
            return  # a type without a table of its own: its frame is in `records`


def record_row(arrival: Arrival) -> Row:
    """Return the record's own row."""
    record = arrival.record
    return {
        "device": arrival.device,
        "epoch": record.epoch,
        "seq": record.seq,
        "type": text(record.type),
        "digest": arrival.digest,
        "frame": record.frame,
        "received_utc_ns": arrival.received_utc_ns,
    }


def text(value: str) -> str:
    r"""Return `value` without NUL, which PostgreSQL's text cannot hold; the frame keeps the original.

    >>> text("a\x00b")
    'a�b'
    """
    return value.replace("\x00", "\ufffd")


def _maybe(value: str | None) -> str | None:
    return None if value is None else text(value)


def _stamp(prefix: str, stamp: Stamp) -> Row:
    return {
        f"{prefix}_utc_ns": stamp.utc_ns,
        f"{prefix}_mono_ns": stamp.mono_ns,
        f"{prefix}_boot": text(stamp.boot),
        f"{prefix}_clock": stamp.clock,
    }


def _plate(event: PlateEvent) -> Row:
    return {
        "lane": event.lane,
        "pass": event.pass_id,
        "revision": event.revision,
        "final": event.final,
        "interrupted": event.interrupted,
        "text": text(event.text),
        "mean": event.mean,
        "minimum": event.minimum,
        "unread": event.unread,
        "direction": event.direction,
        "vehicle": _maybe(event.vehicle),
        "frames": event.frames,
        **_stamp("captured", event.captured),
        **_stamp("first_seen", event.first_seen),
    }


def _crops(crops: Crops) -> Row:
    return {
        "pass": crops.pass_id,
        "revision": crops.revision,
        "plate_bytes": len(crops.plate or b""),
        "vehicle_bytes": len(crops.vehicle or b""),
        **_stamp("captured", crops.captured),
    }


def _decision(decision: Decision) -> Row:
    return {
        "phase": decision.phase,
        "verdict": decision.verdict,
        "reason": text(decision.reason),
        "subject": decision.device,
        "lane": decision.lane,
        "pass": decision.pass_id,
        "revision": decision.revision,
        "text": text(decision.text),
        "entry": _maybe(decision.entry),
        "output": _maybe(decision.output),
        "age_ms": decision.age_ms,
        "took_ms": decision.took_ms,
        **_stamp("decided", decision.decided),
    }


def gone_row(told: GoneTold) -> Row:
    """Return the row of a range that nobody will get."""
    gone = told.gone
    return {
        "device": told.device,
        "epoch": gone.epoch,
        "first": gone.first,
        "last": gone.last,
        "reason": gone.reason,
        "told_utc_ns": told.received_utc_ns,
    }


def clash_row(arrival: Arrival, *, whole: bool) -> Row:
    """Return the row of a record that was turned away; whole: with its frame."""
    row = record_row(arrival)
    del row["type"]
    row["frame"] = row["frame"] if whole else None
    return row
