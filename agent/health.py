"""What the agent tells of itself: health every half minute, info with every connection."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from platefleet import __version__
from platefleet.agent import machine
from platefleet.agent.cameras.reader import Pictures
from platefleet.agent.cameras.record import CameraRecord
from platefleet.agent.events import Stamped
from platefleet.agent.figures import Figures
from platefleet.agent.settings.tree import Settings
from platefleet.agent.supervisor import Supervisor
from platefleet.models.board import power_w, temperature_c
from platefleet.protocol.clock import Clock, Instant
from platefleet.protocol.delivery.stats import UplinkStats
from platefleet.protocol.ids import LaneId
from platefleet.protocol.messages import ArtifactInfo, CameraHealth, Health, Info
from platefleet.protocol.session import SessionHealth

MOST_PROBLEMS, MOST_COUNTERS, MOST_SENTENCE = 32, 256, 512
DROPPED_SHARE = 0.9
"""More of a camera's frames than this unseen: the models are far too slow for it."""
FEWEST_FRAMES = 100
"""A share of fewer frames says nothing: a few seconds of a camera."""
_NUMBER = re.compile(r"(?<= )\d[\d.]*(?= )")


@dataclass(frozen=True, slots=True)
class Machine:
    """What was read from the machine at one moment."""

    temperature_c: float | None
    power_w: float | None
    memory_bytes: int
    free_bytes: int | None


def read_machine() -> Machine:
    """Ask the machine."""
    return Machine(temperature_c(), power_w(), machine.memory_bytes(), machine.free_bytes(Path.cwd()))


@dataclass(frozen=True, slots=True)
class Share:
    """How much of a camera goes unseen. came, unseen: its frames when that was last judged."""

    came: int = 0
    unseen: int = 0
    slow: bool = False


def judged(known: Share, came: int, unseen: int) -> Share:
    """Return whether the models are far too slow for a camera, by the frames since the last judgement.

    >>> judged(Share(), 1000, 950).slow, judged(Share(1000, 950, True), 2000, 1700).slow
    (True, False)
    """
    fresh = came - known.came
    if fresh < FEWEST_FRAMES:
        return known
    return Share(came, unseen, unseen - known.unseen > DROPPED_SHARE * fresh)


