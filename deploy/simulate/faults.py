"""What goes wrong and when: a TOML file, checked as a whole, as a schedule that a seed fixes. Pure but for the reading.

seed = 1
[[faults]]
kind = "ingest kill"    # one of KINDS
at_s = 30.0             # first time
every_s = 60.0          # and again, until the end; once, if it is not given
jitter_s = 5.0          # each time is moved by up to so much
for_s = 2.0             # how long it lasts
worker = 1              # of `ingest kill`; each in turn, if it is not given
kbit_per_s = 2000       # of `link slow`
round_trip_ms = 100     # of `link slow`
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from platefleet.protocol.settings_errors import checked, read_toml

Kind = Literal["broker restart", "ingest kill", "link cut", "link stall", "link slow"]
KINDS: tuple[str, ...] = get_args(Kind)
ON_LINKS = frozenset({"link cut", "link stall", "link slow"})
MOST = 10_000
Seconds = Annotated[float, Field(ge=0, le=7 * 86400, allow_inf_nan=False)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Fault(_Table):
    """`[[faults]]`."""

    kind: Kind = Field(description="what happens")
    at_s: Seconds = Field(description="seconds from the start")
    every_s: Annotated[float, Field(gt=0, le=7 * 86400)] | None = Field(None, description="and again so often")
    jitter_s: Seconds = Field(0.0, description="each time is moved by up to so much, by the seed")
    for_s: Seconds = Field(1.0, description="how long it lasts")
    worker: Annotated[int, Field(ge=1, le=64)] | None = Field(None, description="which ingest worker; none: in turn")
    kbit_per_s: Annotated[int, Field(ge=1)] = Field(2000, description="of a slow link, each direction of a device")
    round_trip_ms: Annotated[int, Field(ge=0, le=60_000)] = Field(100, description="of a slow link")


class Faults(_Table):
    """The whole file."""

    seed: int = Field(1, description="of the jitter")
    faults: Annotated[list[Fault], Field(max_length=256)] = Field([], description="what happens")


@dataclass(frozen=True, slots=True)
class Event:
    """One change at `at_s`. ends: the fault is over then; number: which time of its kind, from 0."""

    at_s: float
    fault: Fault
    ends: bool
    number: int


def load(path: Path) -> Faults:
    """Return the faults of a TOML file. Raises ConfigError that names every key that cannot be used."""
    return checked(Faults, read_toml(path), str(path))


def schedule(faults: Faults, until_s: float) -> list[Event]:
    """Return every beginning and end before `until_s`, in order of time; what has begun also ends.

    >>> kill = Fault(kind="ingest kill", at_s=1.0, every_s=4.0, for_s=2.0)
    >>> [(e.at_s, e.ends, e.number) for e in schedule(Faults(faults=[kill]), 8.0)]
    [(1.0, False, 0), (3.0, True, 0), (5.0, False, 1), (7.0, True, 1)]
    """
    events: list[Event] = []
    for place, fault in enumerate(faults.faults):
        dice = random.Random(f"{faults.seed}/{place}")  # noqa: S311  # a schedule, not a secret
        at_s, number = fault.at_s, 0
        while at_s < until_s and len(events) < MOST:
            began_s = max(0.0, at_s + dice.uniform(-fault.jitter_s, fault.jitter_s))
            events.append(Event(began_s, fault, False, number))
            events.append(Event(began_s + fault.for_s, fault, True, number))
            if fault.every_s is None:
                break
            at_s, number = at_s + fault.every_s, number + 1
    return sorted(events, key=lambda event: event.at_s)
