"""What a broker honours, measured: what is sent, and what follows from what comes back."""

from __future__ import annotations

import pytest

from platefleet.protocol import topics
from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.session.events import Received
from platefleet.protocol.session.happened import Greeted
from platefleet.protocol.session.honours import ASK_NS, JUDGE_NS, SETTLE_NS, Observed, Probe, judge

NOBODY, DENIED = 0x10, 0x87
GREETED = Greeted(0, "Success", 268_435_455, 20)
GOOD = {"packet_bytes": 268_435_455, "in_flight": 20, "kept": True, "counts_down": True, "asked": True}


class Spoken:
    """A connection that remembers what was said on it."""

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes, bool, int | None]] = []
        self.filters: list[str] = []

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool, expiry_s: int | None) -> int | None:
        self.published.append((topic, payload, retain, expiry_s))
        return len(self.published)

    def subscribe(self, filters: list[tuple[str, int]]) -> int:
        self.filters += [name for name, _ in filters]
        return 1000 + len(self.filters)


class Narrow(Spoken):
    """A connection on which few messages find room."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool, expiry_s: int | None) -> int | None:
        if not self.room:
            return None
        self.room -= 1
        return super().publish(topic, payload, qos=qos, retain=retain, expiry_s=expiry_s)


def measured(
    *, code: int = DENIED, kept: int | None = 50, short: bool = False, shared: int | None = None, refused: bool = False
) -> tuple[str, ...]:
    """Return what is said of a broker that answers so."""
    spoken, probe = Spoken(), Probe("north-1", shared=shared is not None)
    probe.begin(spoken, GREETED, 0)
    if shared is not None:
        assert probe.subscribed(1001, (0x9E if refused else 1,), 0)
    stranger = next(at for at, said in enumerate(spoken.published, 1) if "/progress" in said[0])
    assert probe.acknowledged(stranger, code)
    probe.turn(spoken, ASK_NS)
    for name, expiry_s, came in (("kept", kept, kept is not None), ("short", None, short)):
        topic = f"alpr/1/north-1/up/probe/{name}"
        assert topic in spoken.filters
        payload = next(said[1] for said in spoken.published if said[0].endswith("/kept"))
        if came:
            assert probe.received(Received(topic, payload, True, 0, expiry_s))
    for _ in range(shared or 0):
        payload = next(said[1] for said in spoken.published if said[0].endswith("/kept"))
        assert probe.received(Received("alpr/1/north-1/up/probe/shared", payload, False, 0, 59))
    assert probe.result is None
    probe.turn(spoken, JUDGE_NS)
    assert spoken.published[-2:] == [
        ("alpr/1/north-1/up/probe/short", b"", True, None),
        ("alpr/1/north-1/up/probe/kept", b"", True, None),
    ]
    assert probe.result is not None
    return probe.result


def test_of_a_broker_that_honours_everything_nothing_is_said() -> None:
    assert measured() == ()
    assert measured(shared=1) == ()


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"code": NOBODY}, "use_username_as_clientid true"),
        ({"code": 0}, "in another client's name"),
        ({"kept": None}, "pattern readwrite alpr/1/%c/up/#"),
        ({"short": True}, "does not honour message expiry"),
        ({"kept": 60}, "does not honour message expiry"),
        ({"shared": 0}, "does not honour shared subscriptions"),
        ({"shared": 2}, "does not honour shared subscriptions"),
        ({"shared": 0, "refused": True}, "does not honour shared subscriptions"),
    ],
)
def test_what_it_does_not_honour_is_one_sentence_with_what_mends_it(answers: dict[str, int], said: str) -> None:
    (sentence,) = measured(**answers)  # type: ignore[arg-type]  # as written above
    assert said in sentence


@pytest.mark.parametrize(
    ("seen", "line"),
    [
        ({"packet_bytes": 65_536}, "max_packet_size 262144"),
        ({"in_flight": 2}, "max_inflight_messages 20"),
    ],
)
def test_what_it_announces_counts_too(seen: dict[str, int], line: str) -> None:
    (sentence,) = judge(Observed(**{**GOOD, **seen}))  # type: ignore[arg-type]  # as written above
    assert line in sentence


def test_what_found_no_room_is_sent_when_there_is_some() -> None:
    spoken, probe = Narrow(room=1), Probe("north-1")
    probe.begin(spoken, GREETED, 0)
    assert len(spoken.published) == 1
    spoken.room = 5
    probe.turn(spoken, ASK_NS)
    assert len(spoken.published) == 3
    assert spoken.filters == []
    probe.turn(spoken, 2 * ASK_NS)
    assert len(spoken.filters) == 2


def test_nothing_else_under_our_name_is_taken_for_the_measurement() -> None:
    probe = Probe("north-1")
    probe.begin(Spoken(), GREETED, 0)
    assert not probe.received(Received(topics.presence("north-1"), b"", True, 0))
    assert not probe.received(Received("alpr/1/south-1/up/probe/kept", b"", True, 0))
    assert not probe.acknowledged(99, 0)
    assert not probe.subscribed(99, (0,), 0)


def test_an_id_that_was_answered_is_somebody_elses_when_it_comes_again() -> None:
    spoken, probe = Spoken(), Probe("north-1")
    probe.begin(spoken, GREETED, 0)
    probe.turn(spoken, ASK_NS)
    probe.turn(spoken, JUDGE_NS)
    assert probe.result is not None
    ours = range(1, len(spoken.published) + 1)
    assert all(probe.acknowledged(mid, 0) for mid in ours)
    assert not any(probe.acknowledged(mid, 0) for mid in ours)


def test_what_an_earlier_run_left_at_the_broker_is_not_ours_and_no_result() -> None:
    spoken, probe = Spoken(), Probe("north-1")
    probe.begin(spoken, GREETED, 0)
    probe.turn(spoken, ASK_NS)
    assert probe.received(Received("alpr/1/north-1/up/probe/short", b"an earlier nonce", True, 0, None))
    probe.turn(spoken, JUDGE_NS)
    assert probe.result is not None
    assert not any("expiry, so" in sentence for sentence in probe.result)


def test_it_is_judged_as_soon_as_what_was_asked_for_must_be_there() -> None:
    spoken, probe = Spoken(), Probe("north-1")
    probe.begin(spoken, GREETED, 0)
    probe.turn(spoken, ASK_NS)
    assert probe.subscribed(1002, (1, 1), ASK_NS + 5)
    probe.turn(spoken, ASK_NS + SETTLE_NS)
    assert probe.result is None
    probe.turn(spoken, ASK_NS + SETTLE_NS + 5)
    assert probe.result is not None


def test_a_connection_that_ended_too_soon_is_measured_again_on_the_next() -> None:
    first, second, probe = Spoken(), Spoken(), Probe("north-1")
    probe.begin(first, GREETED, 0)
    probe.turn(first, ASK_NS)
    probe.begin(second, GREETED, 100 * SECOND_NS)
    probe.turn(second, 100 * SECOND_NS + ASK_NS - 1)
    assert second.filters == []
    probe.turn(second, 100 * SECOND_NS + ASK_NS)
    assert len(second.filters) == 2
