"""What is generated is up to date, complete, and says the same as the code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from platefleet.protocol.generate import documents as generate
from platefleet.protocol.generate.__main__ import main
from platefleet.protocol.generate.json_form import json_form
from platefleet.protocol.generate.samples import samples
from platefleet.protocol.messages.base import Message
from platefleet.protocol.topics import TOPICS
from tests.wire_vectors import GENERATED, KINDS, vectors

ASYNCAPI = yaml.safe_load((GENERATED / "asyncapi.yaml").read_text(encoding="utf-8"))


def schema(kind: type[Message]) -> Any:
    return json.loads((GENERATED / "schemas" / f"{kind.__name__}.json").read_text(encoding="utf-8"))


def test_nothing_is_stale(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().out


def test_a_stale_a_missing_and_a_left_over_file_are_named_and_then_put_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "generated").mkdir()
    for name in ("stale", "left-over"):
        (tmp_path / "generated" / name).write_text("old")
    texts = {
        tmp_path / "generated" / "stale": lambda: "new",
        tmp_path / "generated" / "deep" / "missing": lambda: "new",
    }
    monkeypatch.setattr("platefleet.protocol.generate.__main__.ROOT", tmp_path)
    monkeypatch.setattr("platefleet.protocol.generate.__main__.GENERATED", tmp_path / "generated")
    monkeypatch.setattr("platefleet.protocol.generate.__main__.documents", lambda: texts)
    assert main(["--check"]) == 1
    told = capsys.readouterr().out
    assert all(f"generated/{name}" in told for name in ("stale", "left-over", "deep/missing"))
    assert main([]) == 0
    assert main(["--check"]) == 0
    assert not (tmp_path / "generated" / "left-over").exists()


def test_writing_twice_gives_the_same() -> None:
    first = {path: write() for path, write in generate.documents().items()}
    assert first == {path: write() for path, write in generate.documents().items()}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_sample_fits_its_schema(kind: type[Message]) -> None:
    described = schema(kind)
    jsonschema.Draft7Validator.check_schema(described)
    validator = jsonschema.Draft7Validator(described)
    assert samples()[kind]
    for name, message in samples()[kind].items():
        problems = [error.message for error in validator.iter_errors(json_form(message))]
        assert not problems, name


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_schema_asks_for_the_version_and_knows_every_field_by_its_wire_name(kind: type[Message]) -> None:
    described = schema(kind)
    assert "version" in described["required"]
    assert list(described["properties"]) == [field.alias or name for name, field in kind.model_fields.items()]
    assert described["x-limit-bytes"] == kind.LIMIT_BYTES


def test_a_schema_refuses_what_decoding_refuses_of_values() -> None:
    validator = jsonschema.Draft7Validator(schema(KINDS["PlateEvent"]))
    good = vectors("PlateEvent")["vectors"][0]["json"]
    for change in ({"mean": 1.01}, {"plate_box": [1, 2, 3]}, {"text": "A" * 13}, {"pass": "x"}, {"version": 2}):
        assert list(validator.iter_errors(good | change)), change


def test_a_channel_for_each_kind_of_topic_with_its_address() -> None:
    assert list(ASYNCAPI["channels"]) == list(TOPICS)
    for kind, channel in ASYNCAPI["channels"].items():
        parameters = {name for name in ("device", "slot") if f"{{{name}}}" in channel["address"]}
        assert channel["address"].startswith("alpr/1/")
        assert set(channel.get("parameters", {})) == parameters
        assert list(channel["messages"]) == [TOPICS[kind].message.__name__]


def test_an_operation_for_each_sender_and_receiver_with_qos_and_retain() -> None:
    assert len(ASYNCAPI["operations"]) == sum(len(row.senders) + len(row.receivers) for row in TOPICS.values())
    sends = ASYNCAPI["operations"]["agentSendsPlate"]
    assert sends["action"] == "send"
    assert sends["bindings"]["mqtt"] == {
        "qos": 1,
        "retain": False,
        "messageExpiryInterval": 10,
        "bindingVersion": "0.2.0",
    }
    assert ASYNCAPI["operations"]["gateReceivesPlate"]["action"] == "receive"
    assert ASYNCAPI["operations"]["consoleSendsTrust"]["bindings"]["mqtt"]["retain"] is True


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        here = [value["$ref"]] if "$ref" in value else []
        return here + [found for inside in value.values() for found in references(inside)]
    return [found for inside in value for found in references(inside)] if isinstance(value, list) else []


def test_every_reference_leads_somewhere() -> None:
    found = references(ASYNCAPI)
    assert found
    for reference in found:
        file, _, pointer = reference.partition("#")
        target: Any = ASYNCAPI
        if file:
            target = json.loads((GENERATED / file).read_text(encoding="utf-8"))
        for part in filter(None, pointer.split("/")):
            target = target[part]
        assert isinstance(target, dict), reference


def test_the_page_names_every_topic_and_every_message() -> None:
    page = (generate.ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    for channel in ASYNCAPI["channels"].values():
        assert f"`{channel['address']}`" in page
    for name in KINDS:
        assert f"### {name}\n" in page
    assert "@@" not in page
