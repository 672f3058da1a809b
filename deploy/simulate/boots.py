"""Starts of a simulated machine: monotonic time begins anew, and wall time is wrong until somebody sets the clock."""

from __future__ import annotations

from dataclasses import dataclass

from platefleet.protocol.clock import Clock, Instant
from platefleet.protocol.clock_sync import ClockState


@dataclass(frozen=True)
class Boot:
    """One start.

    id: its boot id. began_ns: when it was, by the real machine's monotonic clock. utc_ns: what its wall clock said
    then, 0 without a battery. synced_ns: when its clock is set, by its own monotonic time; None: never.
    """

    id: str
    began_ns: int
    utc_ns: int = 0
    synced_ns: int | None = None


class BootClock:
    """The clocks of a machine that started so, kept by those of the real one."""

    def __init__(self, boot: Boot, real: Clock) -> None:
        self._boot, self._real = boot, real

    @property
    def boot(self) -> str:
        """The simulated boot."""
        return self._boot.id

    def now(self) -> Instant:
        """Return this moment by both of its clocks."""
        real = self._real.now()
        mono_ns = real.mono_ns - self._boot.began_ns
        return Instant(real.utc_ns if self._synced(mono_ns) else self._boot.utc_ns + mono_ns, mono_ns)

    def state(self, at: Instant) -> ClockState:
        """Return what the machine knows of its wall clock."""
        return "synced" if self._synced(at.mono_ns) else "unsynced"

    def _synced(self, mono_ns: int) -> bool:
        return self._boot.synced_ns is not None and mono_ns >= self._boot.synced_ns
