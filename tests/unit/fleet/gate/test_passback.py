"""Anti-passback: who went in may not go in again before it came out, across restarts and crashes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platefleet.fleet.gate import passback
from platefleet.fleet.gate.circumstances import Passback
from platefleet.fleet.gate.facts import Rule
from platefleet.fleet.gate.passback import Inside, expired, forgiven, known, step
from platefleet.protocol.clock import SECOND_NS, SystemClock
from platefleet.protocol.delivery.memory import MemoryOutbox
from platefleet.protocol.messages import Decision
from tests.gate_builders import ON_THE_LIST, RULE, UTC_NS, an_intent
from tests.gate_lives import Life, a_life

IN = replace(RULE, area="yard", way="in")
OUT = Rule("gate-1", "north-1", "exit", "barrier", area="yard", way="out")
HARD, SOFT = Passback(hard=True), Passback(hard=False)
PLATES = st.sampled_from(["AAA111", "BBB222", "CCC333"])
CAME = [("result", "opened"), ("refusal", "held open")]
OTHERS = [("intent", "opened"), ("result", "output failed"), ("refusal", "not on the list"), ("result", "by hand")]


def said(plate: str | None, phase: Any, verdict: Any, seconds: float = 0.0) -> Decision:
    update = {"entry": plate, "phase": phase, "verdict": verdict}
    return an_intent(seconds=seconds).decision.model_copy(update=update)


@given(st.lists(st.tuples(PLATES, st.sampled_from([IN, OUT]), st.sampled_from(CAME + OTHERS)), max_size=30))
def test_inside_is_who_went_in_last_and_the_notes_say_the_same(
    history: list[tuple[str, Rule, tuple[str, str]]],
) -> None:
    inside, notes, model = Inside({}), dict[str, bytes](), set[str]()
    for number, (plate, rule, (phase, verdict)) in enumerate(history):
        inside, change = step(inside, said(plate, phase, verdict, number), rule)
        for name, value in change.items():
            if value is None:
                notes.pop(name, None)
            else:
                notes[name] = value
        if (phase, verdict) in CAME:
            (model.add if rule is IN else model.discard)(plate)
        assert set(inside.of("yard", None, 1)) == model
        assert known(notes) == inside


@given(PLATES, st.integers(0, 2 * 24 * 3600))
def test_nobody_is_inside_longer_than_the_site_says_while_the_clock_is_good(plate: str, seconds: int) -> None:
    inside, _ = step(Inside({}), said(plate, "result", "opened"), IN)
    now_ns = UTC_NS + seconds * SECOND_NS
    assert bool(inside.of("yard", now_ns, 24 * 3600)) == (seconds < 24 * 3600)
    assert (expired(inside, now_ns, 24 * 3600)[0] == inside) == (seconds < 24 * 3600)
    assert inside.of("yard", None, 1)


def test_what_is_remembered_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passback, "INSIDE_MOST", 10)
    inside, change = Inside({}), {}
    for number in range(20):
        inside, change = step(inside, said(f"CAR{number}", "result", "opened", number), IN)
    assert len(inside.since) == 10
    assert None in change.values()


def test_a_lane_without_an_area_and_an_opening_without_a_plate_change_nothing() -> None:
    for plate, rule in ((ON_THE_LIST, RULE), ("", IN), (None, IN), (ON_THE_LIST, None)):
        assert step(Inside({}), said(plate, "result", "opened"), rule) == (Inside({}), {})


def test_a_plate_is_forgiven_in_every_area() -> None:
    inside = Inside({("yard", "AAA111"): 1, ("garage", "AAA111"): 2, ("yard", "BBB222"): 3})
    left, change = forgiven(inside, "AAA111")
    assert left == Inside({("yard", "BBB222"): 3})
    assert list(change.values()) == [None, None]


def drive(life: Life, rule: Rule, number: int) -> list[str]:
    """One vehicle at a lane, later than any "already open"; returns the verdicts."""
    life.said.clear()
    life.forget()
    life.announce(rule=rule, number=number, lane=rule.lane)
    while life.pulses:
        life.answer()
    return [decision.verdict for decision in life.said]


def test_who_is_inside_is_not_let_in_again_until_it_came_out_or_is_forgiven(tmp_path: Path) -> None:
    outbox = MemoryOutbox(clock=SystemClock())
    with a_life(tmp_path / "gate.journal", outbox, rules=(IN, OUT), back=HARD) as life:
        assert drive(life, IN, 0) == ["opened", "opened"]
        assert drive(life, IN, 1) == ["already inside"]
        assert "went into yard at" in life.said[0].reason
        assert drive(life, OUT, 2) == ["opened", "opened"]
        assert drive(life, OUT, 3) == ["opened", "opened"]
        assert drive(life, IN, 4) == ["opened", "opened"]
        assert life.core.forgive(ON_THE_LIST)
        assert not life.core.forgive(ON_THE_LIST)
        assert drive(life, IN, 5) == ["opened", "opened"]


def test_a_soft_site_lets_in_and_the_record_says_so(tmp_path: Path) -> None:
    outbox = MemoryOutbox(clock=SystemClock())
    with a_life(tmp_path / "gate.journal", outbox, rules=(IN, OUT), back=SOFT) as life:
        drive(life, IN, 0)
        assert drive(life, IN, 1) == ["opened", "opened"]
        assert "did not come out" in life.said[0].reason


def test_who_is_inside_is_known_after_a_restart_and_a_crash_before_the_result_leaves_it_outside(tmp_path: Path) -> None:
    outbox, path = MemoryOutbox(clock=SystemClock()), tmp_path / "gate.journal"
    with a_life(path, outbox, rules=(IN, OUT), back=HARD) as life:
        drive(life, IN, 0)
        life.announce(rule=IN, text="XYZ789", number=1)
    with a_life(path, outbox, rules=(IN, OUT), back=HARD) as life:
        assert drive(life, IN, 2) == ["already inside"]
        life.forget()
        life.announce(rule=IN, text="XYZ789", number=3)
        assert len(life.pulses) == 1


def test_who_leaves_while_the_exit_is_held_open_is_outside(tmp_path: Path) -> None:
    outbox = MemoryOutbox(clock=SystemClock())
    with a_life(tmp_path / "gate.journal", outbox, rules=(IN, OUT), back=HARD) as life:
        drive(life, IN, 0)
        life.core.hold(OUT.key, "by hand by root: going home", 600, lambda _: None)
        assert drive(life, OUT, 1) == ["held open"]
        assert drive(life, IN, 2) == ["opened", "opened"]
