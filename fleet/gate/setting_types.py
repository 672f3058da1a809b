"""What the tables of a gate's settings are made of."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from platefleet.fleet.gate.allow_list import weekdays_of
from platefleet.fleet.gate.outputs.http import checked_url
from platefleet.protocol.errors import ConfigError


def _placed(value: object, info: ValidationInfo) -> object:
    return Path((info.context or {}).get("folder", ".")) / Path(value).expanduser() if isinstance(value, str) else value


def known_zone(value: str) -> str:
    """Return a zone that this machine knows. Raises ValueError."""
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            "no zone that this machine knows; Europe/Berlin would be right, with tzdata installed"
        ) from None
    return value


def askable_url(value: str) -> str:
    """Return a URL that can be asked. Raises ValueError."""
    try:
        checked_url(value)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return value


def readable_weekdays(value: str) -> str:
    """Return weekdays that can be read. Raises ValueError."""
    weekdays_of(value)
    return value


def readable_time(value: str) -> str:
    """Return a time of day that can be read. Raises ValueError."""
    try:
        dt.time.fromisoformat(value)
    except ValueError:
        raise ValueError("no time of day; 07:00 would be right") from None
    return value


AnyPath = Annotated[Path, BeforeValidator(_placed)]
"""A path; a relative one is taken from the settings file's folder."""
Seconds = Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1, max_length=4096)]
OrderField = Literal["gate", "device", "lane", "plate", "pass"]


class Section(BaseModel):
    """One table: frozen; unknown keys are refused, and nothing is converted: "5" is no number."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
