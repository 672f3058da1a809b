"""Memory that grows, and threads that copy into it; what asks CUDA for it is tested in `tests/gpu`."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from platefleet.models.cuda.memory import Copiers, Room


class Buffer:
    """Counts what is held."""

    held = 0

    def __init__(self, count: int) -> None:
        self.count = count
        Buffer.held += 1

    def free(self) -> None:
        Buffer.held -= 1


def test_room_grows_to_the_largest_and_holds_one_buffer_at_a_time() -> None:
    Buffer.held = 0
    room = Room(Buffer)
    counts = [room.of(count).count for count in (10, 5, 10, 30, 20)]
    assert (counts, room.growths, Buffer.held) == ([10, 10, 10, 30, 30], 2, 1)
    room.free()
    room.free()
    assert Buffer.held == 0
    assert room.of(1).count == 1


@pytest.mark.parametrize("gaps", [False, True])
def test_a_frame_is_copied_in_parts_as_it_is(gaps: bool) -> None:
    whole = np.random.default_rng(1).integers(0, 256, (101, 90, 3), dtype=np.uint8)
    frame = whole[:, 10:70] if gaps else whole
    to = np.zeros(frame.shape, np.uint8)
    copiers = Copiers(4)
    parts = [slice(0, 25), slice(25, 50), slice(50, 101)]
    for part, copied in zip(parts, copiers.copy(to, frame, parts), strict=True):
        copied.result()
        np.testing.assert_array_equal(to[part], frame[part])
    copiers.free()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("pinning")]
