"""The console's settings file: what it says, and the one sentence that a mistake in it gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from platefleet.fleet.console.running import check
from platefleet.fleet.console.settings import ConsoleSettings, load
from platefleet.protocol.errors import ConfigError

BROKER = '[broker]\nhost = "localhost"\n'


def loaded(folder: Path, text: str) -> ConsoleSettings:
    (folder / "console.toml").write_text(text)
    settings = load(folder / "console.toml")
    check(settings)
    return settings


def test_the_example_can_be_used_as_it_is(tmp_path: Path) -> None:
    example = Path(__file__).resolve().parents[4] / "deploy" / "console.example.toml"
    assert loaded(tmp_path, example.read_text()).client == "console"


def test_files_lie_beside_the_settings_wherever_the_program_was_started(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("one\n")
    settings = loaded(
        tmp_path, f'database = "sqlite:///console.db"\n{BROKER}username = "console"\npassword_file = "secret"\n'
    )
    assert settings.database == f"sqlite:///{tmp_path}/console.db"
    assert settings.broker.broker(settings.folder).password == "one"
    whole = "sqlite:////var/lib/platefleet/console.db"
    assert loaded(tmp_path, f'database = "{whole}"\n{BROKER}').database == whole
    away = "postgresql://platefleet@database/console"
    assert loaded(tmp_path, f'database = "{away}"\n{BROKER}').database == away


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "broker"),
        (f"{BROKER}prot = 1\n", "prot"),
        (f'{BROKER}password_file = "none"\n', "broker.password_file"),
        (f"{BROKER}[alarms]\nsilent_after_s = 1\n", "silent_after_s"),
        (f'{BROKER}[alarms]\nwebhook = "ftp://x"\n', "ftp"),
        (f'{BROKER}[alarms]\nwebhook = "https://x/"\ncommand = ["y"]\n', "exclude each other"),
        (f'database = "mysql://x/y"\n{BROKER}', "mysql"),
        ("=", "console.toml"),
    ],
)
def test_a_mistake_is_named_by_its_key(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        loaded(tmp_path, text)
