"""docs/console.md: every command of the page works, in its order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from platefleet.deploy.cli import app
from platefleet.fleet.console.asked import Asked
from platefleet.fleet.console.book import Book
from platefleet.fleet.console.database import ConsoleDatabase
from platefleet.fleet.keys import pkcs8
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.messages.desired import Reported
from tests.authority import Authority
from tests.console_builders import a_presence, an_info

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "console.md").read_text(encoding="utf-8")
LINES = re.findall(r"^    platefleet (.+)$", PAGE, flags=re.MULTILINE)
STAYS = {"console run --config console.toml", "fleet watch"}
"""They end only when they are told to; tests of their own run them."""


def test_every_command_of_the_page_works_in_its_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkcs8, "COST", 16)
    monkeypatch.chdir(tmp_path)
    for name, text in (
        ("secret", "correct horse\n"),
        ("ca.pem", Authority.make(tmp_path / "authority").ca.read_text()),
        ("acl", ""),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    (tmp_path / "console.toml").write_text((ROOT / "deploy" / "console.example.toml").read_text())
    environment = {
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "PLATEFLEET_KEY_PASSPHRASE_FILE": str(tmp_path / "secret"),
        "PLATEFLEET_KEY": str(tmp_path / "config/platefleet/keys/anna.pem"),
        "PLATEFLEET_CONSOLE_DATABASE": f"sqlite:///{tmp_path}/console.db",
        "PLATEFLEET_BROKER_PASSWORDS": str(tmp_path / "passwords"),
        "PLATEFLEET_BROKER_ACL": str(tmp_path / "acl"),
    }

    def run(line: str) -> str:
        done = CliRunner().invoke(app, shlex.split(line), env=environment)
        assert done.exit_code == 0, (line, done.exception, done.stderr)
        return done.stdout

    for name in ("vault", "safe"):
        run(f"keys new --root {name} --out {name}.pem")
    run("keys new --operator anna --role administrator")
    run(f"keys trust {tmp_path}/config/platefleet/keys/anna.pub --by vault.pem")
    now_ns = SystemClock().now().utc_ns
    database = ConsoleDatabase(environment["PLATEFLEET_CONSOLE_DATABASE"], now_utc_ns=now_ns)
    book, asked = Book(database), Asked(database)
    assert set(LINES) > STAYS
    for line in LINES:
        if line in STAYS:
            continue
        open_ = asked.history(open_=True)
        run(line.replace("COMMAND", open_[0].id[-12:] if open_ else ""))
        if line.startswith("fleet enroll north-1"):  # it is set up, and comes
            book.heard_presence("north-1", a_presence(), now_ns)
            book.heard_info(an_info(reported=Reported(active={"plate": "3fa2b1" + "0" * 26})), now_ns)
    assert sorted(row.operation for row in asked.history()) == ["benchmark", "build", "set-window"]
    database.close()


def test_every_command_of_the_console_stands_on_the_page_once() -> None:
    said = CliRunner().invoke(app, ["console", "--help"], env={"COLUMNS": "200"}).stdout
    console = {name for name in ("run", "trust", "backup", "restore") if name in said}
    fleet = {"devices", "show", "send", "cancel", "operations", "status", "watch", "why", "history", "desire", "enroll"}
    told = {tuple(line.split()[:2]) for line in LINES}
    assert {("console", name) for name in console} | {("fleet", name) for name in (*fleet, "retire")} <= told
    assert len(console) == 4
