"""Where the outbox lies, and what `agent check` says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from platefleet.agent.check import outbox as check_outbox
from platefleet.agent.disk import look_at_outbox, outbox_file
from platefleet.agent.settings.tree import Settings
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.delivery.durable import open_outbox
from platefleet.protocol.errors import ConfigError
from tests.painted_lane import settings_of

LEAST = 1 << 20


def settings(**outbox: object) -> Settings:
    return settings_of({"kind": "v4l2"}, outbox=outbox)


def made(path: Path) -> Path:
    open_outbox(path, clock=SystemClock()).close()
    return path


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"STATE_DIRECTORY": "/var/lib/platefleet:/var/lib/more", "XDG_STATE_HOME": "/x"}, "/var/lib/platefleet"),
        ({"XDG_STATE_HOME": "/home/me/state"}, "/home/me/state/platefleet"),
        ({"XDG_STATE_HOME": "state"}, "~/.local/state/platefleet"),
        ({}, "~/.local/state/platefleet"),
    ],
)
def test_without_a_setting_it_lies_where_a_programs_state_does(environ: dict[str, str], folder: str) -> None:
    assert outbox_file(settings(), environ) == Path(folder).expanduser() / "gate-north.outbox"


def test_a_setting_counts_more_and_a_relative_path_begins_at_the_settings_file(tmp_path: Path) -> None:
    assert outbox_file(settings(file=str(tmp_path / "o")), {"STATE_DIRECTORY": "/var/lib"}) == tmp_path / "o"
    raw = settings(file="o").model_dump(mode="json", exclude_none=True)
    raw["outbox"]["file"] = "o"
    placed = Settings.model_validate(raw, context={"folder": tmp_path})
    assert outbox_file(placed, {}) == tmp_path / "o"


def test_the_check_looks_at_the_file_that_is_set_and_at_the_least_space(tmp_path: Path) -> None:
    file = {"file": str(tmp_path / "o")}
    assert str(tmp_path / "o") in check_outbox(settings(**file))
    with pytest.raises(ConfigError, match=f"{tmp_path}/o"):
        check_outbox(settings_of({"kind": "v4l2"}, outbox=file, health={"disk_least_bytes": 1 << 60}))


def test_an_outbox_that_is_not_there_yet_is_fine_and_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "gate.outbox"
    assert look_at_outbox(path, LEAST).startswith(f"{path}, not yet made, ")
    assert not path.parent.exists()


def test_one_that_is_there_is_told_with_its_size_and_one_in_use_too(tmp_path: Path) -> None:
    path = made(tmp_path / "gate.outbox")
    assert " KB, " in look_at_outbox(path, LEAST)
    running = open_outbox(path, clock=SystemClock())
    try:
        assert look_at_outbox(path, LEAST).startswith(f"{path}, ")
    finally:
        running.close()


def test_a_damaged_one_fails_and_one_kept_beside_is_told(tmp_path: Path) -> None:
    path = tmp_path / "gate.outbox"
    path.write_bytes(b"no database, " * 500)
    with pytest.raises(ConfigError, match=r"cannot be opened .*; the agent keeps it beside and begins a new one"):
        look_at_outbox(path, LEAST)
    made(path)
    assert look_at_outbox(path, LEAST).endswith("; 1 damaged kept beside, see gate.outbox.broken-*")


def test_a_folder_that_is_none_a_full_disk_and_a_folder_in_its_place_fail_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"its folder .*file is no folder; name another file by outbox.file"):
        look_at_outbox(tmp_path / "file" / "gate.outbox", LEAST)
    with pytest.raises(ConfigError, match=r"MB free, less than \d+; make room"):
        look_at_outbox(tmp_path / "gate.outbox", 1 << 60)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match=r"is no file that can be read and written"):
        look_at_outbox(tmp_path / "folder", LEAST)


def test_a_folder_that_cannot_be_written_fails_with_what_to_do() -> None:
    with pytest.raises(
        ConfigError, match=r"its folder /proc cannot be written \(.*\); check its owner, or name another"
    ):
        look_at_outbox(Path("/proc/gate.outbox"), LEAST)  # where not even root makes files
