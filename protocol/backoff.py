"""Full-jitter backoff (source: AWS Architecture Blog, "Exponential Backoff And Jitter", 2015)."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Pauses that grow: the n-th is uniform in 0 … min(most_s, base_s · 2ⁿ), so that a fleet does not return at once.

    base_s, most_s: seconds, above 0. uniform: random.uniform or one of a test's own.
    """

    def __init__(self, base_s: float, most_s: float, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._base_s = base_s
        self._most_s = most_s
        self._uniform = uniform
        self._tries = 0

    def next_s(self) -> float:
        """Return the pause before the next try, in seconds."""
        ceiling_s = min(self._most_s, self._base_s * 2.0 ** min(self._tries, 64))
        self._tries += 1
        return self._uniform(0.0, ceiling_s)

    def reset(self) -> None:
        """Begin again with short pauses: the last try succeeded."""
        self._tries = 0
