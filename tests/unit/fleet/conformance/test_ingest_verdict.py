"""What the kit says of acks that it heard: no broker, no ingest, only what was heard."""

from __future__ import annotations

import pytest

from platefleet.fleet.conformance.ingest.points import ASK, OVER_THE_RUN, Expect, Point, Ranges, names, points
from platefleet.fleet.conformance.ingest.verdict import HeardAck, HeardHost, Played, Trace, of_point, over_the_run
from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.messages import Ack, Answer, EpochCoverage, Host

EPOCH, OTHER = "e" * 32, "0" * 32
MINE, THEIRS = ("d-1", EPOCH), ("d-2", EPOCH)


def an_ack(
    *covered: tuple[int, int],
    clash: Ranges = (),
    at_s: float = 1.0,
    device: str = "d-1",
    nonce: str = "",
    store: str = "store-1",
    epoch: str = EPOCH,
) -> HeardAck:
    ack = Ack(
        store=store,
        covered=(EpochCoverage(epoch=epoch, covered=covered),) if covered else (),
        clash=(EpochCoverage(epoch=EPOCH, covered=clash),) if clash else (),
        answer=Answer(nonce=nonce, epochs=()) if nonce else None,
    )
    return HeardAck(int(at_s * SECOND_NS), device, ack)


def a_host(slot: str = "1", *, retained: bool = True, committing: bool = True, named: str = "1") -> HeardHost:
    host = Host(slot=named, incarnation="f" * 32, committing=committing, store="store-1")
    return HeardHost(slot, host, retained)


def a_trace(*acks: HeardAck, sent: int = 9, hosts: tuple[HeardHost, ...] = (a_host(),)) -> Trace:
    return Trace(list(acks), list(hosts), {MINE: dict.fromkeys(range(1, sent + 1), 0)}, {"a" * 32})


def reason(expect: Expect, *acks: HeardAck, name: str = "a-point", **played: object) -> str:
    one = Played(Point(name, "It matters.", (), expect), MINE, THEIRS, **played)  # type: ignore[arg-type]
    return of_point(one, a_trace(*acks)).reason


@pytest.mark.parametrize(
    ("expect", "acks", "sentence"),
    [
        (Expect(acked=((1, 3),)), [an_ack((1, 2)), an_ack((3, 3))], ""),
        (Expect(acked=((1, 3),)), [an_ack((1, 1))], "2–3 was not acknowledged"),
        (Expect(acked=((1, 1),)), [an_ack((1, 1), device="d-2")], "1 was not acknowledged"),
        (Expect(other_acked=((1, 1),)), [an_ack((1, 1), device="d-2")], ""),
        (Expect(other_acked=((1, 1),)), [an_ack((1, 1))], "1 was not acknowledged to the other device"),
        (Expect(never=((2, 2),)), [an_ack((1, 3))], "2 was acknowledged"),
        (Expect(clashed=((1, 1),)), [an_ack((1, 1), clash=((1, 1),))], ""),
        (Expect(clashed=((1, 1),)), [an_ack((1, 1))], "1 was not told as a clash"),
        (Expect(unclashed=((1, 1),)), [an_ack(clash=((1, 1),))], "1 was told as a clash"),
        (Expect(unclashed=((1, 1),)), [an_ack(clash=((1, 1),), device="d-2")], "1 was told as a clash"),
    ],
)
def test_acks_and_clashes_are_held_against_what_must_come(expect: Expect, acks: list[HeardAck], sentence: str) -> None:
    assert reason(expect, *acks) == sentence


