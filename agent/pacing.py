"""From a file's time to ours, where a file is worked through faster or slower than it was filmed.

Passes are judged by the file's time (a car that stands ten seconds stands ten seconds); what is told of them carries
the time at which we saw it, or everything would be too old to act on, or from the future.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque

from platefleet.agent.cameras.port import Picture
from platefleet.protocol.clock import Instant

REMEMBERED = 8192
"""Pictures of a lane: a pass that lasts longer, 13 minutes at 10 frames per second, begins where memory does."""


class Pacing:
    """Remembers when each picture of one lane was looked at. Live pictures need nothing: their time is ours."""

    def __init__(self) -> None:
        self._captured: deque[int] = deque(maxlen=REMEMBERED)
        self._lags: deque[int] = deque(maxlen=REMEMBERED)

    def note(self, picture: Picture) -> None:
        """Remember a picture; times rise, and one that does not begins anew."""
        if picture.lag_ns == 0 and not self._captured:
            return
        if self._captured and picture.captured.mono_ns <= self._captured[-1]:
            self._captured.clear()
            self._lags.clear()
        self._captured.append(picture.captured.mono_ns)
        self._lags.append(picture.lag_ns)

    def ours(self, instant: Instant) -> Instant:
        """Return a moment of the file as our clocks had it: as the newest picture not after it was seen."""
        if not self._captured:
            return instant
        lag_ns = self._lags[max(0, bisect_right(self._captured, instant.mono_ns) - 1)]
        return Instant(max(0, instant.utc_ns + lag_ns), max(0, instant.mono_ns + lag_ns))
