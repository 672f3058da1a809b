"""When something happened, where the clock of the machine that says so was wrong.

A device without a clock battery starts in 1970. Once it knows the time, the store knows of that boot what to add to its
monotonic time; stamps of a clock that was good are taken as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import BigInteger, Connection, String, column, select, table

from platefleet.protocol.messages import Stamp

BOOTS = table("boots", column("device", String), column("boot", String), column("utc_minus_mono_ns", BigInteger))
"""(device, boot) → UTC minus monotonic time, for devices that learned the time late."""

Boot = tuple[str, str]
"""(device, boot id)."""


@dataclass(frozen=True, slots=True)
class When:
    """A moment as well as it is known. sure: the clock was good, or was corrected. mono_ns: since the boot `boot`."""

    utc_ns: int
    sure: bool
    mono_ns: int | None = None
    boot: str = ""


def when(stamp: Stamp, utc_minus_mono_ns: int | None) -> When:
    """Return when `stamp` was, corrected where its clock was not good and the boot's offset is known.

    >>> stamp = Stamp(utc_ns=12, mono_ns=7, boot="b", clock="unsynced")
    >>> when(stamp, 1_000).utc_ns, when(stamp, None).sure
    (1007, False)
    """
    if stamp.clock == "unsynced" and utc_minus_mono_ns is not None:
        return When(stamp.mono_ns + utc_minus_mono_ns, sure=True, mono_ns=stamp.mono_ns, boot=stamp.boot)
    return When(stamp.utc_ns, sure=stamp.clock != "unsynced", mono_ns=stamp.mono_ns, boot=stamp.boot)


def stamp_of(row: Mapping[str, object], prefix: str) -> Stamp:
    """Return the stamp in a row's four columns that begin with `prefix`."""
    return Stamp.model_validate({name: row[f"{prefix}_{name}"] for name in ("utc_ns", "mono_ns", "boot", "clock")})


def offsets(connection: Connection, device: str, *, known: bool) -> dict[Boot, int]:
    """Return what is known of one device's boots. known: whether the store has the table."""
    if not known:
        return {}
    found = connection.execute(select(BOOTS).where(BOOTS.c.device == device))
    return {(row.device, row.boot): row.utc_minus_mono_ns for row in found}
