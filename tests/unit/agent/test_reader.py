"""What a reader makes of a stream's frames: bursts are passed over, wrong timestamps are not waited for."""

from __future__ import annotations

import pytest

from platefleet.agent.cameras.decoder import Shown
from platefleet.agent.cameras.port import Over, Picture
from platefleet.agent.cameras.reader import UNTIMED, CameraReader, Patience
from platefleet.agent.cameras.record import CameraRecord
from platefleet.agent.newest import Newest
from tests.camera_servers import noise
from tests.turned_clock import TurnedClock

S = 1_000_000_000


@pytest.mark.parametrize("rate", [0.0, 2.5, 100.0])
def test_a_stream_whose_timestamps_are_wrong_is_shown_by_its_arrivals_once_a_burst_would_be_over(rate: float) -> None:
    clock, record = TurnedClock(), CameraRecord("a")
    newest: Newest[Picture | Over] = Newest(["a"])
    reader = CameraReader(dict, newest, record, clock, patience=Patience(open_s=2.0))
    frame, shown_after_s = noise(1), []
    for n in range(40):
        assert reader._show(Shown(frame, round(n * S // 10 * rate), 0), clock.now()) is None
        taken = newest.take(0)
        if taken is not None and isinstance(taken[1], Picture):
            shown_after_s.append(n / 10)
            assert taken[1].captured == clock.now()
        clock.turn(0.1)
    assert shown_after_s == [n / 10 for n in range(21, 40)]
    health = record.health(clock.now().mono_ns)
    assert (health.state, health.why) == ("running", UNTIMED)


def test_a_burst_that_ends_in_time_leaves_a_camera_without_anything_to_say_of_it() -> None:
    clock, record = TurnedClock(), CameraRecord("a")
    reader = CameraReader(dict, Newest(["a"]), record, clock, patience=Patience(open_s=2.0))
    for n in range(50):  # the first second of frames comes at once
        reader._show(Shown(noise(1), n * S // 10, 0), clock.now())
        clock.turn(0.001 if n < 10 else 0.1)
    health = record.health(clock.now().mono_ns)
    assert (health.state, health.why, health.frames) == ("running", "", 39)
