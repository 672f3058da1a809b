"""An age is never less than the truth, whatever the link, the clocks and the device do."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from platefleet.protocol.age import BEAT_LIMIT_MS, BEATS_MOST, GATES, Beats, HeardBeats
from platefleet.protocol.clock import MILLISECOND_NS, SECOND_NS
from platefleet.protocol.messages import Beat, Heard, LivePlate
from tests.wire_vectors import vectors

GATE = "gate-1"
BEATS_SENT = 12
OFFSETS = st.integers(0, 10**15)
DELAYS = st.integers(0, 30 * SECOND_NS)


@dataclass(frozen=True)
class Link:
    """Two machines whose clocks began anywhere. Beat n leaves at second n, takes down_ns[n - 1]; events take up_ns."""

    gate_clock_ns: int
    device_clock_ns: int
    down_ns: list[int]
    up_ns: int


LINKS = st.builds(Link, OFFSETS, OFFSETS, st.lists(DELAYS, min_size=1, max_size=BEATS_SENT), DELAYS)
GOOD = st.integers(0, 50 * MILLISECOND_NS)
GOOD_LINKS = st.builds(Link, OFFSETS, OFFSETS, st.lists(GOOD, min_size=4, max_size=4), GOOD)


def tell(link: Link, seen_ns: int, said_ns: int) -> tuple[int | None, int]:
    """Return the age of an event that was said at `said_ns`, and how long the newest beat heard was on its way."""
    gate, device = Beats(), HeardBeats()
    arrivals = []
    for n, delay_ns in enumerate(link.down_ns, start=1):
        gate.sent(n, link.gate_clock_ns + n * SECOND_NS)
        arrivals.append((n * SECOND_NS + delay_ns, n))
    way_ns = 0
    for at_ns, n in sorted(arrivals):
        if at_ns <= said_ns:
            device.heard(Beat(gate=GATE, n=n), link.device_clock_ns + at_ns)
            way_ns = link.down_ns[n - 1]
    age_ms = -((seen_ns - said_ns) // MILLISECOND_NS)
    live = LivePlate(age_ms=age_ms, heard=device.report(link.device_clock_ns + said_ns), record=b"x")
    return gate.age_ms(live, GATE, link.gate_clock_ns + said_ns + link.up_ns), way_ns


@given(LINKS, st.integers(0, 20 * SECOND_NS), st.integers(0, 20 * SECOND_NS))
def test_an_age_is_an_upper_bound_and_no_worse_than_both_ways(link: Link, seen_ns: int, since_ns: int) -> None:
    age_ms, way_ns = tell(link, seen_ns, seen_ns + since_ns)
    if age_ms is not None:
        true_ns = since_ns + link.up_ns
        assert true_ns <= age_ms * MILLISECOND_NS <= true_ns + way_ns + 3 * MILLISECOND_NS


@given(GOOD_LINKS)
def test_on_a_good_link_the_age_is_told_and_close(link: Link) -> None:
    age_ms, _ = tell(link, 4 * SECOND_NS, 5 * SECOND_NS)
    assert age_ms is not None
    assert age_ms - (SECOND_NS + link.up_ns) / MILLISECOND_NS <= 53


@given(st.integers(0, 2**53 - 1), st.integers(0, 2**53 - 1), st.integers(0, BEAT_LIMIT_MS))
def test_a_device_that_lies_about_holding_a_beat_is_never_younger_than_it_says(
    age_ms: int, held_ms: int, later_ms: int
) -> None:
    beats = Beats()
    beats.sent(7, 0)
    live = LivePlate(age_ms=age_ms, heard={GATE: Heard(n=7, held_ms=held_ms)}, record=b"x")
    told = beats.age_ms(live, GATE, later_ms * MILLISECOND_NS)
    assert told is not None
    assert told >= age_ms


def test_nothing_from_before_a_gates_restart_tells_an_age() -> None:
    before, device = Beats(), HeardBeats()
    before.sent(41, 0)
    device.heard(Beat(gate=GATE, n=41), 0)
    live = LivePlate(age_ms=0, heard=device.report(0), record=b"x")
    after = Beats()
    after.sent(7_000_000, 0)
    assert before.age_ms(live, GATE, 0) == 0
    assert after.age_ms(live, GATE, 0) is None


def test_a_device_answers_with_the_beat_that_it_heard_last_in_a_gates_new_life_too() -> None:
    device = HeardBeats()
    device.heard(Beat(gate=GATE, n=9_000), 0)
    device.heard(Beat(gate=GATE, n=5), 10 * MILLISECOND_NS)
    assert device.report(15 * MILLISECOND_NS) == {GATE: Heard(n=5, held_ms=5)}


def test_a_beat_that_was_heard_too_long_ago_is_not_told() -> None:
    device = HeardBeats()
    device.heard(Beat(gate=GATE, n=1), 0)
    assert device.report(BEAT_LIMIT_MS * MILLISECOND_NS) != {}
    assert device.report(BEAT_LIMIT_MS * MILLISECOND_NS + 1) == {}


def test_a_beat_is_good_up_to_the_limit_and_not_a_nanosecond_longer() -> None:
    beats = Beats()
    beats.sent(1, 0)
    live = LivePlate(age_ms=0, heard={GATE: Heard(n=1, held_ms=0)}, record=b"x")
    assert beats.age_ms(live, GATE, BEAT_LIMIT_MS * MILLISECOND_NS) == BEAT_LIMIT_MS
    assert beats.age_ms(live, GATE, BEAT_LIMIT_MS * MILLISECOND_NS + 1) is None


def test_a_device_remembers_a_bounded_number_of_gates_the_ones_heard_last() -> None:
    device = HeardBeats()
    for n in range(1000):
        device.heard(Beat(gate=f"gate-{n}", n=1), n)
    assert list(device.report(1000)) == [f"gate-{n}" for n in range(1000 - GATES, 1000)]


def test_a_gate_remembers_a_bounded_number_of_beats_the_newest() -> None:
    beats = Beats()
    for n in range(1, 10_001):
        beats.sent(n, n)
    told = [
        n
        for n in range(1, 10_001)
        if beats.age_ms(LivePlate(age_ms=0, heard={GATE: Heard(n=n, held_ms=0)}, record=b"x"), GATE, 10_001) is not None
    ]
    assert told == list(range(10_001 - BEATS_MOST, 10_001))


def test_the_vectors_say_what_is_computed() -> None:
    told = vectors("ages")
    beats = Beats(told["limit_ms"])
    for each in told["sent"]:
        beats.sent(each["n"], each["at_ns"])
    for vector in told["vectors"]:
        live = LivePlate.model_validate({**vector["live"], "record": b"x"})
        assert beats.age_ms(live, told["gate"], vector["now_ns"]) == vector["age_ms"], vector["name"]
    assert {vector["age_ms"] is None for vector in told["vectors"]} == {True, False}
