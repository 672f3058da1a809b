"""A clock that a test turns itself."""

from __future__ import annotations

from platefleet.protocol.clock import SECOND_NS, Instant

BOOT = "00000000-0000-4000-8000-000000000001"


class TurnedClock:
    """Stands still until `turn`ed."""

    def __init__(self) -> None:
        self._now = Instant(1_795_000_000 * SECOND_NS, 100 * SECOND_NS)

    @property
    def boot(self) -> str:
        return BOOT

    def now(self) -> Instant:
        return self._now

    def turn(self, seconds: float) -> None:
        step_ns = round(seconds * SECOND_NS)
        self._now = Instant(self._now.utc_ns + step_ns, self._now.mono_ns + step_ns)
