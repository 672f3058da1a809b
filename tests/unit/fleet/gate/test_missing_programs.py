"""Programs of outputs and alarms that are not there: said at the start and in health, until they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from platefleet.fleet.gate.controller import Gate
from platefleet.fleet.gate.lane_settings import LaneSettings
from platefleet.fleet.gate.settings import (
    AlarmSettings,
    AllowListSettings,
    BrokerSettings,
    CommandOutput,
    GateSettings,
)
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.session import Session
from tests.mosquitto import free_port
from tests.until import until


def test_a_missing_program_is_said_at_the_start_and_in_health_until_it_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lift, call = tmp_path / "lift", tmp_path / "call"
    (tmp_path / "allow.csv").write_text("plate\n")
    settings = GateSettings(
        name="gate-1",
        journal=tmp_path / "gate.journal",
        broker=BrokerSettings(port=free_port()),
        allow_list=AllowListSettings(file=tmp_path / "allow.csv"),
        outputs={"barrier": CommandOutput(kind="command", argv=[str(lift), "{lane}"])},
        alarm=AlarmSettings(command=[str(call)]),
        lanes=[LaneSettings(device="north-1", lane="entry", output="barrier")],
    )
    clock = SystemClock()
    sentence = "output {}: there is no such program, or it may not be run; check its path and rights."
    with Gate(Session("gate-1", settings.broker.broker(), clock=clock), settings, clock=clock) as gate:
        for program in (lift, call):
            assert sentence.format(program) in gate.problems()
            assert caplog.text.count(sentence.format(program)) == 1
        for program in (lift, call):
            program.write_text("#!/bin/sh\n")
            program.chmod(0o755)
        until(lambda: not any("no such program" in problem for problem in gate.problems()))
        lift.unlink()
        until(lambda: sentence.format(lift) in gate.problems())
    assert caplog.text.count(sentence.format(lift)) == 2
    assert caplog.text.count(sentence.format(call)) == 1
