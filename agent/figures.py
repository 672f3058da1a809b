"""Counters and milliseconds that any part of the agent may add to and health reads."""

from __future__ import annotations

import threading
from collections import Counter, deque

REMEMBERED = 512
"""Samples of a stage: about half a minute at 15 frames per second."""
MOST_STAGES = 32


class Figures:
    """Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._samples: dict[str, deque[float]] = {}
        self._trouble: dict[str, str] = {}

    def count(self, name: str, by: int = 1) -> int:
        """Add to a counter; return what it is now."""
        with self._lock:
            self._counts[name] += by
            return self._counts[name]

    def took(self, stage: str, ms: float) -> None:
        """Add one measurement of a stage."""
        with self._lock:
            if stage in self._samples or len(self._samples) < MOST_STAGES:
                self._samples.setdefault(stage, deque(maxlen=REMEMBERED)).append(ms)

    def trouble(self, what: str, sentence: str) -> bool:
        """Note a problem that lasts until `well`; whether it is a new one."""
        with self._lock:
            new = self._trouble.get(what) != sentence
            self._trouble[what] = sentence
            return new

    def well(self, what: str) -> None:
        """Note that a problem is over."""
        with self._lock:
            self._trouble.pop(what, None)

    def counts(self) -> dict[str, int]:
        """Return every counter."""
        with self._lock:
            return dict(self._counts)

    def troubles(self) -> list[str]:
        """Return the sentence of every problem that lasts."""
        with self._lock:
            return list(self._trouble.values())

    def latencies(self) -> dict[str, tuple[float, float, float]]:
        """Return p50, p90 and p99 of each stage's newest samples, in milliseconds."""
        with self._lock:
            samples = {stage: sorted(values) for stage, values in self._samples.items()}
        return {
            stage: (percentile(values, 50), percentile(values, 90), percentile(values, 99))
            for stage, values in samples.items()
        }


def percentile(ordered: list[float], percent: int) -> float:
    """Return the nearest-rank percentile of ordered numbers, at least one.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 50), percentile([1.0, 2.0, 3.0, 4.0], 99)
    (2.0, 4.0)
    """
    rank = -(-len(ordered) * percent // 100)
    return round(ordered[max(1, rank) - 1], 3)
