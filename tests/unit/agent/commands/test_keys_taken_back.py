"""A key that was taken back, has ended or is not valid yet: what waits by its word ends, and whom an answer is owed."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from platefleet.agent.commands.assembly import Trusted
from platefleet.agent.commands.hearing import ANSWERS_MOST
from platefleet.agent.figures import Figures
from platefleet.protocol.codec import encode
from platefleet.protocol.commands.holds import Hours
from platefleet.protocol.messages import Command
from tests.commanded import DEVICE, HOUR, Commanded, new_id
from tests.trust_builders import DAY, ROOTS, SAFE, T0, a_trust, adopted, ordered, told, trusted
from tests.until import until

CLOSED = Hours(False, says="closed")
BUILD = {"role": "plate", "format": "onnx"}
PEOPLE = (trusted("anna"), trusted("ada", role="administrator"))
WITHOUT_ADA = adopted(a_trust(2, *PEOPLE, revoked=("ada",)))
ENDED = adopted(a_trust(2, *PEOPLE, trusted("eve", until=T0 - HOUR), trusted("tim", since=T0 + DAY)))


def test_what_waits_by_a_key_that_is_taken_back_never_begins(device: Commanded) -> None:
    device.how = replace(device.how, hours=CLOSED)
    id_, other = device.send("build", arguments=BUILD), device.send("snapshot", by="anna", not_before=T0 + HOUR // 2)
    device.until(id_, "waiting")
    device.until(other, "waiting")
    device.trust = WITHOUT_ADA
    device.how = replace(device.how, hours=Hours(True))
    device.clock.turn(1)
    assert "revoked before it began" in device.until(id_, "rejected").reason
    assert "running" not in device.states(id_)
    device.clock.turn(1801)
    device.until(other, "succeeded")


def test_what_waited_over_a_restart_is_asked_for_its_key_again(tmp_path: Path) -> None:
    device = Commanded(tmp_path)
    device.how = replace(device.how, hours=CLOSED)
    device.start()
    id_ = device.send("build", arguments=BUILD)
    device.until(id_, "waiting")
    device.stop()
    again = Commanded(tmp_path, trust=WITHOUT_ADA).start()
    again.until(id_, "rejected")
    assert "running" not in again.states(id_)
    again.stop()


def test_a_cancel_that_came_first_counts_no_more_once_its_key_is_taken_back(device: Commanded) -> None:
    id_, payload = device.command("snapshot", by="anna")
    device.commands.hear("command", device.cancel(id_))
    until(lambda: device.figures.counts().get("commands_cancelled_first") == 1)
    device.trust = WITHOUT_ADA
    device.commands.hear("command", payload)
    device.until(id_, "succeeded")


@pytest.mark.parametrize(
    ("by", "says"), [("eve", "the key of eve ended at"), ("tim", "the key of tim is valid only from")]
)
def test_a_person_whose_key_is_not_valid_now_is_answered(device: Commanded, by: str, says: str) -> None:
    device.trust = ENDED
    id_, payload = device.command("snapshot", by=by)
    device.commands.hear("command", payload)
    status = device.until(id_, "rejected")
    assert says in status.reason
    assert status.operator == by
    device.trust = adopted(a_trust(3, *PEOPLE, trusted(by)))
    device.clock.turn(2)
    device.commands.hear("command", payload)
    until(lambda: len(device.statuses(id_)) == 2)
    assert device.statuses(id_) == [status, status], "what was answered once stays so"


def test_by_a_trust_that_has_ended_everybody_is_answered(device: Commanded) -> None:
    device.trust = adopted(a_trust(2, *PEOPLE, days=1))
    device.clock.turn(2 * 86_400)
    id_ = device.send("snapshot", by="anna")
    assert "trust 2 ended at" in device.until(id_, "rejected").reason


@pytest.mark.parametrize("more", [{"install": "b" * 32}, {"device": "north-2"}])
def test_nobody_is_answered_about_another_device_or_install(device: Commanded, more: dict[str, Any]) -> None:
    device.trust = ENDED
    device.send("snapshot", by="eve", **more)
    until(lambda: device.figures.counts().get("commands_refused_key") == 1)
    assert device.journal.history(1) == []


def test_by_a_key_that_was_taken_back_nobody_is_answered(device: Commanded) -> None:
    device.trust = WITHOUT_ADA
    device.send("snapshot")
    until(lambda: sum(count for name, count in device.figures.counts().items() if "refused" in name) == 1)
    assert device.journal.history(1) == []


def test_such_answers_are_bounded_to_so_many_an_hour(tmp_path: Path) -> None:
    device = Commanded(tmp_path, trust=ENDED)

    def send() -> None:
        said = {"id": new_id(), "device": DEVICE, "install": device.install, "issued_at": T0, "not_after": T0 + DAY}
        device.hearing.heard(ordered("eve", encode(Command(**said, operation="snapshot"))))

    for _ in range(ANSWERS_MOST + 5):
        send()
    assert len(device.journal.history(1000)) == ANSWERS_MOST
    assert device.figures.counts()["commands_refused_key"] == 5
    device.clock.turn(3600)
    send()
    assert len(device.journal.history(1000)) == ANSWERS_MOST + 1
    device.journal.close()


def test_a_refusal_is_told_in_health_for_an_hour(device: Commanded) -> None:
    device.send("snapshot", by="mallory")
    until(lambda: len(device.figures.troubles()) == 1)
    device.clock.turn(3599)
    device.until(device.send("snapshot", by="anna"), "succeeded")
    assert "a command was refused" in device.figures.troubles()[0]
    device.clock.turn(6)
    until(lambda: device.figures.troubles() == [])
    assert device.figures.counts()["commands_refused_signature"] == 1


def test_two_contents_under_one_version_of_the_trust_are_an_alarm_that_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [root.line() for root in ROOTS.named]
    settings: Any = SimpleNamespace(commands=SimpleNamespace(roots=lines, journal=tmp_path / "journal"))
    figures = Figures()
    trust = Trusted(settings, lambda: T0, figures)
    trust.heard(told(a_trust(3, *PEOPLE)))
    trust.heard(told(a_trust(3, *PEOPLE, revoked=("anna",)), SAFE))
    trust.heard(told(a_trust(2, *PEOPLE)))
    alarm, older = sorted(figures.troubles(), key=lambda each: "older" in each)
    assert "a root key may be in wrong hands" in alarm
    assert "older" in older
    assert [record.levelno for record in caplog.records if "wrong hands" in record.message] == [logging.ERROR]
    trust.heard(told(a_trust(3, *PEOPLE)))
    assert alarm in figures.troubles(), "the one that is in force already says nothing new"
    trust.heard(told(a_trust(4, *PEOPLE)))
    assert figures.troubles() == []
    assert trust.version == 4