class HealthReport:
    """Puts health together from the agent's parts. Safe to use from any thread."""

    def __init__(
        self,
        settings: Settings,
        *,
        cameras: Sequence[CameraRecord],
        newest: Pictures,
        figures: Figures,
        supervisor: Supervisor,
        stamp: Stamped,
        clock: Clock,
    ) -> None:
        self._settings, self._cameras, self._newest = settings, cameras, newest
        self._figures, self._supervisor, self._stamp, self._clock = figures, supervisor, stamp, clock
        self._started = clock.now()
        self._shares = {record.lane: Share() for record in cameras}
        self._lock = threading.Lock()

    def health(self, uplink: UplinkStats, session: SessionHealth) -> Health:
        """Return how the device is doing now."""
        now = self._clock.now()
        replaced = {record.lane: self._newest.replaced(record.lane) for record in self._cameras}
        cameras = tuple(record.health(now.mono_ns, replaced[record.lane]) for record in self._cameras)
        machine_now = read_machine()
        stamp = self._stamp(now)
        found = [
            *camera_problems(cameras),
            *self._slow(cameras, replaced),
            *session_problems(session),
            *uplink_problems(uplink),
            *self._figures.troubles(),
            *(f"{name} hangs; systemd's watchdog will restart the agent" for name in self._supervisor.hung()),
        ]
        if stamp.clock == "unsynced":
            found.append("the clock is not synchronised; set up NTP, or clock.assume_synced if something else keeps it")
        free, least = machine_now.free_bytes, self._settings.health.disk_least_bytes
        if free is not None and free < least:
            found.append(f"the disk has {free >> 20} MB free, less than {least >> 20}; make room")
        return Health(
            at=stamp,
            uptime_ms=max(0, (now.mono_ns - self._started.mono_ns) // 1_000_000),
            cameras=cameras,
            latency_ms=self._figures.latencies(),
            temperature_c=machine_now.temperature_c,
            power_w=machine_now.power_w,
            memory_bytes=machine_now.memory_bytes,
            outbox_depth=uplink.waiting,
            outbox_bytes=uplink.waiting_bytes,
            counters=self._counters(uplink, session),
            problems=tuple(problem[:MOST_SENTENCE] for problem in found[:MOST_PROBLEMS]),
        )

    def info(self, artifacts: Sequence[ArtifactInfo], install: str) -> Info:
        """Return what the device is. install: made with its outbox; this issue's outbox ends with the process."""
        return Info(
            device=self._settings.device,
            kind="agent",
            software=f"platefleet {__version__}"[:64],
            started=self._stamp(self._started),
            install=install,
            hardware=machine.hardware(),
            lanes=tuple(lane.name for lane in self._settings.lanes),
            artifacts=tuple(artifacts),
        )

    @property
    def started(self) -> Instant:
        """When the agent was put together."""
        return self._started

    def _slow(self, cameras: Sequence[CameraHealth], replaced: Mapping[LaneId, int]) -> list[str]:
        with self._lock:
            for camera in cameras:
                came = camera.frames + camera.dropped - replaced[camera.lane]
                self._shares[camera.lane] = judged(self._shares[camera.lane], came, camera.dropped)
            return [
                f"{lane}: the models see less than a tenth of the camera's frames; lower its rate or use smaller ones"
                for lane, share in self._shares.items()
                if share.slow
            ]

    def _counters(self, uplink: UplinkStats, session: SessionHealth) -> dict[str, int]:
        counters = self._figures.counts()
        counters["camera_bad_frames"] = sum(record.bad_frames for record in self._cameras)
        counters["camera_resized"] = sum(record.resized for record in self._cameras)
        counters |= {f"uplink_{name}": count for name, count in uplink.counters().items()}
        counters |= {f"session_{name}": count for name, count in asdict(session).items() if type(count) is int}
        return dict(sorted(counters.items())[:MOST_COUNTERS])


def camera_problems(cameras: Sequence[CameraHealth]) -> Iterator[str]:
    """Return a sentence for each camera that does not show its lane, or not as it should."""
    for camera in cameras:
        match camera.state:
            case "running" if camera.black:
                yield f"{camera.lane}: the camera shows black; look at its lens, its light and its exposure"
            case "running" if camera.frozen:
                yield f"{camera.lane}: the camera shows the same picture again and again; restart it"
            case "running" if camera.why:
                yield f"{camera.lane}: {camera.why}"
            case "stalled" | "failed":
                yield f"{camera.lane}: camera {camera.state}: {camera.why}"
            case "opening" if camera.why:
                yield f"{camera.lane}: the camera is opened again: {camera.why}"
            case _:
                continue


def news(told: frozenset[str], problems: Sequence[str]) -> tuple[frozenset[str], list[str]]:
    """Return what to remember as told, and which problems are new; one whose numbers alone changed is not.

    >>> told, new = news(frozenset(), ["3 MB are 3 MB"])
    >>> news(told, ["3 MB are 4 MB"])[1]
    []
    """
    by_kind = {_NUMBER.sub("#", f" {problem} "): problem for problem in problems}
    return frozenset(by_kind), [problem for kind, problem in by_kind.items() if kind not in told]


def session_problems(session: SessionHealth) -> Iterator[str]:
    """Return a sentence if there is no session with the broker, and one for each thing that the broker lacks."""
    yield from session.shortfalls
    if session.state not in {"online", "starting", "stopped"} and session.reason:
        yield f"broker: {session.reason}"


def uplink_problems(uplink: UplinkStats) -> Iterator[str]:
    """Return a sentence for what a person should know of the records."""
    if uplink.clashes:
        yield f"the store has something else under {uplink.clashes} of this device's names; was its disk copied?"
    if uplink.gone:
        yield f"{uplink.gone} records gave way before the store had them; see the quota and the link"
    if uplink.denied:
        yield f"the broker refused {uplink.denied} messages; check the access list"
