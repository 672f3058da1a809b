"""Alarms: each problem once, across restarts too, and a receiver that fails or hangs keeps nobody from deciding."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from platefleet.fleet.gate import alarm as module
from platefleet.fleet.gate.alarm import Alarm, Alarms
from platefleet.fleet.gate.outputs.build import receiver
from platefleet.fleet.gate.settings import AlarmSettings
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.delivery.memory import MemoryOutbox
from platefleet.protocol.errors import GateError
from tests.gate_lives import a_life
from tests.until import until


def an_alarm(number: int = 1) -> Alarm:
    return Alarm("output failed", f"lane north-1/entry: number {number}", "gate-1", "north-1", "entry", number)


class Phone:
    """A receiver that fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.rang: list[str] = []
        self.tries = 0
        self._failures = failures

    def send(self, fields: Mapping[str, str]) -> None:
        self.tries += 1
        if self.tries <= self._failures:
            raise GateError("output phone: nobody answers.")
        self.rang.append(fields["problem"])


@contextmanager
def sounding(phone: module.Receiver) -> Iterator[tuple[Alarms, list[Alarm]]]:
    delivered: list[Alarm] = []
    alarms = Alarms(phone, delivered.append, pause_s=0.01)
    alarms.start()
    yield alarms, delivered
    alarms.stop()


def test_alarms_are_delivered_in_their_order() -> None:
    phone = Phone()
    with sounding(phone) as (alarms, delivered):
        for number in range(5):
            alarms.sound(an_alarm(number))
        until(lambda: len(delivered) == 5)
    assert phone.rang == [an_alarm(number).problem for number in range(5)]
    assert alarms.problem == ""


def test_a_receiver_that_fails_is_tried_again_and_then_shown_with_what_nobody_heard_of() -> None:
    phone = Phone(failures=module.TRIES + 1)
    with sounding(phone) as (alarms, delivered):
        alarms.sound(an_alarm(1))
        until(lambda: alarms.failed == module.TRIES)
        assert "number 1" in alarms.problem
        assert "nobody answers" in alarms.problem
        alarms.sound(an_alarm(2))
        until(lambda: delivered)
    assert phone.rang == [an_alarm(2).problem]
    assert alarms.problem == ""


def test_a_receiver_that_hangs_holds_back_no_more_than_the_newest_and_no_stop() -> None:
    hanging = threading.Event()

    class Hanging:
        def send(self, fields: Mapping[str, str]) -> None:
            hanging.wait(30)

    alarms = Alarms(Hanging())
    alarms.start()
    for number in range(module.WAITING_MOST + 10):
        alarms.sound(an_alarm(number))
    until(lambda: alarms.dropped >= 9)
    alarms.stop(0.01)
    hanging.set()


def test_a_program_gets_the_alarm_in_its_environment_and_where_an_argument_names_it(tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    code = f"import os, sys; open({str(heard)!r}, 'w').write(os.environ['PLATEFLEET_KIND'] + '|' + sys.argv[1])"
    phone = receiver(AlarmSettings(command=[sys.executable, "-c", code, "{problem}"]))
    phone.send(an_alarm().fields())
    assert heard.read_text() == "output failed|lane north-1/entry: number 1"


@pytest.mark.parametrize("given", [{}, {"command": ["/bin/true"], "url": "http://127.0.0.1/"}])
def test_a_program_or_a_url_has_to_be_given(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="one of them"):
        AlarmSettings(**given)  # type: ignore[arg-type]


def test_an_output_that_failed_is_alarmed_once_and_what_opened_is_not(tmp_path: Path) -> None:
    path, outbox = tmp_path / "gate.journal", MemoryOutbox(clock=SystemClock())
    with a_life(path, outbox) as life:
        life.announce()
        life.answer("failed", "output barrier: no answer")
        life.announce(text="XYZ789", number=1)
        life.answer()
        assert [(alarm.kind, alarm.lane, alarm.number) for alarm in life.alarms] == [("output failed", "entry", 2)]
        assert "no answer" in life.alarms[0].problem
    with a_life(path, outbox, alarmed=2) as life:
        assert life.alarms == []


def test_an_alarm_that_a_crash_cut_off_is_raised_by_the_next_start(tmp_path: Path) -> None:
    path, outbox = tmp_path / "gate.journal", MemoryOutbox(clock=SystemClock())
    with a_life(path, outbox) as life:
        life.announce()
        life.answer("failed", "output barrier: no answer")
    with a_life(path, outbox, alarmed=0) as life:
        assert [alarm.kind for alarm in life.alarms] == ["output failed"]


def test_what_a_crash_left_between_intent_and_result_is_alarmed(tmp_path: Path) -> None:
    path, outbox = tmp_path / "gate.journal", MemoryOutbox(clock=SystemClock())
    with a_life(path, outbox) as life:
        life.announce()
    with a_life(path, outbox) as life:
        assert [alarm.kind for alarm in life.alarms] == ["crashed"]
    with a_life(path, outbox) as life:
        assert life.alarms == []


def test_another_machine_is_alarmed_once_however_often_it_shows(tmp_path: Path) -> None:
    with a_life(tmp_path / "gate.journal", MemoryOutbox(clock=SystemClock())) as life:
        for _ in range(3):
            life.core.heard_of_us("f" * 32, "online")
        assert [alarm.kind for alarm in life.alarms] == ["another machine"]
