"""Who may command this device, and when it may do heavy work."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from platefleet.agent.settings.base import AnyPath, FileThere, Section
from platefleet.protocol.commands.holds import FRAME_SHARE
from platefleet.protocol.errors import ConfigError
from platefleet.protocol.messages import Rule, Window
from platefleet.protocol.messages.desired import RuleName, Zone
from platefleet.protocol.trust import roots
from platefleet.protocol.windows import zone_of

RULES: tuple[Rule, ...] = (
    Rule(name="engines"),
    Rule(name="retry"),
    Rule(name="benchmark", every_days=7),
    Rule(name="evaluate", every_days=30),
    Rule(name="prune", every_days=7),
)
"""In force until a desired state says otherwise."""


class SpanSettings(Section):
    """Hours on the days they begin; an end that is not later is on the next day."""

    days: Annotated[tuple[str, ...], Field(strict=False, min_length=1, max_length=7)] = Field(
        ("mon", "tue", "wed", "thu", "fri", "sat", "sun"), description="on which it begins"
    )
    start: str = Field(description="as 23:00")
    end: str = Field(description="as 04:30")


class WindowSettings(Section):
    """The hours in which engines are built and measured, until `set-window` or a desired state says otherwise."""

    zone: Zone = Field("UTC", description="the site's, a name of the IANA time zone database")
    spans: Annotated[tuple[SpanSettings, ...], Field(strict=False, max_length=16)] = Field(
        (), description="hours; none: heavy work never begins by itself"
    )
    days_off: Annotated[tuple[str, ...], Field(strict=False, max_length=366)] = Field(
        (), description="dates on which nothing begins, as 2026-12-24"
    )
    quiet_s: Annotated[int, Field(ge=0, le=86_400)] = Field(300, description="so long no car may have come")
    grace_s: Annotated[int, Field(ge=0, le=7_200)] = Field(
        300, description="what has begun may go on for so long after the end"
    )

    def window(self) -> Window:
        """Return it as the wire has it. Raises ValueError."""
        return Window.model_validate_json(self.model_dump_json())


class CommandSettings(Section):
    """Commands from the console, and work that the device does off-hours by itself."""

    roots: Annotated[tuple[str, ...], Field(strict=False, max_length=8)] = Field(
        (), description="public root keys, a line each as `platefleet keys new --root` writes; none: nobody commands"
    )
    journal: AnyPath | None = Field(
        None, description="not given: `DEVICE.commands` beside the outbox; trust is kept beside it as `.trust`"
    )
    window: WindowSettings = Field(default_factory=WindowSettings, description="the table below")
    rules: Annotated[tuple[RuleName, ...], Field(strict=False, max_length=16)] = Field(
        tuple(rule.name for rule in RULES), description="standing work that needs nobody's command"
    )
    hosts: Annotated[tuple[str, ...], Field(strict=False, max_length=16)] = Field(
        (), description="HTTPS hosts that models may be fetched from, as `models.example` or `models.example:8443`"
    )
    ca_file: FileThere | None = Field(None, description="PEM of who signs their certificates; not given: the system's")
    token_file: FileThere | None = Field(None, description="a file with the token that they want")
    evaluation: AnyPath | None = Field(
        None, description="a folder of frames that artifacts are measured on; not given: the device's own"
    )
    calibration: AnyPath | None = Field(None, description="the same for INT8, and other ones")
    frame_share: Annotated[float, Field(ge=0, le=1)] = Field(
        FRAME_SHARE,
        description="of their usual frame rate the cameras keep, or heavy work makes room; 0: any",
    )
    temperature_limit_c: Annotated[float, Field(ge=30, le=110)] = Field(
        85.0, description="heavy work makes room above, and begins 5 °C below"
    )

    @field_validator("roots")
    @classmethod
    def _keys(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        if lines:
            try:
                roots(lines, "roots")
            except ConfigError as error:
                raise ValueError(str(error)) from error
        return lines

    @model_validator(mode="after")
    def _opens(self) -> CommandSettings:
        try:
            zone_of(self.window.window())
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return self
