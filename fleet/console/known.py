"""A device as the console knows it: its row, with what it said of itself opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from platefleet.protocol.codec import decode
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.messages import Health, Info


@dataclass(frozen=True)
class Known:
    """One device. presence: online, stopped, lost, or unknown; presence_ns: since when, UTC. choices: see the table."""

    name: str
    kind: str = "agent"
    site: str = ""
    labels: tuple[str, ...] = ()
    install: str = ""
    choices: int = 0
    presence: str = "unknown"
    presence_ns: int | None = None
    info: Info | None = None
    health: Health | None = None
    health_ns: int | None = None
    enrolled: bool = False

    @property
    def online(self) -> bool:
        """Whether it said that it is there, and nothing else since."""
        return self.presence == "online"


def known_of(row: Row[Any]) -> Known:
    """Return the device of a row of the table `console_device`."""
    return Known(
        name=row.device,
        kind=row.kind,
        site=row.site,
        labels=tuple(row.labels.split()),
        install=row.install,
        choices=row.choices,
        presence=row.presence,
        presence_ns=row.presence_ns,
        info=_opened(Info, row.info),
        health=_opened(Health, row.health),
        health_ns=row.health_ns,
        enrolled=row.enrolled_ns is not None,
    )


def _opened(kind: Any, data: bytes | None) -> Any:
    """Return a message that was kept; one that a newer release wrote is as if it had not come."""
    try:
        return None if data is None else decode(kind, bytes(data))
    except ProtocolError:
        return None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which devices are meant. Each that is given must fit; none given: none is meant, unless everything was said."""

    names: tuple[str, ...] = ()
    site: str = ""
    label: str = ""
    model: str = ""
    software: str = ""
    everything: bool = False

    @property
    def nothing(self) -> bool:
        """Whether nobody is meant."""
        return not (self.names or self.site or self.label or self.model or self.software or self.everything)

    def fits(self, device: Known) -> bool:
        """Return whether a device is meant.

        >>> Wanted(site="north").fits(Known("a", site="north")), Wanted(names=("b",)).fits(Known("a"))
        (True, False)
        """
        info = device.info
        model = "" if info is None else f"{info.hardware.model} {info.hardware.gpu or ''}"
        return (
            (not self.names or device.name in self.names)
            and (not self.site or device.site == self.site)
            and (not self.label or self.label in device.labels)
            and (not self.model or self.model.lower() in model.lower())
            and (not self.software or (info is not None and info.software.endswith(self.software)))
        )


def choose(wanted: Wanted, devices: Sequence[Known]) -> tuple[list[Known], tuple[str, ...]]:
    """Return the devices that are meant, and names that are none."""
    names = {device.name for device in devices}
    return [each for each in devices if wanted.fits(each)], tuple(n for n in wanted.names if n not in names)
