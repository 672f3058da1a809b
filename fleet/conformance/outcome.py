"""What came of one point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from platefleet.protocol.errors import ConfigError

Status = Literal["passed", "failed", "not run"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One point's result. why: why the point matters. reason: why it failed or was not run, empty where it passed."""

    point: str
    why: str
    status: Status
    reason: str = ""


def judged(point: str, why: str, problems: Sequence[str]) -> Outcome:
    """Return passed where there are no problems, else failed with all of them."""
    return Outcome(point, why, "failed" if problems else "passed", "; ".join(problems))


def chosen(only: Sequence[str], names: Sequence[str]) -> frozenset[str]:
    """Return the points to run: those named, or all. Raises ConfigError for a name that is none."""
    for name in only:
        if name not in names:
            raise ConfigError(f"--only: there is no point {name[:40]!a}; `--list` names them all.")
    return frozenset(only or names)
