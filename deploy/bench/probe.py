"""How busy the machine was while something was measured: how late a thread woke that asked for five milliseconds."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from types import TracebackType

from platefleet.protocol.clock import MILLISECOND_NS

NAP_S = 0.005
LATE_NS = 5 * MILLISECOND_NS
"""A wake-up so late had to wait for other programs: a whole time slice of them."""


class Probe:
    """Naps on a thread of its own from entering to leaving. at_ns, late_ms: of every nap, CLOCK_BOOTTIME."""

    def __init__(self) -> None:
        self.at_ns: list[int] = []
        self.late_ms: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)

    def __enter__(self) -> Probe:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(1.0)

    def quiet(self, from_ns: int, until_ns: int) -> bool:
        """Whether every nap that ended in this time, or in the 50 ms around it, ended in time."""
        first = bisect_left(self.at_ns, from_ns - 50 * MILLISECOND_NS)
        last = bisect_left(self.at_ns, until_ns + 50 * MILLISECOND_NS)
        return all(late < LATE_NS / MILLISECOND_NS for late in self.late_ms[first:last])

    def _run(self) -> None:
        while not self._stop.is_set():
            began_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            time.sleep(NAP_S)
            now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            self.at_ns.append(now_ns)
            self.late_ms.append((now_ns - began_ns) / MILLISECOND_NS - NAP_S * 1000)
