"""What one camera has been through, for health: written by its reader, read by others."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from platefleet.agent.cameras.appearance import Appearance, appear
from platefleet.agent.cameras.port import Picture
from platefleet.protocol.ids import LaneId
from platefleet.protocol.messages import CameraHealth

LOG = logging.getLogger(__name__)
State = Literal["opening", "running", "stalled", "failed", "ended"]
RATE_NS = 10_000_000_000
"""Frames per second are counted over this long."""
MOST_SENTENCE = 500


@dataclass
class CameraRecord:
    """The counters and the newest state of a lane's camera. Safe to use from any thread."""

    lane: LaneId
    state: State = "opening"
    why: str = ""
    frames: int = 0
    passed_over: int = 0
    reopened: int = 0
    bad_frames: int = 0
    resized: int = 0
    size: tuple[int, int] | None = None
    claimed_fps: float = 0.0
    appearance: Appearance = field(default_factory=Appearance)
    _arrivals: deque[int] = field(default_factory=lambda: deque(maxlen=2048))
    _told: tuple[State, str] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def opening(self) -> None:
        """Begin to open it; why it had to be opened again stays visible until it runs."""
        with self._lock:
            self.state = "opening"

    def opened(self, fps: float) -> None:
        """Note what the stream claims."""
        with self._lock:
            self.claimed_fps = fps

    def shown(self, picture: Picture, passed_over: int, why: str = "") -> bool:
        """Count a picture and what was passed over before it; whether its size differs from the last one's.

        why: what a person should know of a camera that runs all the same.
        """
        height, width = picture.frame.shape[:2]
        with self._lock:
            changed = self.size is not None and self.size != (width, height)
            if self.state != "running":
                LOG.info("%s: camera runs, %dx%d pixels", self.lane, width, height)
                if why:
                    LOG.warning("%s: %s", self.lane, why)
            elif changed and self.size is not None:
                LOG.info("%s: pictures changed from %dx%d to %dx%d pixels", self.lane, *self.size, width, height)
            self.state, self.why, self._told, self.size = "running", why, None, (width, height)
            self.resized += changed
            self.frames += 1
            self.passed_over += passed_over
            self._arrivals.append(picture.arrived_mono_ns)
            self.appearance = appear(self.appearance, picture.frame, picture.arrived_mono_ns)
            return changed

    def passed(self, count: int) -> None:
        """Count frames that are not shown."""
        with self._lock:
            self.passed_over += count

    def missed(self, why: str) -> None:
        """Count something that should have been a frame."""
        with self._lock:
            self.bad_frames += 1
            if self.bad_frames == 1:
                LOG.warning("%s: %s; counted from now on", self.lane, why)

    def lost(self, state: State, why: str, *, reopens: bool) -> None:
        """Note that the pictures stopped and why; the same reason is logged once until it runs again."""
        with self._lock:
            self.state, self.why = state, why[:MOST_SENTENCE]
            self.reopened += reopens
            if self._told != (state, why):
                LOG.log(
                    logging.INFO if state == "ended" else logging.WARNING, "%s: camera %s: %s", self.lane, state, why
                )
            self._told = (state, why)

    def health(self, now_mono_ns: int, replaced: int = 0) -> CameraHealth:
        """Return what health tells. replaced: pictures that were shown and nobody took."""
        with self._lock:
            recent = [at for at in self._arrivals if now_mono_ns - at <= RATE_NS]
            span_ns = max(now_mono_ns - recent[0], 1) if len(recent) > 1 else 0
            last = self._arrivals[-1] if self._arrivals else None
            running = self.state == "running"
            return CameraHealth(
                lane=self.lane,
                state=self.state,
                why=self.why,
                fps=round((len(recent) - 1) * 1e9 / span_ns, 2) if span_ns else 0.0,
                frames=self.frames,
                dropped=self.passed_over + replaced,
                reopened=self.reopened,
                black=running and self.appearance.black,
                frozen=running and self.appearance.frozen,
                last_frame_ms=None if last is None else max(0, (now_mono_ns - last) // 1_000_000),
            )
