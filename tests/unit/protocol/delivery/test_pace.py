"""How many messages may be in flight."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from platefleet.protocol.clock import MILLISECOND_NS
from platefleet.protocol.delivery.pace import SMALL_BYTES, Pace, acknowledged, answered


def after(*took_ms: int, most: int = 12) -> Pace:
    pace = Pace(most)
    for ms in took_ms:
        pace = acknowledged(pace, ms * MILLISECOND_NS)
    return pace


def test_fast_answers_open_the_window_by_one_each() -> None:
    assert after(10, 12, 150).window == 4


def test_an_answer_slower_than_the_least_by_300_ms_halves_it() -> None:
    assert after(10, 10, 10, 10, 10, 311).window == 3


def test_between_the_two_limits_nothing_changes() -> None:
    assert after(10, 10, 10, 260).window == 4


def test_a_slow_link_is_measured_by_its_own_least() -> None:
    assert after(2000, 2100, 2050).window == 4


@given(st.lists(st.integers(0, 100_000), max_size=50))
def test_the_window_never_closes_and_never_exceeds_its_most(took_ms: list[int]) -> None:
    assert 1 <= after(*took_ms).window <= 12


def test_messages_grow_when_the_window_cannot_any_more_and_shrink_as_the_window_does() -> None:
    assert after(*[10] * 12, most=12).batch_bytes == 2 * SMALL_BYTES
    assert after(*[10] * 20, most=12).batch_bytes == 4 * SMALL_BYTES
    assert after(*[10] * 20, 400, most=12).batch_bytes == 2 * SMALL_BYTES
    assert after(*[10] * 20, *[400] * 9, most=12) == Pace(12, 1, 10 * MILLISECOND_NS)


def test_the_answer_to_something_small_tells_how_long_the_way_is() -> None:
    asked = answered(Pace(12), 100 * MILLISECOND_NS)
    assert acknowledged(asked, 299 * MILLISECOND_NS).window == 2
    assert acknowledged(asked, 300 * MILLISECOND_NS).window == 1
