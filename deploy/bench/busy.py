"""How many processors other programs took while something was measured: on a shared machine a ratio needs that."""

from __future__ import annotations

import time
from contextlib import suppress

import psutil


class Busy:
    """Begins to watch when it is made; `others` says what came of it. Ours are this process and all under it."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._machine_s, self._ours_s = _machine_s(), _ours_s()

    def others(self) -> float:
        """Return how many processors were busy with other programs in the mean; ours that ended count as theirs."""
        spent_s = max(time.monotonic() - self._began_s, 1e-3)
        busy_s = _machine_s() - self._machine_s - (_ours_s() - self._ours_s)
        return round(max(0.0, busy_s / spent_s), 2)


def _machine_s() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def _ours_s() -> float:
    me = psutil.Process()
    total_s = 0.0
    for process in (me, *me.children(recursive=True)):
        with suppress(psutil.Error):  # it ended just now
            times = process.cpu_times()
            total_s += times.user + times.system
    return total_s
