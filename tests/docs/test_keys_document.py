"""The ceremony in docs/keys.md can be held as it is written, command after command."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from platefleet.fleet.keys import pkcs8
from platefleet.fleet.keys.cli import app

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "keys.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    """The page's indented commands, in their order."""
    return re.findall(r"^    platefleet keys (.+)$", PAGE, flags=re.MULTILINE)


def test_every_command_of_the_page_works_in_its_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkcs8, "COST", 16)
    monkeypatch.chdir(tmp_path)
    for stick in ("stick-1", "stick-2"):
        (tmp_path / stick).mkdir()
    (tmp_path / "secret").write_text("correct horse\n")
    (tmp_path / "secret").chmod(0o600)
    environment = {
        "XDG_CONFIG_HOME": str(tmp_path / ".config"),
        "PLATEFLEET_KEY_PASSPHRASE_FILE": str(tmp_path / "secret"),
    }

    def run(line: str) -> str:
        here = line.replace("/media/", f"{tmp_path}/").replace("~/", f"{tmp_path}/")
        done = CliRunner().invoke(app, shlex.split(here), env=environment)
        assert done.exit_code == 0, (line, done.exception, done.stderr)
        for public in (tmp_path / ".config" / "platefleet" / "keys").glob("*.pub"):
            shutil.copy(public, tmp_path)  # handed over
        return done.stdout

    assert len(commands()) >= 9
    for line in commands():
        run(line)
    trust = json.loads(run("show --json"))
    assert [(each["name"], each["role"]) for each in trust["keys"]] == [("bert", "operator")]
    assert len(trust["revoked"]) == 2  # both of anna's


def test_every_option_and_variable_that_the_page_names_exists() -> None:
    known = "".join(
        CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "400"}).stdout
        for name in ("new", "show", "trust", "rotate", "revoke")
    )
    known = re.sub(r"\x1b\[[0-9;]*m", "", known)  # where colours are forced
    named = set(re.findall(r"--[a-z][a-z-]+|PLATEFLEET_[A-Z_]+", PAGE))
    assert len(named) > 10
    assert {each for each in named if each not in known} == set()
