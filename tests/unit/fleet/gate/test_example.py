"""The example that people copy: it can be used as it is, with what it leaves out, and beside the agent's."""

from __future__ import annotations

import re
from pathlib import Path

from platefleet.agent.config import load as load_agent
from platefleet.fleet.gate.allow_list import ALPHABET
from platefleet.fleet.gate.listing import read
from platefleet.fleet.gate.settings import load

DEPLOY = Path(__file__).resolve().parents[4] / "deploy"
TEXT = (DEPLOY / "gate.example.toml").read_text(encoding="utf-8")


def without_the_hash(text: str) -> str:
    """Return the text with what it leaves out; prose stays prose."""
    return re.sub(r"^# (?=\[|[a-z_]+ = )", "", text, flags=re.MULTILINE)


def test_it_can_be_used_as_it_is_for_the_lane_of_the_agents_example() -> None:
    settings = load(DEPLOY / "gate.example.toml")
    agent = load_agent(DEPLOY / "agent.example.toml", {})
    assert [(lane.device, lane.lane) for lane in settings.lanes] == [(agent.device, lane.name) for lane in agent.lanes]
    assert settings.broker.host == agent.broker.host
    assert settings.name != agent.device
    assert settings.allow_list is not None
    assert read(settings.allow_list.file, ALPHABET) == ()


def test_what_it_leaves_out_can_be_used_too(tmp_path: Path) -> None:
    (tmp_path / "gate.toml").write_text(without_the_hash(TEXT), encoding="utf-8")
    settings = load(tmp_path / "gate.toml")
    assert sorted(settings.outputs) == ["barrier", "hold", "program", "relay", "release"]
    assert (settings.broker.tls, settings.alarm) != (None, None)
    assert settings.lanes[0].outputs() == ("barrier", "hold", "release")
    (tmp_path / "allow.csv").write_text(
        re.sub(r"^# (?=.*,.*,)", "", (DEPLOY / "allow.csv").read_text("utf-8"), flags=re.M)
    )
    assert [entry.plate for entry in read(tmp_path / "allow.csv", ALPHABET)] == ["BAB1234", "MXY99"]
