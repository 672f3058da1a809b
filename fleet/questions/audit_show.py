"""`platefleet fleet audit`: the question asked and its answer shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

from platefleet.fleet.gate.escape import for_terminal
from platefleet.fleet.questions import audit_sql
from platefleet.fleet.questions.audit import Step, life, verdict
from platefleet.fleet.questions.errors import Unanswerable
from platefleet.fleet.questions.events_show import HEADS as EVENT_HEADS
from platefleet.fleet.questions.events_show import NAMES as EVENT_NAMES
from platefleet.fleet.questions.events_show import as_cells as event_cells
from platefleet.fleet.questions.moments import in_utc, in_zone, span
from platefleet.fleet.questions.plates import meant
from platefleet.fleet.questions.reading import Reader
from platefleet.fleet.questions.sheets import Form, Head, sheet
from platefleet.protocol.ids import UUID_PATTERN

HEADS = (
    Head("when", 32),
    Head("after", 12, right=True),
    Head("step", 9),
    Head("revision", 8, right=True, spare=True),
    Head("says", 22, spare=True),
    Head("what", 90, least=17),
)
NAMES = ("pass", "device", "when", "sure", "utc_ns", "after_ms", "step", "revision", "says", "what")


@dataclass(frozen=True, slots=True)
class Asked:
    """what: a plate or a pass. every: all of the `limit` newest passes of a plate, not the newest alone."""

    what: str
    like: bool = False
    every: bool = False
    limit: int = 10
    form: Form = "table"


def run(asked: Asked, reader: Reader, out: TextIO, remark: Callable[[str], None]) -> int:
    """Show the life of a pass, or of the newest passes of a plate; return how many. Raises Unanswerable for none."""
    wanted = list(_passes(asked, reader, out, remark))
    shown = sheet(asked.form, out, HEADS, NAMES) if asked.form != "table" else None
    unsure: dict[str, None] = {}
    for device, pass_id in wanted:
        with reader.snapshot() as connection:
            kept = list(audit_sql.records(connection, pass_id, device))
            boots = audit_sql.boots_of(connection, kept, known=reader.corrects)
        steps = life(kept, reader.id, boots)
        table = shown or sheet("table", out, HEADS, NAMES)
        if shown is None:
            out.write(f"\npass {pass_id}, told by {device or 'no device'}: {for_terminal(verdict(steps), 600)}\n")
        unsure |= dict.fromkeys(step.who for step in steps if not step.at.sure)
        for step in steps:
            table.add(as_row(step, device, pass_id), as_cells(step))
        table.flush()
    if unsure and shown is None:
        remark(
            f"?: by the clock of {', '.join(unsure)}, which was not known to be right then; set up NTP there, or "
            "assume_synced where something else keeps the time, as in a container"
        )
    return len(wanted)


def as_row(step: Step, device: str, pass_id: str) -> dict[str, object]:
    """Return a step under the names that programs know."""
    return {
        "pass": pass_id,
        "device": device or None,
        "when": in_utc(step.at.utc_ns),
        "sure": step.at.sure,
        "utc_ns": step.at.utc_ns,
        "after_ms": None if step.after_ns is None else round(step.after_ns / 1e6, 3),
        "step": step.what,
        "revision": step.revision,
        "says": step.who,
        "what": step.detail,
    }


def as_cells(step: Step) -> tuple[str, ...]:
    """Return a step for the columns of `HEADS`; milliseconds matter here, and `?` marks a clock that may be wrong."""
    at = in_zone(step.at.utc_ns)
    exact = f"{at[:19]}.{step.at.utc_ns // 1_000_000 % 1000:03}{at[19:]}{'' if step.at.sure else ' ?'}"
    after = "" if step.after_ns is None else f"+{span(step.after_ns)}"
    return exact, after, step.what, str(step.revision or ""), step.who, step.detail


def _passes(asked: Asked, reader: Reader, out: TextIO, remark: Callable[[str], None]) -> Sequence[tuple[str, str]]:
    """Return (device, pass) of what is to be audited, the newest first; a plate's passes are listed for people."""
    pass_id = asked.what.strip().lower()
    if re.match(UUID_PATTERN, pass_id):
        with reader.snapshot() as connection:
            devices = audit_sql.devices_of(connection, pass_id) or [""]
            if devices == [""] and not any(audit_sql.records(connection, pass_id, "")):
                raise Unanswerable(f"audit: the store has no pass {pass_id}; see `platefleet fleet gaps`.")
        return [(device, pass_id) for device in devices]
    found = audit_sql.passes(reader, meant(asked.what, like=asked.like), asked.limit)
    if not found:
        hint = "see `platefleet fleet gaps`" if asked.like else "ask with --like for what looks like it"
        raise Unanswerable(f"audit: the store has no pass of {for_terminal(asked.what, 40)}; {hint}.")
    if asked.form == "table":
        listed = sheet("table", out, EVENT_HEADS, EVENT_NAMES)
        for each in found:
            listed.add({}, event_cells(each))
        listed.flush()
        if len(found) > 1 and not asked.every:
            remark("the newest is audited; --all audits every one of them")
    return [(each["device"], each["pass"]) for each in (found if asked.every else found[:1])]
