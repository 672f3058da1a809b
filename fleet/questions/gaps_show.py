"""`platefleet fleet gaps`: the question asked and its answer shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TextIO

from platefleet.fleet.gate.escape import for_terminal
from platefleet.fleet.questions.gaps import Gap, Report, gone, holes, kept, summary
from platefleet.fleet.questions.gaps_sql import clashes, devices, epochs_of, since, told_gone
from platefleet.fleet.questions.moments import in_utc, in_zone, span
from platefleet.fleet.questions.reading import Reader
from platefleet.fleet.questions.sheets import Form, Head, as_csv, as_json, sheet

HEADS = (
    Head("state", 8),
    Head("records", 21),
    Head("count", 9, right=True),
    Head("since", 25, spare=True),
    Head("for", 12),
    Head("why", 60, least=16),
    Head("epoch", 32, spare=True),
)
LOOKED_UP = 1_000
"""Ranges of a device of which is asked since when they are missing; more are counted only."""
NAMES = ("device", "state", "epoch", "first", "last", "count", "since", "why")


@dataclass(frozen=True, slots=True)
class Asked:
    """since_ns: leaves out what was told as gone or clashed earlier. older_ns: what is known for less time is left out.

    most: ranges listed of each device.
    """

    device: str = ""
    form: Form = "table"
    since_ns: int | None = None
    older_ns: int = 0
    most: int = 100


def run(asked: Asked, reader: Reader, out: TextIO, remark: Callable[[str], None], *, now_ns: int) -> bool:
    """Show every device's gaps; return whether there is one."""
    found = False
    if asked.form == "csv":
        out.write(as_csv(NAMES))
    any_device = False
    for report in reports(reader, asked, now_ns):
        any_device = True
        found = found or bool(report.gaps)
        _SHOWN[asked.form](report, out, now_ns)
        out.flush()
    if not any_device:
        remark(f"the store has nothing of {asked.device}" if asked.device else "the store has nothing of any device")
    return found


def reports(reader: Reader, asked: Asked, now_ns: int) -> Iterator[Report]:
    """Yield a report of each device, of one state of the store each."""
    before_ns = now_ns - asked.older_ns if asked.older_ns else None
    for device in (asked.device,) if asked.device else devices(reader):
        with reader.snapshot() as connection:
            known = list(epochs_of(connection, device, corrects=reader.corrects))
            missing = (gap for epoch in known for gap in holes(epoch))
            gaps = [replace(gap, since_ns=since(connection, device, gap)) for gap in islice(missing, LOOKED_UP)]
            beyond = sum(1 for _ in missing)
            gaps += [*gone(told_gone(connection, device)), *clashes(connection, device)]
        wanted = (gap for gap in gaps if kept(gap, since_ns=asked.since_ns, before_ns=before_ns))
        if known or gaps:
            yield summary(device, known, wanted, asked.most, beyond)


def as_row(gap: Gap) -> dict[str, object]:
    """Return a gap under the names that programs know."""
    return {
        "state": gap.state,
        "epoch": gap.epoch,
        "first": gap.first,
        "last": gap.last,
        "count": gap.count,
        "since": None if gap.since_ns is None else in_utc(gap.since_ns),
        "why": gap.why,
    }


def as_cells(gap: Gap, now_ns: int) -> tuple[str, ...]:
    """Return a gap for the columns of `HEADS`."""
    records = f"{gap.first}" if gap.first == gap.last else f"{gap.first}–{gap.last}"
    since_when = "unknown" if gap.since_ns is None else in_zone(gap.since_ns)
    how_long = "" if gap.since_ns is None else span(max(0, now_ns - gap.since_ns))
    return gap.state, records, str(gap.count), since_when, how_long, gap.why, gap.epoch


def headline(report: Report) -> str:
    """Return what is said of a device before its gaps.

    >>> headline(Report("north-1", epochs=2, volatile_epochs=1, covered=40))
    'north-1: nothing is missing; 40 records in 2 epochs, 1 of them in memory only'
    """
    total: dict[str, int] = {}
    for gap in report.gaps:
        total[gap.state] = total.get(gap.state, 0) + gap.count
    lacks = ", ".join(f"{count} {state}" for state, count in total.items()) or "nothing is missing"
    memory = f", {report.volatile_epochs} of them in memory only" if report.volatile_epochs else ""
    epochs = "epoch" if report.epochs == 1 else "epochs"
    more = f"; {report.left_out} more ranges are not listed" if report.left_out else ""
    return f"{report.device}: {lacks}; {report.covered} records in {report.epochs} {epochs}{memory}{more}"


def _as_table(report: Report, out: TextIO, now_ns: int) -> None:
    out.write(for_terminal(headline(report), 400) + "\n")
    table = sheet("table", out, HEADS, NAMES)
    for gap in report.gaps:
        table.add({}, as_cells(gap, now_ns))
    table.flush()


def _as_json(report: Report, out: TextIO, now_ns: int) -> None:  # noqa: ARG001  # one form of three
    row = {
        "device": report.device,
        "missing": bool(report.gaps),
        "covered": report.covered,
        "epochs": report.epochs,
        "volatile_epochs": report.volatile_epochs,
        "gaps": [as_row(gap) for gap in report.gaps],
        "left_out": report.left_out,
    }
    out.write(as_json(row) + "\n")


def _as_csv(report: Report, out: TextIO, now_ns: int) -> None:  # noqa: ARG001  # one form of three
    for gap in report.gaps:
        row = {"device": report.device, **as_row(gap)}
        out.write(as_csv([row[name] for name in NAMES]))
    if not report.gaps:
        out.write(as_csv([report.device, "complete", *[None] * (len(NAMES) - 2)]))


_SHOWN: dict[Form, Callable[[Report, TextIO, int], None]] = {"table": _as_table, "json": _as_json, "csv": _as_csv}
