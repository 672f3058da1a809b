"""Keeps one camera open: starts its decoder, watches it, kills it when it hangs, starts it again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from platefleet.agent.cameras.decoder import Decoder, Ended, Failed, Missed, Opened, Shown
from platefleet.agent.cameras.kinds import Options
from platefleet.agent.cameras.port import Over, Picture
from platefleet.agent.cameras.record import CameraRecord, State
from platefleet.agent.cameras.timestamps import StreamTime, caught_up, place
from platefleet.agent.newest import Newest
from platefleet.protocol.backoff import Backoff
from platefleet.protocol.clock import Clock, Instant
from platefleet.protocol.errors import CameraError

POLL_S = 0.25
"""How soon a reader notices that it is to stop."""
STEADY_NS = 10_000_000_000
"""A camera that ran this long begins with short pauses again; one that dies at once does not."""
BEHIND_NS = 5_000_000_000
"""A stream this far behind for this long is opened anew: a fresh connection begins with the newest picture."""

UNTIMED = "its timestamps stand still or run too fast; arrivals count as capture times"
"""What is said of a stream that never caught up by its own times (`timestamps.caught_up`)."""

FILES = frozenset({"file", "folder"})
"""Kinds whose frames come from the disk: they have an end, and the first is as good as any."""

Pictures = Newest[Picture | Over]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a camera to open, and for its next frame."""

    open_s: float = 15.0
    stall_s: float = 5.0


@dataclass(frozen=True, slots=True)
class _Lost:
    """Why a decoder's life ended, and whether another follows."""

    state: State
    why: str
    reopens: bool = True


class CameraReader:
    """Reads one lane's camera into its place in `newest`. `run` in a thread of its own."""

    def __init__(
        self,
        options: Callable[[], Options],
        newest: Pictures,
        record: CameraRecord,
        clock: Clock,
        *,
        patience: Patience | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """options: asked at each opening, so that a changed password counts; may raise CameraError."""
        self._options, self._newest, self._record, self._clock = options, newest, record, clock
        self._patience = patience or Patience()
        self._backoff = backoff or Backoff(0.5, 30.0)
        self._number = 0
        self._stream: StreamTime | None = None
        self._settled, self._untimed = False, False
        self._first_ns: int | None = None
        self._behind_since_ns: int | None = None

    def run(self, stop: threading.Event, alive: Callable[[], None]) -> None:
        """Read until `stop`, or until a file is over; `alive` is called several times a second."""
        while not stop.is_set():
            alive()
            self._record.opening()
            began_ns = self._clock.now().mono_ns
            lost = self._one_life(stop, alive)
            if lost is None:
                return
            self._record.lost(lost.state, lost.why, reopens=lost.reopens)
            if not lost.reopens:
                self._tell(Over(lost.why), stop, alive)
                return
            if self._clock.now().mono_ns - began_ns > STEADY_NS:
                self._backoff.reset()
            self._pause(self._backoff.next_s(), stop, alive)

    def _one_life(self, stop: threading.Event, alive: Callable[[], None]) -> _Lost | None:
        """Run one decoder until it ends, hangs or fails; None: stopped."""
        self._stream, self._behind_since_ns, self._first_ns = None, None, None
        self._settled, self._untimed = False, False
        try:
            options = self._options()
            decoder = Decoder(options)
        except CameraError as error:
            return _Lost("failed", str(error))
        self._settled = options["kind"] in FILES
        try:
            return self._watch(decoder, str(options["kind"]), stop, alive)
        finally:
            decoder.close()

    def _watch(self, decoder: Decoder, kind: str, stop: threading.Event, alive: Callable[[], None]) -> _Lost | None:
        heard_ns, limit_s, waiting_for = self._clock.now().mono_ns, self._patience.open_s, "it does not open"
        while not stop.is_set():
            alive()
            heard = decoder.hear(POLL_S)
            now = self._clock.now()
            lost: _Lost | None = None
            match heard:
                case None:
                    if now.mono_ns - heard_ns > limit_s * 1e9:
                        why = f"{waiting_for} within {limit_s:g} s; its decoder was ended and is started again"
                        return _Lost("stalled", why)
                    continue
                case Opened(fps):
                    self._record.opened(fps)
                case Shown():
                    lost = self._show(heard, now)
                case Missed(why):
                    self._record.missed(why)
                case Failed(why):
                    lost = _Lost("failed", why)
                case Ended(why):
                    lost = _ended(kind, why)
            if lost is not None:
                return lost
            heard_ns, limit_s, waiting_for = now.mono_ns, self._patience.stall_s, "no frame came"
        return None

    def _show(self, shown: Shown, now: Instant) -> _Lost | None:
        """Place a frame with its time; lost if the stream stays too far behind.

        No burst lasts longer than a camera may take to open: after that it is the timestamps that are wrong.
        """
        self._number += 1 + shown.passed_over
        self._first_ns = now.mono_ns if self._first_ns is None else self._first_ns
        self._settled = self._settled or caught_up(self._stream, shown.position_ns, now.mono_ns)
        if not self._settled and now.mono_ns - self._first_ns > self._patience.open_s * 1e9:
            self._settled = self._untimed = True
        position_ns = None if self._untimed else shown.position_ns
        self._stream, taken_ns = place(self._stream, position_ns, now.mono_ns)
        if not self._settled:
            self._record.passed(1 + shown.passed_over)
            return None
        behind_ns = now.mono_ns - taken_ns
        captured = Instant(max(0, now.utc_ns - behind_ns), max(0, taken_ns))
        picture = Picture(shown.frame, captured, now.mono_ns, self._number)
        self._record.shown(picture, shown.passed_over, UNTIMED if self._untimed else "")
        self._newest.put(self._record.lane, picture)
        if behind_ns <= BEHIND_NS:
            self._behind_since_ns = None
        elif self._behind_since_ns is None:
            self._behind_since_ns = now.mono_ns
        elif now.mono_ns - self._behind_since_ns > BEHIND_NS:
            return _Lost("stalled", f"its pictures are {behind_ns / 1e9:.0f} s old; the stream is opened again")
        return None

    def _tell(self, news: Over, stop: threading.Event, alive: Callable[[], None]) -> None:
        """Place news behind the last picture."""
        while not stop.is_set() and not self._newest.wait_free(self._record.lane, POLL_S):
            alive()
        if not stop.is_set():
            self._newest.put(self._record.lane, news)

    @staticmethod
    def _pause(pause_s: float, stop: threading.Event, alive: Callable[[], None]) -> None:
        while pause_s > 0 and not stop.wait(min(pause_s, POLL_S)):
            alive()
            pause_s -= POLL_S


def _ended(kind: str, why: str) -> _Lost:
    """Return what the end of a stream means: a file is over, a camera never is."""
    if kind in FILES:
        return _Lost("ended", why or "the last picture was shown", reopens=False)
    return _Lost("failed", f"the stream broke off{f' ({why})' if why else ''}; it is opened again")
