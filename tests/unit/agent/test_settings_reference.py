"""The settings' reference, the example and the models tell the same."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from platefleet.agent.config import load
from platefleet.agent.passes.types import PassSettings
from platefleet.agent.settings.lanes import Lane
from platefleet.agent.settings.passes import Passes
from platefleet.agent.settings.reference import TABLES, settings_reference

ROOT = Path(__file__).resolve().parents[3]


def test_every_setting_says_what_it_is() -> None:
    missing = [
        f"{title}: {key}"
        for title, _, model in TABLES
        for key, field in model.model_fields.items()
        if not field.description
    ]
    assert missing == []


def test_every_setting_stands_in_the_reference_with_its_variable() -> None:
    text = settings_reference()
    for _, place, model in TABLES:
        for key in model.model_fields:
            assert f"| `{key}` |" in text, f"{place}.{key}"
    assert "`PLATEFLEET_LANES__0__CAMERA__STALL_TIMEOUT_S`" in text


def test_the_reference_in_docs_is_the_one_that_the_models_give() -> None:
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == settings_reference(), "run `make docs`"


def test_the_example_can_be_used_as_it_is() -> None:
    read = load(ROOT / "deploy" / "agent.example.toml", {})
    assert [lane.name for lane in read.lanes] == ["entry"]


def test_what_the_example_leaves_out_can_be_used_too(tmp_path: Path) -> None:
    text = (ROOT / "deploy" / "agent.example.toml").read_text(encoding="utf-8")
    block = text[text.index("# [[lanes]]") : text.index("[models]")]
    lines = [line.removeprefix("# ") for line in block.splitlines()]
    path = tmp_path / "agent.toml"
    path.write_text(text.replace(block, "\n".join(lines) + "\n"), encoding="utf-8")
    assert [lane.camera.kind for lane in load(path, {}).lanes] == ["rtsp", "gstreamer"]


def test_what_the_pass_machine_may_be_told_can_be_set() -> None:
    told_by_lane = {"polygon", "approach"}
    assert set(Passes.model_fields) == {field.name for field in fields(PassSettings)} - told_by_lane


def test_the_settings_defaults_are_the_pass_machines_own() -> None:
    lane = Lane.model_validate({"name": "a", "camera": {"kind": "v4l2"}})
    assert lane.pass_settings(Passes()) == PassSettings()


def test_the_ways_a_car_may_come_are_those_of_the_picture() -> None:
    ways = {}
    for way in ("down", "up", "left", "right"):
        lane = Lane.model_validate({"name": "a", "camera": {"kind": "v4l2"}, "coming": way})
        ways[way] = lane.pass_settings(Passes()).approach
    assert ways == {"down": (0.0, 1.0), "up": (0.0, -1.0), "left": (-1.0, 0.0), "right": (1.0, 0.0)}


def test_the_reference_names_no_machine() -> None:
    assert not re.search(r"/(work|root|home)/", settings_reference())
