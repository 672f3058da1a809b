"""docs/operations.md: every command on the page can be given, and its day can be lived through as it is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from platefleet.agent.config import load as agent_settings
from platefleet.deploy import cli
from platefleet.fleet.console.book import Book
from platefleet.fleet.console.database import ConsoleDatabase
from platefleet.fleet.console.ordering import operation_of, told_arguments
from platefleet.fleet.gate.settings import load as gate_settings
from platefleet.fleet.keys import pkcs8
from platefleet.fleet.store.opening import open_store
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.clock_sync import stamped
from platefleet.protocol.messages import Hardware, Info, Presence
from tests.authority import Authority
from tests.command_lines import checked, words_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^ *```sh\n(.*?)^ *```", PAGE, flags=re.MULTILINE | re.DOTALL)
LINES = [line.strip() for block in BLOCKS for line in block.splitlines()]
ORDERED = [line for line in LINES if line.startswith("platefleet ")]
INSIDE = [re.sub(r"^sudo -u platefleet /opt/platefleet/bin/", "", line) for line in LINES if line.startswith("sudo -u")]
NAMED = [span for span in re.findall(r"`(platefleet [^`\n]+)`", PAGE) if "…" not in span]
EXAMPLE = "019ab3"
"""The command on the page whose id a reader has to put in."""


@pytest.mark.parametrize("line", [*ORDERED, *INSIDE, *NAMED])
def test_a_command_on_the_page_can_be_given(line: str) -> None:
    path = checked(cli, line)
    if path[1:] == ["fleet", "send"]:
        operation, *words = words_of(line)[3:]
        told_arguments(operation_of(operation), [word for word in words if "=" in word])


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


def test_every_section_of_another_page_that_is_named_is_there() -> None:
    for page, section in re.findall(r"\[(\w+\.md)\]\([^)]*\), \"([^\"]+)\"", PAGE):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert re.search(rf"^#+ {re.escape(section)}$", text, re.MULTILINE), (page, section)


@pytest.fixture
def day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Day]:
    monkeypatch.setattr(pkcs8, "COST", 16)
    monkeypatch.chdir(tmp_path)
    day = Day(tmp_path)
    yield day
    day.close()


class Day:
    """A centre with files of its own: the console's database and the store on SQLite, no broker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("media/stick-1", "media/stick-2", "backup"):
            (folder / name).mkdir(parents=True)
        (folder / "secret").write_text("correct horse\n")
        (folder / "secret").chmod(0o600)
        (folder / "ca.pem").write_bytes(Authority.make(folder / "authority").ca.read_bytes())
        (folder / "acl").write_text((ROOT / "deploy/broker/acl").read_text(encoding="utf-8"))
        self.clock = SystemClock()
        open_store(f"sqlite:///{folder}/store.db", clock=self.clock).close()
        self.database = ConsoleDatabase(f"sqlite:///{folder}/console.db", now_utc_ns=self.clock.now().utc_ns)

    def close(self) -> None:
        self.database.close()

    def give(self, line: str) -> Result:
        """Give a command of the page, with this folder in place of its places."""
        places = {"/media/": f"{self.folder}/media/", "~/": f"{self.folder}/", "/backup/": f"{self.folder}/backup/"}
        for there, here in places.items():
            line = line.replace(there, here)
        if EXAMPLE in line:
            line = line.replace(EXAMPLE, self.history("--open")[0]["command"])
        words = [word for word in words_of(line)[1:] if word != "--watch"]
        if words[0] == "gate":
            words += ["--config", str(self.folder / "enrolled/barrier-north/gate.toml")]
        done = CliRunner().invoke(cli.app, words, env=self.environment)
        assert done.exit_code == 0, (line, done.exception, done.stderr)
        return done

    @property
    def environment(self) -> dict[str, str]:
        return {
            "XDG_CONFIG_HOME": str(self.folder / ".config"),
            "PLATEFLEET_KEY_PASSPHRASE_FILE": str(self.folder / "secret"),
            "PLATEFLEET_KEY": str(self.folder / "anna.pem"),
            "PLATEFLEET_CONSOLE_DATABASE": f"sqlite:///{self.folder}/console.db",
            "PLATEFLEET_INGEST_DATABASE": f"sqlite:///{self.folder}/store.db",
            "PLATEFLEET_BROKER_PASSWORDS": str(self.folder / "passwords"),
            "PLATEFLEET_BROKER_ACL": str(self.folder / "acl"),
        }

    def history(self, *words: str) -> list[dict[str, str]]:
        told = CliRunner().invoke(cli.app, ["fleet", "history", *words, "--json"], env=self.environment).stdout
        return [json.loads(line) for line in told.splitlines()]

    def put_up(self, device: str, install: str) -> None:
        """Let a device be heard of for the first time, as it is when it was put up."""
        now = self.clock.now()
        book = Book(self.database)
        book.heard_presence(device, Presence(state="online", incarnation="1" * 32), now.utc_ns)
        info = Info(
            device=device,
            kind="agent",
            software="platefleet 0.1.0",
            started=stamped(now, "boot-1", "synced"),
            install=install,
            hardware=Hardware(model="Jetson Orin", cpu="arm", cores=6, memory_bytes=8 << 30),
            trust_version=1,
        )
        book.heard_info(info, now.utc_ns)


def test_the_day_can_be_lived_through_as_it_is_written(day: Day) -> None:
    put_up = 0
    for line in ORDERED:
        if line == "platefleet fleet watch":  # until devices answer, and here are none
            continue
        day.give(line)
        if " enroll north-1 " in line:
            put_up += 1
            day.put_up("north-1", str(put_up) * 32)
    assert put_up == 2
    given = [row["operation"] for row in day.history()]
    sent = [words_of(line)[3] for line in ORDERED if " fleet send " in line and "--dry-run" not in line]
    assert sorted(given) == sorted(sent)
    assert {"snapshot", "fetch", "build", "activate", "rollback"} <= set(given)
    assert day.history("--open") == []
    assert "north-1:" not in (day.folder / "passwords").read_text()


def test_what_enroll_makes_are_settings(day: Day) -> None:
    for line in ORDERED:
        if " keys " in line or " enroll " in line:
            day.give(line)
    made = agent_settings(day.folder / "enrolled/north-1/agent.toml", {})
    assert (made.device, len(made.commands.roots)) == ("north-1", 2)
    assert gate_settings(day.folder / "enrolled/barrier-north/gate.toml").lanes[0].device == "north-1"
    hosts = PAGE.partition("```toml\n[commands]\n")[2].partition("```")[0]
    path = day.folder / "enrolled/north-1/agent.toml"
    path.write_text(path.read_text().replace("[commands]\n", f"[commands]\n{hosts}"))
    assert agent_settings(path, {}).commands.hosts == ("models.example:8443",)
