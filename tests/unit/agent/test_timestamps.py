"""Capture times from the stream's own: a burst after a stall is old, and nothing is ever from the future."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from platefleet.agent.cameras.timestamps import DRIFT_PER_MILLION, StreamTime, caught_up, place

MS = 1_000_000
S = 1_000 * MS


def taken(frames: list[tuple[int | None, int]]) -> list[int]:
    """Capture times of (position, arrival) pairs."""
    known: StreamTime | None = None
    times = []
    for position, arrived in frames:
        known, at = place(known, position, arrived)
        times.append(at)
    return times


def test_frames_of_a_steady_stream_are_as_far_apart_as_the_camera_says() -> None:
    steady = [(n * 40 * MS, 7 * S + n * 40 * MS) for n in range(100)]
    assert taken(steady) == [arrived for _, arrived in steady]


def test_a_frame_that_took_longer_is_that_much_older() -> None:
    assert taken([(0, 0), (40 * MS, 140 * MS)])[1] == 40 * MS + 100 * MS * DRIFT_PER_MILLION // 1_000_000 + 8_000


def test_a_burst_after_a_stall_is_old_not_new() -> None:
    live = [(n * 40 * MS, n * 40 * MS) for n in range(50)]
    stalled = [(n * 40 * MS, 8 * S) for n in range(50, 150)]  # 6 s of frames come at once
    times = taken(live + stalled)[50:]
    ages_s = [(8 * S - at) / S for at in times]
    assert ages_s[0] > 5.9
    assert 1.9 < ages_s[-1] < 2.1
    assert times == sorted(times)


def test_a_clock_that_runs_slower_than_ours_within_a_crystals_tolerance_never_makes_a_frame_old() -> None:
    day = [(round(n * S * (1 - 100e-6)), n * S) for n in range(86_400)]
    assert max(arrived - at for (_, arrived), at in zip(day, taken(day), strict=True)) < MS


def test_a_stream_without_timestamps_counts_from_its_arrival() -> None:
    assert taken([(None, 5), (None, 9)]) == [5, 9]


def test_a_timestamp_that_falls_or_stands_begins_anew() -> None:
    assert taken([(10 * S, 100 * S), (0, 101 * S), (40 * MS, 101 * S + 40 * MS)]) == [
        100 * S,
        101 * S,
        101 * S + 40 * MS,
    ]
    assert taken([(0, 100), (0, 200), (0, 300)]) == [100, 200, 300]


@given(st.lists(st.tuples(st.none() | st.integers(0, 10**12), st.integers(0, 10**9)), max_size=50))
def test_no_frame_was_ever_taken_after_it_arrived(steps: list[tuple[int | None, int]]) -> None:
    arrived, frames = 0, []
    for position, later in steps:
        arrived += later
        frames.append((position, arrived))
    assert all(at <= when for at, (_, when) in zip(taken(frames), frames, strict=True))


def test_a_stream_has_caught_up_when_its_frames_come_as_slowly_as_they_were_taken() -> None:
    burst = [(n * 40 * MS, 5 * S + n * MS) for n in range(20)]
    live = [(n * 40 * MS, 5 * S + 20 * MS + (n - 20) * 40 * MS + 30 * MS) for n in range(20, 25)]
    known: StreamTime | None = None
    shown = []
    for position, arrived in burst + live:
        shown.append(caught_up(known, position, arrived))
        known, _ = place(known, position, arrived)
    assert shown == [False] * 20 + [True] * 5
    assert caught_up(None, None, 7)  # no times, nothing to wait for
