"""`[[lanes]]` and what belongs to them: hours in which they are held open, and anti-passback."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from platefleet.fleet.gate.allow_list import weekdays_of
from platefleet.fleet.gate.holding import Hours
from platefleet.fleet.gate.setting_types import Section, Text, readable_time, readable_weekdays
from platefleet.protocol.ids import DeviceId, LaneId


class HeldSettings(Section):
    """`[[lanes.held]]`: hours in which the lane is held open."""

    weekdays: Annotated[str, AfterValidator(readable_weekdays)] = Field(
        "", description="such as mon-fri; none means every day"
    )
    begin: Annotated[str, AfterValidator(readable_time)] = Field(description="as 07:00, in `zone`")
    end: Annotated[str, AfterValidator(readable_time)] = Field(description="as 09:30; before `begin`: on the next day")

    def hours(self) -> Hours:
        """Return them as the gate takes them."""
        days = weekdays_of(self.weekdays) or frozenset(range(7))
        return Hours(days, dt.time.fromisoformat(self.begin), dt.time.fromisoformat(self.end))


class PassbackSettings(Section):
    """`[passback]`: who went in may not go in again before they came out."""

    mode: Literal["soft", "hard"] = Field("soft", description="hard: not let in; soft: let in, and the record says so")
    forget_h: Annotated[int, Field(ge=1, le=24 * 365)] = Field(24, description="hours after which nobody is inside")


class LaneSettings(Section):
    """`[[lanes]]`: what may open what."""

    device: DeviceId = Field(description="the device that watches the lane")
    lane: LaneId = Field(description="the lane's name on that device")
    output: Text = Field(description="what lifts its barrier: the name of one of `[outputs.…]`")
    directions: Annotated[list[Literal["approaching", "unknown"]], Field(min_length=1, max_length=2)] = Field(
        ["approaching", "unknown"], description="receding never opens"
    )
    age_limit_ms: Annotated[int, Field(ge=500, le=10_000)] = Field(
        5000, description="a vehicle last seen this long ago is not acted on; devices announce a standing one every 2 s"
    )
    area: LaneId | None = Field(None, description="what the lane leads into or out of; with `way` and `[passback]`")
    way: Literal["in", "out"] | None = Field(None, description="into the area or out of it")
    hold_output: Text | None = Field(
        None, description="moved once when the lane begins to be held open; none: somebody else holds it"
    )
    release_output: Text | None = Field(None, description="moved once when it is held open no longer")
    held: list[HeldSettings] = Field([], max_length=16, description="hours in which it is held open: `[[lanes.held]]`")

    @model_validator(mode="after")
    def _area_and_way(self) -> LaneSettings:
        if (self.area is None) != (self.way is None):
            raise ValueError("area and way belong together; give both or neither")
        return self

    def outputs(self) -> tuple[str, ...]:
        """Return the names of every output that it uses."""
        return tuple(self.outputs_by_key().values())

    def outputs_by_key(self) -> dict[str, str]:
        """Return the names of every output that it uses, by the key that names it."""
        named = {"output": self.output, "hold_output": self.hold_output, "release_output": self.release_output}
        return {key: name for key, name in named.items() if name is not None}
