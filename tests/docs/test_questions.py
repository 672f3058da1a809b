"""docs/questions.md: what it shows is what the commands print."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from typer.testing import CliRunner

from platefleet.deploy.cli import app
from platefleet.fleet.store.port import Arrival
from platefleet.protocol.messages import Decision
from tests.question_builders import Site, a_stamp, an_event, kept, pass_id
from tests.record_builders import a_decision

PAGE = Path(__file__).resolve().parents[2] / "docs" / "questions.md"
SHOWN = re.compile(r"```console\n\$ (platefleet fleet [^\n]*)\n(.*?)```", re.DOTALL)


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def told_by_the_gate(seq: int, phase: str, at_s: float, body: Decision, took_ms: int = 0) -> Arrival:
    update = {"phase": phase, "decided": a_stamp(at_s, boot="gate"), "age_ms": 310, "took_ms": took_ms}
    decision = body.model_copy(update=update)
    return kept(decision, seq, device="gate-1", type="decision", at_s=round(at_s + 0.1, 1))


def a_morning(site: Site) -> None:
    """Four cars, one let in; two records are on their way, three are gone."""
    ms = {"wait": 12.0, "total": 148.0}
    site.commit(
        kept(an_event("BAB123", 1, at_s=0, told=a_stamp(0.18), ms=ms), 2, at_s=0.21),
        kept(an_event("BAB123", 1, at_s=1.4, revision=2, final=True, told=a_stamp(4.1)), 3, at_s=4.2),
        kept(an_event("8ABI23", 2, at_s=300, final=True, told=a_stamp(304)), 6, at_s=304.1),
        kept(an_event("", 3, at_s=420, final=True, unread="illegible", mean=0.0, minimum=0.0), 7, at_s=424),
        kept(an_event("XY99", 1, at_s=500), 1, device="south-1", at_s=500.3),
    )
    site.gone(8, 10, at_s=600)
    let_in = a_decision().model_copy(update={"pass_id": pass_id(1), "reason": "BAB123 is on the list"})
    near = {"pass_id": pass_id(2), "reason": "it looks like BAB123"}
    site.commit(
        told_by_the_gate(1, "intent", 0.31, let_in),
        told_by_the_gate(2, "result", 0.43, let_in, took_ms=118),
        told_by_the_gate(3, "refusal", 300.4, a_decision("not on the list").model_copy(update=near)),
    )


@pytest.mark.usefixtures("utc")
def test_the_page_shows_what_the_commands_print(tmp_path: Path) -> None:
    site = Site(tmp_path)
    a_morning(site)
    site.close()
    with create_engine(site.url).begin() as connection:
        connection.exec_driver_sql("UPDATE store SET id = 'store-1'")
    text = PAGE.read_text(encoding="utf-8")
    shown = SHOWN.findall(text)
    assert len(shown) == 4
    for command, output in shown:
        result = CliRunner().invoke(app, [*shlex.split(command)[1:], "--database", site.url], catch_exceptions=False)
        printed = "".join(f"{line.rstrip()}\n" for line in result.stdout.splitlines())
        assert output == printed, f"docs/questions.md: {command} prints\n{printed}"


def test_every_option_of_the_questions_stands_on_the_page_or_in_the_help() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for option in ("--follow", "--crops", "--like", "--check", "--older-than", "--since", "--all", "--json", "--csv"):
        assert option in text
