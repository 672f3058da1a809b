"""What a person, or another program, sees of a run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from platefleet.fleet.conformance.outcome import Outcome
from platefleet.protocol.printable import printable

STYLES = {"passed": "green", "failed": "bold red", "not run": "yellow"}


def table(outcomes: Sequence[Outcome]) -> Table:
    """Return the outcomes for a terminal, each failure with its reason and with why it matters."""
    shown = Table(show_edge=False, pad_edge=False)
    for heading in ("point", "result", "reason"):
        shown.add_column(heading, no_wrap=heading != "reason")
    for outcome in outcomes:
        reason = Text(printable(outcome.reason))
        if outcome.status == "failed":
            reason.append(f"\n{outcome.why}", style="dim")
        shown.add_row(outcome.point, Text(outcome.status, style=STYLES[outcome.status]), reason)
    return shown


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return one line of counts.

    >>> summary([Outcome("opens", "", "passed"), Outcome("late", "", "not run")])
    '1 passed, 0 failed, 1 not run'
    """
    counted = Counter(outcome.status for outcome in outcomes)
    return ", ".join(f"{counted[status]} {status}" for status in ("passed", "failed", "not run"))


def line(outcome: Outcome) -> str:
    """Return an outcome as a line of JSON."""
    return json.dumps(
        {"point": outcome.point, "result": outcome.status, "reason": outcome.reason, "why": outcome.why},
        ensure_ascii=True,
    )


def listed(names: Mapping[str, str]) -> Table:
    """Return the points and why each matters, for a terminal."""
    shown = Table(show_edge=False, pad_edge=False)
    shown.add_column("point", no_wrap=True)
    shown.add_column("why it matters")
    for name, why in names.items():
        shown.add_row(name, why)
    return shown
