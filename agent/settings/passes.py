"""`[passes]`: when a reading is told, and when a vehicle counts as gone."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from platefleet.agent.passes.types import PassSettings
from platefleet.agent.settings.base import Fraction, Seconds, Section

_DEFAULT = PassSettings()
Few = Annotated[int, Field(ge=1, le=100)]


class Passes(Section):
    """The pass machine's settings, the same for every lane; `agent/passes/types.py` has each default's reason."""

    agree_frames: Few = Field(_DEFAULT.agree_frames, description="whole readings that must agree before a pass is told")
    least_mean: Fraction = Field(_DEFAULT.least_mean, description="mean confidence of a legible reading, at least")
    least_minimum: Fraction = Field(
        _DEFAULT.least_minimum, description="its least certain character, at least; below it is noise"
    )
    settled_minimum: Fraction = Field(
        _DEFAULT.settled_minimum, description="least certain character of a voted reading that may be acted on"
    )
    revisions: Annotated[int, Field(ge=1, le=3)] = Field(
        _DEFAULT.revisions, description="revisions of a pass before the final one"
    )
    unread_after_s: Seconds = Field(
        _DEFAULT.unread_after_s, description="a vehicle that stands so long without a reading is told unread"
    )
    gone_s: Seconds = Field(_DEFAULT.gone_s, description="unseen for so long a vehicle has left")
    hidden_s: Seconds = Field(_DEFAULT.hidden_s, description="the same for one that stood inside the picture")
    gone_looks: Few = Field(_DEFAULT.gone_looks, description="and not seen in so many frames")
    least_length: Annotated[int, Field(ge=1, le=12)] = Field(
        _DEFAULT.least_length, description="characters of a plate, at least"
    )
    needs_digit: bool = Field(_DEFAULT.needs_digit, description="text without a digit is lettering, not a plate")
    border_px: Annotated[float, Field(ge=0, le=100)] = Field(
        _DEFAULT.border_px, description="a plate this close to the picture's border may be cut off"
    )
    least_vehicle_height: Fraction = Field(
        _DEFAULT.least_vehicle_height,
        description="of the picture's height; smaller vehicles without a plate are not told",
    )
    vehicle_looks: Few = Field(_DEFAULT.vehicle_looks, description="frames before a vehicle without a plate counts")
    still_s: Seconds = Field(_DEFAULT.still_s, description="a vehicle that has not moved for so long stands")

    @model_validator(mode="after")
    def _in_order(self) -> Passes:
        for low, high in (("least_minimum", "settled_minimum"), ("gone_s", "hidden_s")):
            if getattr(self, low) > getattr(self, high):
                values = f"{low} ({getattr(self, low):g}) is above {high} ({getattr(self, high):g})"
                raise ValueError(f"{values}; lower the first or raise the other")
        return self
