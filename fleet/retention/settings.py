"""How long which site keeps what: one TOML file, checked as a whole."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from platefleet.protocol.settings_errors import checked, read_toml

Days = Annotated[float, Field(gt=0, le=36_500, allow_inf_nan=False)]
Pattern = Annotated[str, Field(min_length=1, max_length=64)]


class Keep(BaseModel):
    """Days to keep each kind of record, counted from when the store got it; what is not named stays for ever."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    crops_days: Days | None = None
    plates_days: Days | None = None
    decisions_days: Days | None = None
    statuses_days: Days | None = None


class Site(Keep):
    """`[[sites]]`: the devices and gates that a pattern names, with days of their own."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    devices: Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=10_000)]


class Retention(BaseModel):
    """The file: `[default]`, and `[[sites]]`, of which the first that names a device is its site."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    default: Keep = Keep()
    sites: Annotated[tuple[Site, ...], Field(max_length=10_000)] = ()

    def of(self, device: str) -> Keep:
        """Return what holds for `device`.

        >>> Retention(sites=({"name": "north", "devices": ("north-*",), "crops_days": 7},)).of("north-1").crops_days
        7.0
        """
        for site in self.sites:
            if any(fnmatchcase(device, pattern) for pattern in site.devices):
                return site
        return self.default


def load(path: Path) -> Retention:
    """Read the file. Raises ConfigError: a key that is misspelt must not mean for ever."""
    return checked(Retention, read_toml(path), str(path))
