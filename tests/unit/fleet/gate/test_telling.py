"""The outbox is told of the journal: each entry once and in order, across restarts, full disks and lost outboxes."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from platefleet.fleet.gate import telling
from platefleet.fleet.gate.facts import Result
from platefleet.fleet.gate.journal import Journal
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.delivery.memory import MemoryOutbox
from tests.gate_builders import RULE, an_intent
from tests.gate_lives import a_life, journaled, recorded


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gate.journal"


@pytest.fixture
def outbox() -> MemoryOutbox:
    """It outlives a controller's life here, as the durable one does."""
    return MemoryOutbox(clock=SystemClock())


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """No file can grow any more, whatever is reserved."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def phases(outbox: MemoryOutbox) -> list[tuple[str, str]]:
    return [(decision.phase, decision.verdict) for decision in recorded(outbox)]


def test_intent_result_and_refusal_are_records_in_the_order_in_which_they_came_about(
    path: Path, outbox: MemoryOutbox
) -> None:
    with a_life(path, outbox) as life:
        life.announce()
        life.announce(text="STRANGER", number=1)
        life.answer()
        assert phases(outbox) == [("intent", "opened"), ("refusal", "not on the list"), ("result", "opened")]
        assert recorded(outbox) == life.said


def test_a_controller_that_starts_again_tells_nothing_a_second_time(path: Path, outbox: MemoryOutbox) -> None:
    for number in range(2):
        with a_life(path, outbox) as life:
            life.announce(number=number, text="XYZ789" if number % 2 else "B123ABC")
            life.answer()
    assert recorded(outbox) == journaled(path)
    assert len(recorded(outbox)) == 4


def test_what_a_person_opened_while_no_controller_ran_is_told_by_the_next_one_and_once(
    path: Path, outbox: MemoryOutbox
) -> None:
    with a_life(path, None) as alone:
        alone.core.open_by_hand(RULE.key, "by hand by root: fire", alone.said.append)
        alone.answer()
    with a_life(path, outbox) as life:
        assert [decision.verdict for decision in life.said] == ["by hand", "by hand"]
    with a_life(path, outbox) as life:
        assert life.said == []
    assert recorded(outbox) == journaled(path)


def test_what_a_crash_left_open_is_told_as_failed_and_once(path: Path, outbox: MemoryOutbox) -> None:
    with a_life(path, outbox) as life:
        life.announce()
    for _ in range(2):
        with a_life(path, outbox) as life:
            assert "may have opened" in life.core.troubles()[0]
    assert phases(outbox) == [("intent", "opened"), ("result", "output failed")]
    assert recorded(outbox) == journaled(path)


def test_an_outbox_that_lost_everything_is_told_what_the_journal_holds_word_for_word(
    path: Path, outbox: MemoryOutbox
) -> None:
    with a_life(path, outbox) as life:
        life.announce()
        life.answer()
    other = MemoryOutbox(clock=SystemClock())
    with a_life(path, other):
        assert recorded(other) == recorded(outbox)


def test_another_journal_is_told_from_its_beginning(path: Path, outbox: MemoryOutbox) -> None:
    for journal in (path, path.with_name("other")):
        with a_life(journal, outbox) as life:
            life.announce()
            life.answer()
    assert len(recorded(outbox)) == 4


def test_thousands_that_were_not_told_keep_no_barrier_shut_meanwhile(path: Path, outbox: MemoryOutbox) -> None:
    with Journal(path) as journal:
        for number in range(1, 60):
            journal.append(an_intent(number))
            journal.append(Result(an_intent(number).token, "opened", an_intent(number).decision))
    with a_life(path, outbox) as life:
        assert len(recorded(outbox)) == telling.AT_ONCE
        life.announce(text="XYZ789", number=100)
        assert len(life.pulses) == 1
        life.answer()
        for _ in range(10):
            life.core.tick()
    assert recorded(outbox) == journaled(path)


def test_a_disk_that_refuses_the_intent_moves_nothing_calls_a_person_and_is_tried_again(
    path: Path, outbox: MemoryOutbox
) -> None:
    with a_life(path, outbox) as life:
        with full_disk(path):
            life.announce()
            life.announce()
            assert life.pulses == []
            assert phases(outbox) == [("refusal", "output failed")]
            assert [alarm.kind for alarm in life.alarms] == ["journal"]
            assert "cannot be written" in life.core.journal_problem
        life.announce()
        life.answer()
        assert life.core.journal_problem == ""
    assert phases(outbox)[1:] == [("intent", "opened"), ("result", "opened")]


def test_a_person_opens_though_the_disk_refuses_and_it_is_recorded_when_it_can_be(
    path: Path, outbox: MemoryOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platefleet.fleet.gate.writing.OWED_AGAIN_NS", 0)
    answers = []
    with a_life(path, outbox) as life:
        with full_disk(path):
            life.core.open_by_hand(RULE.key, "by hand by root: fire", answers.append)
            life.answer()
            assert [(answer.phase, answer.verdict) for answer in answers] == [("result", "by hand")]
            assert recorded(outbox) == []
        life.core.tick()
        assert phases(outbox) == [("intent", "by hand"), ("result", "by hand")]
    assert recorded(outbox) == journaled(path)
    with a_life(path, outbox) as life:
        assert life.core.troubles() == []


def test_the_result_of_what_had_begun_to_move_when_the_disk_filled_up_is_not_lost(
    path: Path, outbox: MemoryOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platefleet.fleet.gate.writing.OWED_AGAIN_NS", 0)
    with a_life(path, outbox) as life:
        life.announce()
        with full_disk(path):
            life.answer()
            assert life.said[-1].verdict == "opened"
            assert phases(outbox) == [("intent", "opened")]
        life.core.tick()
    assert phases(outbox) == [("intent", "opened"), ("result", "opened")]
    with a_life(path, outbox) as life:
        assert life.core.troubles() == []


def test_a_gate_that_starts_on_a_full_disk_runs_and_says_so(path: Path, outbox: MemoryOutbox) -> None:
    with a_life(path, outbox) as life:
        life.announce()
    with full_disk(path), a_life(path, outbox) as life:
        assert "cannot be written" in life.core.journal_problem
        assert life.core.troubles()
        life.announce()
        assert life.pulses == []
