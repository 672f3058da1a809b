"""What is on its way through a slow link: a bounded queue of chunks that ends when either of its ends does."""

from __future__ import annotations

import threading
from collections import deque

CHUNKS_MOST = 1024
"""At 4 KiB each 4 MiB, far above what fits into any delay."""


class Pipe:
    """Chunks and when each is due. One thread puts, one gets; either may end it, and nobody waits for ever then."""

    def __init__(self) -> None:
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._changed = threading.Condition()
        self._over = False

    def put(self, due: float, data: bytes) -> bool:
        """Send a chunk on its way, waiting for room; return False if it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or len(self._chunks) < CHUNKS_MOST)
            if not self._over:
                self._chunks.append((due, data))
                self._changed.notify()
            return not self._over

    def get(self) -> tuple[float, bytes] | None:
        """Return the oldest chunk, waiting for one; None when it is over and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or bool(self._chunks))
            if not self._chunks:
                return None
            self._changed.notify()
            return self._chunks.popleft()

    def end(self) -> None:
        """Let no more in; what is on its way still comes out."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
