"""Hand-over from the cameras to the models: one place a lane, always the newest picture; losses are counted."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Generic, TypeVar

from platefleet.protocol.ids import LaneId

T = TypeVar("T")


class Newest(Generic[T]):
    """One place for each lane. Any number of threads may put, one takes; lanes are served in turn."""

    def __init__(self, lanes: Sequence[LaneId]) -> None:
        self._lanes = list(lanes)
        self._items: dict[LaneId, T] = {}
        self._replaced = dict.fromkeys(lanes, 0)
        self._changed = threading.Condition()

    def put(self, lane: LaneId, item: T) -> None:
        """Place an item; one that was not taken yet is lost, and counted."""
        with self._changed:
            if lane in self._items:
                self._replaced[lane] += 1
            self._items[lane] = item
            self._changed.notify_all()

    def wait_free(self, lane: LaneId, timeout_s: float) -> bool:
        """Wait until a lane's last item was taken; False if that did not happen within `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: lane not in self._items, timeout_s)

    def take(self, timeout_s: float) -> tuple[LaneId, T] | None:
        """Return a lane and its newest item, the lane that waited longest first; None after `timeout_s`."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._items), timeout_s):
                return None
            lane = next(lane for lane in self._lanes if lane in self._items)
            self._lanes.remove(lane)
            self._lanes.append(lane)
            self._changed.notify_all()
            return lane, self._items.pop(lane)

    def replaced(self, lane: LaneId) -> int:
        """Return how many items of a lane nobody took."""
        with self._changed:
            return self._replaced[lane]
