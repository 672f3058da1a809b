"""What is held of the GPU: memory there, pinned memory of the host, and marks in its work. Freed by `free`.

Memory is asked for once, and grows when a larger frame comes.

Every object here belongs to the thread whose context is current when it is made, and is used and freed there. PyCUDA
frees what is forgotten whenever Python collects it, on whatever thread that is; so nothing is forgotten.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from platefleet.models.detections import Frame


class DeviceBuffer:
    """Bytes on the GPU, at `address` there."""

    def __init__(self, driver: ModuleType, count: int) -> None:
        """Ask for `count` bytes, not filled."""
        self._driver = driver
        self._held: Any = driver.mem_alloc(max(count, 1))
        self.address = int(self._held)
        self.count = count

    def clear(self) -> None:
        """Fill it with zeros, at once."""
        self._driver.memset_d8(self._held, 0, self.count)

    def free(self) -> None:
        """Give it back."""
        self._held.free()


class PinnedBuffer:
    """Bytes of the host that the GPU reads and writes by itself."""

    def __init__(self, driver: ModuleType, count: int) -> None:
        """Ask for `count` bytes, not filled."""
        self.bytes: NDArray[np.uint8] = driver.pagelocked_empty(max(count, 1), np.uint8)
        self._held: Any = self.bytes.base
        self._address = int(self.bytes.ctypes.data)
        self.count = count

    def holds(self, frame: Frame) -> bool:
        """Whether all of a contiguous `frame` lies in it."""
        start = frame.ctypes.data
        return self._address <= start and start + frame.nbytes <= self._address + self.count

    def free(self) -> None:
        """Give it back; arrays over it must not be used any more."""
        self.bytes = np.empty(0, np.uint8)
        self._held.free()


class Room:
    """One buffer that grows: what it held is lost when it does."""

    def __init__(self, make: Callable[[int], Any]) -> None:
        """make: returns a buffer of so many bytes."""
        self._make = make
        self._buffer: Any = None
        self.growths = 0

    def of(self, count: int) -> Any:
        """Return the buffer, of at least `count` bytes."""
        if self._buffer is None or self._buffer.count < count:
            self.free()
            self._buffer = self._make(count)
            self.growths += 1
        return self._buffer

    def free(self) -> None:
        """Give the buffer back; the next `of` asks for another."""
        if self._buffer is not None:
            buffer, self._buffer = self._buffer, None
            buffer.free()


class Copiers:
    """Threads that copy parts of a frame to pinned memory; they touch the host's memory alone."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="pinning")

    def copy(self, to: NDArray[np.uint8], frame: Frame, parts: Sequence[slice]) -> list[Future[None]]:
        """Begin to copy each part of `frame`; a result is there when its part is."""
        return [self._pool.submit(np.copyto, to[part], frame[part]) for part in parts]

    def free(self) -> None:
        """End the threads, after what they have begun."""
        self._pool.shutdown()


class Marks:
    """Points in a stream's work whose distances in time the GPU tells."""

    def __init__(self, driver: ModuleType, stream: Any, count: int) -> None:
        self._stream = stream
        self._events: list[Any] = [driver.Event() for _ in range(count)]

    def set(self, number: int) -> None:
        """Put a mark behind what was asked of the stream so far."""
        self._events[number].record(self._stream)

    def between(self) -> list[float]:
        """Return the milliseconds between each mark and the next; the stream has passed them all."""
        return [float(after.time_since(before)) for before, after in itertools.pairwise(self._events)]

    def free(self) -> None:
        """Give them back."""
        self._events.clear()
