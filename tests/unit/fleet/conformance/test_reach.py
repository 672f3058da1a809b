"""What the command line says becomes a broker and restarts, or one sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from platefleet.fleet.conformance.reach import broker_of, restart_by
from platefleet.protocol.errors import ConfigError
from platefleet.protocol.session import Tls


def test_a_broker_is_reached_by_name_or_by_name_and_port() -> None:
    assert broker_of("broker.example", "", None, None).port == 1883
    assert broker_of("broker.example", "", None, Tls()).port == 8883
    assert broker_of("[::1]:1884", "", None, None).host == "::1"


def test_the_password_comes_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    assert broker_of("b", "kit", tmp_path / "password", None).password == "s3cret"
    monkeypatch.setenv("PLATEFLEET_CONFORMANCE_PASSWORD", "other")
    assert broker_of("b", "kit", None, None).password == "other"
    with pytest.raises(ConfigError, match=r"--password-file: .* cannot be read"):
        broker_of("b", "kit", tmp_path / "none", None)


@pytest.mark.parametrize("address", ["", ":1", "b:port", "b:99999"])
def test_an_address_that_is_none_is_one_sentence(address: str) -> None:
    with pytest.raises(ConfigError, match="broker"):
        broker_of(address, "", None, None)


def test_a_restart_runs_its_command_without_a_shell(tmp_path: Path) -> None:
    made = tmp_path / "b c"
    restart_by("--restart-command", f"touch '{made}'")()
    assert made.exists()


@pytest.mark.parametrize("command", ["", "   ", "'unclosed"])
def test_a_command_that_is_none_is_one_sentence(command: str) -> None:
    with pytest.raises(ConfigError, match="--restart-command"):
        restart_by("--restart-command", command)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("/nonexistent/program", "No such file"),
        (f"{sys.executable} -c 'import sys; sys.exit(\"no broker here\")'", "ended with status 1 .no broker here"),
    ],
)
def test_a_command_that_fails_is_one_sentence(command: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        restart_by("--restart-command", command)()
