"""What docs/gate.md shows works as it stands there."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from pydantic import BaseModel

from platefleet.fleet.gate.allow_list import parse
from platefleet.fleet.gate.document import PATH, TABLES, settings_table
from platefleet.fleet.gate.settings import load
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.delivery.memory import MemoryOutbox
from platefleet.protocol.delivery.uplink import Uplink
from platefleet.protocol.session import Session
from tests.gate_builders import an_event
from tests.mosquitto import Mosquitto
from tests.until import until

TEXT = PATH.read_text(encoding="utf-8")
CLOCK = SystemClock()


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found
    return found[1]


def test_the_settings_are_settings(tmp_path: Path) -> None:
    path = tmp_path / "gate.toml"
    path.write_text(block("toml"))
    assert load(path).name == "gate-1"


def test_what_is_off_by_default_can_be_added_as_it_is_written(tmp_path: Path) -> None:
    base, alarm, held, passback = re.findall(r"```toml\n(# gate.toml.*?)```", TEXT, re.DOTALL)
    outputs = "".join(f'[outputs.{name}]\nkind = "print"\n' for name in ("hold", "release"))
    path = tmp_path / "gate.toml"
    path.write_text("\n".join((base, held, 'area = "yard"\nway = "in"', alarm, passback, outputs)))
    settings = load(path)
    assert settings.alarm is not None
    assert settings.passback is not None
    assert settings.passback.mode == "hard"
    assert settings.lanes[0].outputs() == ("barrier", "hold", "release")
    assert settings.lanes[0].held[0].hours().weekdays == frozenset(range(5))


def test_the_allow_list_is_one() -> None:
    assert [e.plate for e in parse(block("csv").encode(), "docs").entries] == ["BAB1234", "MXY99"]


def test_every_setting_is_described() -> None:
    assert settings_table() in TEXT
    for _, model in TABLES:
        for name, field in model.model_fields.items():
            table = name in {
                "broker",
                "allow_list",
                "matching",
                "outputs",
                "lanes",
                "kind",
                "alarm",
                "passback",
                "outbox",
            }
            assert table or field.description, f"{model.__name__}.{name}"
    assert all(issubclass(model, BaseModel) for _, model in TABLES)


@pytest.mark.broker
def test_the_ten_lines_of_a_controller_open_for_a_resident(
    mosquitto: Mosquitto, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = block("python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    code = code.replace('Broker("127.0.0.1")', f'Broker("127.0.0.1", {mosquitto.port})')
    code = code.replace('"gate.journal"', repr(str(tmp_path / "gate.journal")))
    names: dict[str, object] = {}
    thread = threading.Thread(target=exec, args=(code, names), daemon=True)
    thread.start()
    outbox = MemoryOutbox(clock=CLOCK)
    uplink = Uplink(Session("north-1", mosquitto.broker, clock=CLOCK), outbox, clock=CLOCK)
    uplink.start()
    record = outbox.append("plate", an_event("BAB1234"))
    printed = ""

    def lifted() -> bool:
        nonlocal printed
        uplink.tell(record, CLOCK.now().mono_ns)
        printed += capsys.readouterr().out
        return (
            "lifting entry for BAB1234" in printed
            and "north-1/entry is to be opened: BAB1234 (" in printed
            and "north-1/entry opened: BAB1234 (" in printed
        )

    until(lifted)
    names["gate"].stop()  # type: ignore[attr-defined]
    thread.join(5)
    uplink.stop()
    assert not thread.is_alive()
