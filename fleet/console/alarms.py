"""What somebody is called for: an agent or a gate that fell silent, a camera without pictures, an output that failed.

`wrong` says what is wrong now; `turned` what began and what ended since. An alarm is a row of the database from the
moment that the trouble has lasted long enough until it is over, so that a restart neither forgets one nor repeats it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from platefleet.fleet.console.known import Known

SECOND_NS = 1_000_000_000
SETTLE_NS = 15 * SECOND_NS
"""So long after it connected, the console may not have heard yet what brokers keep of each device."""
Kind = Literal["silent", "camera", "output"]
Key = tuple[str, str, str]
"""Device, kind, which camera or lane: what an alarm is about, whatever it says."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a silence may last, of a device and of a camera, in seconds."""

    silent_s: int = 300
    camera_s: int = 300


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong. what: which camera or lane. for_s: how long it has to last before somebody is called."""

    device: str
    kind: Kind
    what: str
    says: str
    for_s: int = 0

    @property
    def key(self) -> Key:
        """What it is, whatever it says."""
        return self.device, self.kind, self.what


@dataclass(frozen=True, slots=True)
class Turned:
    """Troubles that have lasted long enough and are new, and keys of alarms that are over."""

    began: tuple[Trouble, ...] = ()
    ended: tuple[Key, ...] = ()


def wrong(
    devices: Iterable[Known],
    now_ns: int,
    limits: Limits,
    *,
    listening_ns: int = 0,
    lasting: Collection[Key] = frozenset(),
) -> Iterator[Trouble]:
    """Yield what is wrong now. A device that was never heard of is not silent: it was not put up yet.

    listening_ns: since when the console hears what is told, UTC: nobody was silent because it did not listen. lasting:
    alarms that stand already, and are over only when the device was heard.
    """
    for device in devices:
        stands = (device.name, "silent", "") in lasting
        silence = _silence(device, now_ns, limits, 0 if stands else listening_ns)
        if silence is not None:
            yield silence
            continue  # what a silent device said last of its cameras says nothing now
        health = device.health
        if health is None:
            continue
        for camera in health.cameras:
            if camera.state in {"stalled", "failed"}:
                says = f"{device.name}: camera {camera.lane} is {camera.state}: {camera.why}"
                yield Trouble(device.name, "camera", camera.lane, says, limits.camera_s)
        for problem in health.problems if device.kind == "gate" else ():
            if problem.startswith("lane "):
                lane = problem.removeprefix("lane ").partition(":")[0]
                yield Trouble(device.name, "output", lane[:64], f"{device.name}: {problem}")


def turned(
    found: Iterable[Trouble],
    first_ns: Mapping[Key, int],
    open_: Iterable[Key],
    now_ns: int,
) -> Turned:
    """Return what to raise and what to end. first_ns: when each trouble was first seen; open_: alarms that last."""
    troubles = {trouble.key: trouble for trouble in found}
    lasting = set(open_)
    began = tuple(
        trouble
        for key, trouble in troubles.items()
        if key not in lasting and now_ns - first_ns.get(key, now_ns) >= trouble.for_s * SECOND_NS
    )
    return Turned(began, tuple(key for key in sorted(lasting) if key not in troubles))


def _silence(device: Known, now_ns: int, limits: Limits, listening_ns: int) -> Trouble | None:
    if device.presence_ns is None:
        return None
    limit_ns = limits.silent_s * SECOND_NS
    if not device.online:
        for_ns = now_ns - device.presence_ns
        if for_ns < limit_ns or now_ns - listening_ns < min(limit_ns, SETTLE_NS):
            return None
        why = "has been stopped" if device.presence == "stopped" else "has been gone without a word"
        return Trouble(device.name, "silent", "", f"{device.name}: {why} for {_span(for_ns)}")
    for_ns = now_ns - max(device.presence_ns, device.health_ns or 0)
    if for_ns < limit_ns or now_ns - listening_ns < limit_ns:
        return None
    says = f"{device.name}: is connected and has said nothing for {_span(for_ns)}"
    return Trouble(device.name, "silent", "", says)


def _span(ns: int) -> str:
    """Return a length of time in words.

    >>> _span(90 * SECOND_NS), _span(600 * SECOND_NS)
    ('90 seconds', '10 minutes')
    """
    seconds = ns // SECOND_NS
    return f"{seconds} seconds" if seconds < 120 else f"{seconds // 60} minutes"
