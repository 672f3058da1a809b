"""What a device should be like, said once and kept: body of the retained envelope on `down/desired`; and what it is."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from platefleet.protocol.ids import DeviceId
from platefleet.protocol.messages.base import IN_ORDER, Count, Message, Nanoseconds, Part, Sentence, Sequence, ShortText
from platefleet.protocol.messages.command import InstallId

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CLOCK_PATTERN = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
DATE_PATTERN = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
ZONE_PATTERN = r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$"
ClockTime = Annotated[str, StringConstraints(pattern=CLOCK_PATTERN)]
Date = Annotated[str, StringConstraints(pattern=DATE_PATTERN)]
Zone = Annotated[str, StringConstraints(pattern=ZONE_PATTERN, max_length=64)]
"""A name of the IANA time zone database."""
Role = Literal["vehicle", "plate", "reader"]
RuleName = Literal["engines", "retry", "benchmark", "evaluate", "prune"]
ArtifactKey = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class Span(Part):
    """Hours in which heavy work may run, on the days they begin. An end that is not later is on the next day."""

    days: Annotated[tuple[Weekday, ...], Field(min_length=1, max_length=7)] = WEEKDAYS
    start: ClockTime
    end: ClockTime


class Window(Part):
    """When heavy work may run, in local time of `zone`.

    days_off: dates on which no span begins. quiet_s: so long no car may have come. grace_s: what has begun may go on
    for so long after the end. No span at all: never.
    """

    zone: Zone = "UTC"
    spans: Annotated[tuple[Span, ...], Field(max_length=16)] = ()
    days_off: Annotated[tuple[Date, ...], Field(max_length=366)] = ()
    quiet_s: Annotated[int, Field(ge=0, le=86_400)] = 300
    grace_s: Annotated[int, Field(ge=0, le=7_200)] = 300


class Rule(Part):
    """Standing work, in force without anybody's command. every_days: how often, where the rule repeats something."""

    name: RuleName
    enabled: bool = True
    every_days: Annotated[int, Field(ge=1, le=366)] | None = None


class Desired(Message):
    """What a device should be like. choices: their version; an older one never undoes a newer choice.

    active: the key of the artifact that should serve each role; a role that is left out stays as it is. window, rules:
    None leaves them as they are.
    """

    LIMIT_BYTES: ClassVar[int] = 64 * 1024

    device: DeviceId
    install: InstallId
    choices: Sequence
    issued_at: Nanoseconds
    active: Annotated[dict[Role, ArtifactKey], Field(max_length=8), IN_ORDER] = Field(default_factory=dict)
    window: Window | None = None
    rules: Annotated[tuple[Rule, ...], Field(max_length=16)] | None = None

    @model_validator(mode="after")
    def _no_contradiction(self) -> Desired:
        names = [rule.name for rule in self.rules or ()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"rules: {', '.join(twice)} stands there twice")
        return self


class Reported(Part):
    """What a device is like. drift: a sentence for each thing that is not as desired, and why."""

    choices: Count = 0
    active: Annotated[dict[Role, ShortText], Field(max_length=8), IN_ORDER] = Field(default_factory=dict)
    window: Window | None = None
    rules: Annotated[tuple[Rule, ...], Field(max_length=16)] = ()
    drift: Annotated[tuple[Sentence, ...], Field(max_length=32)] = ()
