"""Which of its own frames a device keeps."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from platefleet.agent.settings.base import AnyPath, Section


class OwnFrames(Section):
    """A bounded sample of the device's own frames, by which artifacts are measured and calibrated on this device.

    They show plates and stay on the device. Kept only where `models.store` or `folder` is set.
    """

    enabled: bool = Field(True, description="`false` keeps none; what was kept stays until it is removed by hand")
    folder: AnyPath | None = Field(
        None, description="where, in `evaluation` and `calibration`; not given: `frames` in `models.store`"
    )
    quota_bytes: Annotated[int, Field(ge=1 << 20, le=1 << 40)] = Field(1 << 30, description="bytes, at most")
    keep_days: Annotated[int, Field(ge=1, le=3650)] = Field(60, description="older ones give way")
