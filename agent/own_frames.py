"""Keeps a bounded sample of the device's own frames on its disk, without ever making anybody wait.

An observer of the lanes: it sees what was worked through, on the thread that follows cars, and hands over at most one
frame at a time; what comes while that is being written is passed over.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import cv2

from platefleet.agent.figures import Figures
from platefleet.agent.kept_frames import Kept, Kind, Pacing, due, give_way, kind_of, named, recognised
from platefleet.agent.lane import Worked
from platefleet.agent.machine import free_bytes
from platefleet.agent.passes.types import Revise
from platefleet.agent.settings.own_frames import OwnFrames
from platefleet.models.detections import Frame
from platefleet.protocol.clock import SECOND_NS, Clock
from platefleet.protocol.durable import replace_file
from platefleet.protocol.ids import LaneId

LOG = logging.getLogger(__name__)
QUALITY = 95
POLL_S = 0.25
USES = ("evaluation", "calibration")


@dataclass(frozen=True, slots=True, eq=False)
class _Offered:
    lane: LaneId
    kind: Kind
    frame: Frame
    utc_ns: int


class FrameKeeper:
    """Offered frames by `watch`, on one thread; writes in `run`, on another."""

    def __init__(
        self,
        settings: OwnFrames,
        folder: Path,
        *,
        dated: Callable[[], bool],
        least_free_bytes: int,
        figures: Figures,
        clock: Clock,
    ) -> None:
        """dated: whether the clock can be believed; a frame without its day could be used for both."""
        self._settings, self._folder, self._dated = settings, folder, dated
        self._least_free, self._figures, self._clock = least_free_bytes, figures, clock
        self._pacing = Pacing()
        self._vehicles: dict[LaneId, Worked] = {}
        """Of each lane the newest picture of the vehicle that is there, for a pass that ends unread."""
        self._offered: queue.Queue[_Offered] = queue.Queue(1)

    def watch(self, worked: Worked) -> None:
        """Offer a picture that was worked through, if it is worth keeping. Never waits."""
        unread = any(
            isinstance(effect, Revise) and effect.final and effect.unread is not None for effect in worked.effects
        )
        last = self._vehicles.get(worked.lane)
        if unread and last is not None:
            self._offer(last, "hard")
        elif not unread:
            self._offer(worked, kind_of(worked.sighting, worked.look.height))
        if len(worked.sighting.vehicles) or worked.sighting.plates:
            self._vehicles[worked.lane] = worked
        elif unread:
            self._vehicles.pop(worked.lane, None)

    def run(self, stop: threading.Event, alive: Callable[[], None]) -> None:
        """Write what is offered until `stop`; a worker of the supervisor."""
        kept: list[Kept] | None = None
        while not stop.is_set():
            alive()
            try:
                offered = self._offered.get(timeout=POLL_S)
            except queue.Empty:
                continue
            try:
                kept = self._keep(offered, self._read() if kept is None else kept)
                self._figures.well("own frames")
            except OSError as error:
                self._figures.count("own_frames_failed")
                where = error.filename or self._folder
                said = f"own frames: {where}: {error.strerror or error}; make room, or set own_frames.enabled to false"
                if self._figures.trouble("own frames", said):
                    LOG.warning("%s", said)

    def _offer(self, worked: Worked, kind: Kind) -> None:
        picture = worked.picture
        if self._offered.full() or not self._dated():
            return
        self._pacing, is_due = due(self._pacing, worked.lane, kind, picture.captured.mono_ns)
        if is_due:
            utc_ns = picture.captured.utc_ns + picture.lag_ns
            self._offered.put_nowait(_Offered(worked.lane, kind, picture.frame, utc_ns))

    def _keep(self, offered: _Offered, kept: list[Kept]) -> list[Kept]:
        """Write one frame, whole or not at all, after the old ones gave way."""
        for use in USES:
            (self._folder / use).mkdir(parents=True, exist_ok=True)
        free = free_bytes(self._folder)
        if free is not None and free < self._least_free:
            self._figures.count("own_frames_passed_over")
            return kept
        done, data = cv2.imencode(".jpg", offered.frame, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        if not done:
            return kept
        new = named(offered.utc_ns, offered.lane, offered.kind, len(data))
        today = datetime.fromtimestamp(self._clock.now().utc_ns // SECOND_NS, timezone.utc)
        first_day = f"{today - timedelta(days=self._settings.keep_days):%Y-%m-%d}"
        gone = set(give_way([*kept, new], self._settings.quota_bytes, first_day))
        for each in gone - {new}:
            (self._folder / each.use / each.name).unlink(missing_ok=True)
        if new not in gone:
            replace_file(self._folder / new.use / new.name, data.tobytes())
            self._figures.count("own_frames")
        return [each for each in (*kept, new) if each not in gone]

    def _read(self) -> list[Kept]:
        """Return what an earlier run kept; what it died in writing goes."""
        kept = []
        for use in USES:
            for path in (self._folder / use).glob("*.jpg"):
                each = recognised(path.name, path.stat().st_size)
                if each is not None and each.use == use:
                    kept.append(each)
            for rubbish in (self._folder / use).glob(".*.new"):
                rubbish.unlink(missing_ok=True)
        return kept
