"""Memory that a decoder's process and ours share: a few slots, each holding one frame.

Anonymous (memfd), so that nothing is left behind however either process ends; pages count only once they are written.
Slots change hands by messages: the child writes only what it owns, so no frame is ever seen half written.
"""

from __future__ import annotations

import mmap
import os

import numpy as np

from platefleet.agent.cameras.port import MOST_PIXELS
from platefleet.models.detections import Frame

SLOTS = 3
"""One being written, one waiting, one being copied out."""
SLOT_BYTES = MOST_PIXELS * 3


class Ring:
    """The shared slots, mapped into one of the two processes."""

    def __init__(self, descriptor: int) -> None:
        """Map the memory behind `descriptor`, which stays the caller's to close."""
        self._map = mmap.mmap(descriptor, SLOTS * SLOT_BYTES)

    def write(self, slot: int, frame: Frame) -> None:
        """Copy a frame of at most `MOST_PIXELS` into a slot that this side owns."""
        self._view(slot, frame.shape[0], frame.shape[1])[...] = frame

    def read(self, slot: int, height: int, width: int) -> Frame:
        """Return a copy of the frame in a slot."""
        frame: Frame = self._view(slot, height, width).copy()
        return frame

    def close(self) -> None:
        """Unmap; what was read stays valid."""
        self._map.close()

    def _view(self, slot: int, height: int, width: int) -> Frame:
        count = height * width * 3
        if not (0 <= slot < SLOTS and height > 0 and width > 0 and count <= SLOT_BYTES):
            raise ValueError(f"slot {slot} of {SLOTS} cannot hold {width}x{height} pixels")
        view: Frame = np.ndarray((height, width, 3), np.uint8, self._map, slot * SLOT_BYTES)
        return view


def make_memory() -> int:
    """Return a descriptor of memory for one ring."""
    descriptor = os.memfd_create("platefleet-frames")
    os.ftruncate(descriptor, SLOTS * SLOT_BYTES)
    return descriptor
