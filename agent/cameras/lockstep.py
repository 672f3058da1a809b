"""A file or folder in lock-step: every frame is worked through, none dropped, in this process. For demos and tests."""

from __future__ import annotations

import threading
from collections.abc import Callable

from platefleet.agent.cameras.kinds import Options, open_source
from platefleet.agent.cameras.port import Over, Picture, Raw, Skipped
from platefleet.agent.cameras.reader import POLL_S, Pictures
from platefleet.agent.cameras.record import CameraRecord
from platefleet.protocol.clock import Clock, Instant
from platefleet.protocol.errors import CameraError


class EveryFrameReader:
    """Reads one lane's file; waits for each picture to be taken before it shows the next. `run` in a thread."""

    def __init__(self, options: Callable[[], Options], newest: Pictures, record: CameraRecord, clock: Clock) -> None:
        self._options, self._newest, self._record, self._clock = options, newest, record, clock

    def run(self, stop: threading.Event, alive: Callable[[], None]) -> None:
        """Show every frame, then that the file is over."""
        self._record.opening()
        try:
            ended = self._play(stop, alive)
        except CameraError as error:
            self._record.lost("failed", str(error), reopens=False)
            ended = Over(str(error))
        if ended is not None and self._wait(stop, alive):
            self._newest.put(self._record.lane, ended)

    def _play(self, stop: threading.Event, alive: Callable[[], None]) -> Over | None:
        source = open_source(self._options())
        try:
            self._record.opened(source.fps)
            began: tuple[Instant, int] | None = None
            number = 0
            while self._wait(stop, alive):
                raw = source.read()
                number += 1
                if isinstance(raw, Skipped):
                    self._record.missed(raw.why)
                elif raw is None:
                    why = "the last picture was shown"
                    self._record.lost("ended", why, reopens=False)
                    return Over(why)
                else:
                    now = self._clock.now()
                    began = began or (now, raw.position_ns or 0)
                    picture = _picture(raw, began, now, number)
                    self._record.shown(picture, 0)
                    self._newest.put(self._record.lane, picture)
            return None
        finally:
            source.close()

    def _wait(self, stop: threading.Event, alive: Callable[[], None]) -> bool:
        """Wait until the last picture was taken; False: stopped."""
        while not stop.is_set():
            alive()
            if self._newest.wait_free(self._record.lane, POLL_S):
                return True
        return False


def _picture(raw: Raw, began: tuple[Instant, int], now: Instant, number: int) -> Picture:
    """Return a picture timed by the file's own clock, which begins when its first frame is read."""
    start, first_ns = began
    since_ns = max(0, (raw.position_ns or 0) - first_ns)
    captured = Instant(start.utc_ns + since_ns, start.mono_ns + since_ns)
    return Picture(raw.frame, captured, now.mono_ns, number, now.mono_ns - captured.mono_ns)
