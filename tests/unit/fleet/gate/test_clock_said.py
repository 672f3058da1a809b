"""A clock that is not good: said once at the console, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from platefleet.fleet.gate import loop
from platefleet.fleet.gate.controller import Gate
from platefleet.fleet.gate.lane_settings import LaneSettings
from platefleet.fleet.gate.settings import AllowListSettings, BrokerSettings, GateSettings, PrintOutput
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.session import Session
from tests.mosquitto import free_port
from tests.until import until


@pytest.mark.parametrize("assumed", [False, True])
def test_a_gate_whose_clock_is_not_synchronised_says_so_once_unless_it_is_assumed(
    assumed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    states: list[bool] = []

    def state(_: object, *, assume_synced: bool) -> str:
        states.append(assume_synced)
        return "assumed" if assume_synced else "unsynced"

    monkeypatch.setattr("platefleet.fleet.gate.controller.clock_state", state)
    monkeypatch.setattr(loop, "HEALTH_EVERY_NS", 1)
    (tmp_path / "allow.csv").write_text("plate\n")
    settings = GateSettings(
        name="gate-1",
        journal=tmp_path / "gate.journal",
        broker=BrokerSettings(port=free_port()),
        allow_list=AllowListSettings(file=tmp_path / "allow.csv"),
        outputs={"barrier": PrintOutput(kind="print")},
        lanes=[LaneSettings(device="north-1", lane="entry", output="barrier")],
        assume_synced=assumed,
    )
    clock = SystemClock()
    with Gate(Session("gate-1", settings.broker.broker(), clock=clock), settings, clock=clock):
        until(lambda: len(states) > 20)
    assert caplog.text.count("set up NTP, or assume_synced where something else keeps the time") == (not assumed)
