"""`set-window`: the hours in which heavy work may run."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from platefleet.models.operations.port import Arguments, Host, Job, Operation, Result, Step
from platefleet.protocol.errors import CommandError, ConfigError
from platefleet.protocol.messages.desired import CLOCK_PATTERN, WEEKDAYS, Date, Span, Window, Zone
from platefleet.protocol.windows import zone_of

KEPT = "before"
_DAY, _TIME = f"({'|'.join(WEEKDAYS)})", CLOCK_PATTERN.strip("^$")
_SPAN = re.compile(f"({_DAY}(,{_DAY}){{0,6}} )?{_TIME}-{_TIME}")


def _hours(text: str) -> str:
    if not _SPAN.fullmatch(text):
        raise ValueError(f"{text[:40]!a} is no span of hours; 23:00-04:30 or mon,tue 23:00-04:30 is one")
    return text


def _known_zone(name: str) -> str:
    try:
        zone_of(Window(zone=name))
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return name


class SetWindow(Arguments):
    """The hours. spans: as `23:00-04:30` or `mon,tue 23:00-04:30`; none at all: heavy work never begins by itself."""

    zone: Annotated[Zone, AfterValidator(_known_zone)]
    spans: Annotated[tuple[Annotated[str, AfterValidator(_hours)], ...], Field(max_length=16)] = ()
    days_off: Annotated[tuple[Date, ...], Field(max_length=366)] = ()
    quiet_s: Annotated[int, Field(ge=0, le=86_400)] = 300
    grace_s: Annotated[int, Field(ge=0, le=7_200)] = 300


class WindowSet(Result):
    """The window in force, and the one before."""

    window: Window
    before: Window


def run(arguments: SetWindow, host: Host, job: Job) -> WindowSet:
    """Put it in force."""
    job.step("setting")
    window, before = window_of(arguments), _before(host, job)
    if host.window() != window:
        host.set_window(window)
    return WindowSet(window=window, before=before)


def settle(arguments: SetWindow, host: Host, job: Job) -> WindowSet | None:
    """Return that it was done, if this window is in force."""
    if job.kept(KEPT) is None or host.window() != window_of(arguments):
        return None
    return WindowSet(window=host.window(), before=_before(host, job))


def _before(host: Host, job: Job) -> Window:
    """Return the window before this command's first try, remembered over a restart."""
    kept = job.kept(KEPT)
    if kept is not None:
        return Window.model_validate_json(kept)
    before = host.window()
    job.keep(KEPT, before.model_dump_json())
    return before


def window_of(arguments: SetWindow) -> Window:
    """Return the window. Raises CommandError for hours that are none, or a zone that this machine has not got."""
    try:
        window = Window(
            zone=arguments.zone,
            spans=tuple(_span(each) for each in arguments.spans),
            days_off=arguments.days_off,
            quiet_s=arguments.quiet_s,
            grace_s=arguments.grace_s,
        )
        zone_of(window)
    except (ValidationError, ConfigError) as error:
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise CommandError(f"set-window: {said}") from error
    return window


def _span(text: str) -> Span:
    days, _, hours = text.rpartition(" ")
    start, _, end = hours.partition("-")
    return Span.model_validate({"start": start, "end": end} | ({"days": tuple(days.split(","))} if days else {}))


OPERATION = Operation(
    name="set-window",
    says="Set the hours in which heavy work may run.",
    arguments=SetWindow,
    result=WindowSet,
    steps=(Step("setting", 30.0, 30.0),),
    run=run,
    settle=settle,
    versioned=True,
    lines=lambda result: [f"{len(result.window.spans)} spans in {result.window.zone}"],
)
