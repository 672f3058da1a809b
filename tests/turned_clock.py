"""A clock that a test turns itself."""

from __future__ import annotations

from platefleet.protocol.clock import SECOND_NS, Instant


class TurnedClock:
    """Stands still until `turn`ed."""

    def __init__(self) -> None:
        self._now = Instant(1_795_000_000 * SECOND_NS, 100 * SECOND_NS)

    def now(self) -> Instant:
        return self._now

    def turn(self, seconds: float) -> None:
        step_ns = round(seconds * SECOND_NS)
        self._now = Instant(self._now.utc_ns + step_ns, self._now.mono_ns + step_ns)
