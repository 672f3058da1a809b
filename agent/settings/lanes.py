"""`[[lanes]]`: each a camera's view of one barrier."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from platefleet.agent.passes.types import PassSettings
from platefleet.agent.settings.base import Fraction, Pixels, Section
from platefleet.agent.settings.cameras import Camera
from platefleet.agent.settings.passes import Passes
from platefleet.models.countries import FORMATS
from platefleet.protocol.ids import LaneId

Corner = Annotated[tuple[Fraction, Fraction], Field(strict=False)]
CornerPx = Annotated[tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]], Field(strict=False)]
MOST_CORNERS = 64
Polygon = Annotated[tuple[Corner, ...], Field(strict=False, max_length=MOST_CORNERS)]
PolygonPx = Annotated[tuple[CornerPx, ...], Field(strict=False, max_length=MOST_CORNERS)]
COMING: dict[str, tuple[float, float]] = {
    "down": (0.0, 1.0),
    "up": (0.0, -1.0),
    "right": (1.0, 0.0),
    "left": (-1.0, 0.0),
}


class Lane(Section):
    """One lane."""

    name: LaneId = Field(description="letters, digits, `.`, `_`, `-`; unique within the device")
    camera: Camera = Field(discriminator="kind", description="what shows the lane; the tables below, by `kind`")
    polygon: Polygon = Field(
        (), description="the lane's corners in fractions of width and height, such as [[0.1, 0.2], …]; empty: all"
    )
    polygon_px: PolygonPx = Field((), description="the same in pixels; needs `picture_px`")
    picture_px: Annotated[tuple[Pixels, Pixels], Field(strict=False)] | None = Field(
        None, description="width and height of the picture that `polygon_px` was measured in"
    )
    coming: Literal["down", "up", "left", "right"] = Field(
        "down", description="the way a car moves in the picture as it comes to the barrier"
    )
    format: str | None = Field(
        None, description=f"plates' format, settles O or 0: one of {', '.join(sorted(FORMATS))}, or one of `[formats]`"
    )

    @model_validator(mode="after")
    def _polygons(self) -> Lane:
        for key, corners in (("polygon", self.polygon), ("polygon_px", self.polygon_px)):
            if 0 < len(set(corners)) < 3:
                raise ValueError(f"{key} has {len(set(corners))} different corners; at least 3 enclose a lane")
        if self.polygon and self.polygon_px:
            raise ValueError("polygon and polygon_px are both given; one of them would be right")
        if bool(self.polygon_px) != (self.picture_px is not None):
            raise ValueError("polygon_px and picture_px belong together; give both or neither")
        if self.picture_px is not None:
            width, height = self.picture_px
            if any(x > width or y > height for x, y in self.polygon_px):
                raise ValueError(
                    f"polygon_px reaches beyond picture_px ({width}x{height}); measure both in one picture"
                )
        return self

    def corners(self) -> tuple[tuple[float, float], ...]:
        """Return the polygon in fractions; empty: the whole picture."""
        if self.picture_px is None:
            return self.polygon
        width, height = self.picture_px
        return tuple((x / width, y / height) for x, y in self.polygon_px)

    def pass_settings(self, passes: Passes) -> PassSettings:
        """Return what the pass machine is told for this lane."""
        return PassSettings(polygon=self.corners(), approach=COMING[self.coming], **passes.model_dump())