def test_a_clash_before_the_mark_is_no_clash_after_it() -> None:
    expect = Expect(unclashed_after=((1, 1),))
    clash = an_ack(clash=((1, 1),), at_s=1)
    assert not reason(expect, clash, mark_ns=2 * SECOND_NS)
    assert reason(expect, clash, mark_ns=SECOND_NS // 2) == "1 was told as a clash"


def test_an_answer_says_exactly_what_the_store_has() -> None:
    expect = Expect(answered=((1, 3), (5, 5)))
    assert not reason(expect, asked_ns=1, answered=((1, 3), (5, 5)))
    assert reason(expect, asked_ns=1, answered=((1, 5),)) == "the answer says 1–5, 1–3, 5 would be right"
    assert reason(expect, asked_ns=1, answered=None) == "a question was not answered"


def test_what_was_acknowledged_before_a_kill_stands_in_the_answer_after_it() -> None:
    acks = [an_ack((1, 4), at_s=1), an_ack((5, 9), at_s=9)]
    killed = {"asked_ns": 1, "restarted_ns": 2 * SECOND_NS}
    assert not reason(Expect(kept=True), *acks, answered=((1, 4),), **killed)
    lost = reason(Expect(kept=True), *acks, answered=((1, 2),), **killed)
    assert lost == "3–4 was acknowledged before the ingest was killed, and is lost"


def test_a_nonce_that_nobody_asked_with_concerns_the_question_alone() -> None:
    assert not reason(Expect(), an_ack(nonce="b" * 32))
    assert "which nobody asked with" in reason(Expect(), an_ack(nonce="b" * 32), name=ASK)
    assert not reason(Expect(), an_ack(nonce="a" * 32), name=ASK)


def over(trace: Trace, answers: dict[tuple[str, str], Ranges] | None = None) -> dict[str, str]:
    return {each.point: each.reason for each in over_the_run(trace, answers or {}, 60 * SECOND_NS, "d-1")}


def test_a_run_without_fault_passes_what_is_judged_over_it() -> None:
    trace = a_trace(an_ack((1, 3)), an_ack((1, 9), at_s=2))
    assert over(trace, {MINE: ((1, 9),)}) == dict.fromkeys(OVER_THE_RUN, "")


@pytest.mark.parametrize(
    ("point", "trace", "sentence"),
    [
        ("host", a_trace(an_ack((1, 1)), hosts=()), "no retained `host` says"),
        ("host", a_trace(an_ack((1, 1)), hosts=(a_host(retained=False),)), "no retained `host` says"),
        ("host", a_trace(an_ack((1, 1)), hosts=(a_host(committing=False),)), "no retained `host` says"),
        ("host", a_trace(an_ack((1, 1)), hosts=(a_host("2"),)), "host/2 names the slot 1"),
        ("store", a_trace(), "no ack came"),
        ("store", a_trace(an_ack((1, 1)), an_ack((2, 2), store="store-2")), "acks name 2 stores"),
        ("store", a_trace(an_ack((1, 1), store="store-2")), "acks name the store store-2, `host` names store-1"),
        ("only-sent", a_trace(an_ack((1, 10))), "got an ack for 1–10 of an epoch of which it sent 1–9"),
        ("only-sent", a_trace(an_ack((1, 1), at_s=-1)), "of which it sent nothing"),
        ("only-sent", a_trace(an_ack((1, 1), epoch=OTHER)), "of which it sent nothing"),
        ("coalesced", a_trace(*(an_ack((1, 1), at_s=1 + number / 20) for number in range(20))), "20 acks in"),
    ],
)
def test_what_goes_wrong_over_a_run_is_told_by_its_point_alone(point: str, trace: Trace, sentence: str) -> None:
    told = over(trace)
    assert sentence in told.pop(point)
    assert not any(told.values()) or point == "store"


def test_what_was_acknowledged_and_is_not_in_the_answer_is_lost() -> None:
    told = over(a_trace(an_ack((1, 9))), {MINE: ((1, 4),)})
    assert told["kept"] == "5–9 of d-1 was acknowledged and is not in the answer"


def test_every_point_has_a_name_of_its_own_and_a_reason() -> None:
    every = [point.name for point in points()]
    assert len(set(every)) == len(every)
    assert set(names()) == {*every, *OVER_THE_RUN}
    assert all(why.endswith(".") for why in names().values())
