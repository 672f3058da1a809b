"""How many signatures are looked at: checking one costs, and whoever owns the broker can send any number.

>>> bucket = Bucket(burst=2, per_s=1.0)
>>> [bucket.take(0), bucket.take(0), bucket.take(0), bucket.take(10**9)]
[True, True, False, True]
"""

from __future__ import annotations

BURST = 200
PER_S = 20.0


class Bucket:
    """A token bucket by monotonic time. For one thread."""

    def __init__(self, *, burst: int = BURST, per_s: float = PER_S) -> None:
        self._most, self._per_ns = float(burst), per_s / 1e9
        self._tokens, self._at_ns = float(burst), 0

    def take(self, now_ns: int) -> bool:
        """Take one; whether there was one."""
        self._tokens = min(self._most, self._tokens + max(0, now_ns - self._at_ns) * self._per_ns)
        self._at_ns = now_ns
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
