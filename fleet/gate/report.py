"""What a gate says of itself: `up/info` and `up/health`."""

from __future__ import annotations

import os
import platform
import threading
from collections import deque
from collections.abc import Iterable, Mapping

import psutil

from platefleet import __version__
from platefleet.protocol.delivery.stats import UplinkStats
from platefleet.protocol.messages import Hardware, Health, Info, Stamp
from platefleet.protocol.session import SessionHealth

TOOK_KEPT = 512
"""Decisions that the percentiles are of."""
PROBLEMS_MOST = 32
COUNTERS_MOST = 256


class Took:
    """How long decisions took, the newest of them, in milliseconds."""

    def __init__(self) -> None:
        self._took_ms: deque[float] = deque(maxlen=TOOK_KEPT)
        self._lock = threading.Lock()

    def add(self, took_ms: float) -> None:
        """Take one more."""
        with self._lock:
            self._took_ms.append(took_ms)

    def percentiles(self) -> tuple[float, float, float] | None:
        """Return p50, p90 and p99, None before the first."""
        with self._lock:
            ordered = sorted(self._took_ms)
        if not ordered:
            return None
        last = len(ordered) - 1
        return ordered[last // 2], ordered[last * 9 // 10], ordered[last * 99 // 100]


def info(gate: str, started: Stamp) -> Info:
    """Return what this gate is. It takes no commands, so it has no install id."""
    return Info(
        device=gate,
        kind="gate",
        software=f"platefleet {__version__}",
        started=started,
        install="",
        hardware=Hardware(
            model=platform.node()[:64],
            cpu=platform.machine()[:64],
            cores=os.cpu_count() or 1,
            memory_bytes=psutil.virtual_memory().total,
        ),
    )


def health(
    at: Stamp,
    uptime_ms: int,
    *,
    took: Mapping[str, Took],
    counts: Mapping[str, int],
    problems: Iterable[str],
    session: SessionHealth,
    uplink: UplinkStats,
) -> Health:
    """Return how this gate is doing; what its uplink and its session count stands beside its own counts."""
    percentiles = {name: each.percentiles() for name, each in took.items()}
    connection = {
        f"session_{name}": getattr(session, name) for name in ("dropped", "failed", "refused", "restored", "faults")
    }
    counters = {**{f"uplink_{name}": count for name, count in uplink.counters().items()}, **connection, **counts}
    return Health(
        at=at,
        uptime_ms=uptime_ms,
        latency_ms={name: value for name, value in percentiles.items() if value is not None},
        memory_bytes=psutil.Process().memory_info().rss,
        outbox_depth=uplink.waiting,
        outbox_bytes=uplink.waiting_bytes,
        counters=dict(sorted(counters.items())[:COUNTERS_MOST]),
        problems=tuple(problem[:512] for problem in problems if problem)[:PROBLEMS_MOST],
    )
