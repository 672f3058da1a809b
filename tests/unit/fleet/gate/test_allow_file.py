"""The allow-list's file while a gate runs, and while people edit it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from platefleet.fleet.gate.allow_edit import add, remove
from platefleet.fleet.gate.allow_file import AllowFile
from platefleet.fleet.gate.allow_list import ALPHABET
from platefleet.fleet.gate.listing import as_csv, as_table, read
from platefleet.protocol.errors import GateError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "allow.csv"
    path.write_text("plate,name\nAB1,first\n")
    return path


def watched(path: Path) -> AllowFile:
    file = AllowFile(path, path.with_name("kept.csv"))
    file.open()
    return file


def plates(file: AllowFile) -> list[str]:
    return [entry.plate for entry in file.list.entries]


def change(path: Path, text: str) -> None:
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before + 10**9, before + 10**9))


def test_a_change_is_read_once_it_lies_still(path: Path) -> None:
    file = watched(path)
    assert file.poll() is None
    change(path, "plate\nAB1\nAB2\n")
    assert file.poll() is None
    assert file.poll() is file.list
    assert plates(file) == ["AB1", "AB2"]
    assert file.poll() is None


def test_a_file_that_is_still_being_written_is_not_read(path: Path) -> None:
    file = watched(path)
    for half in ("plate\n", "plate\nAB", "plate\nAB1\nAB2"):
        change(path, half)
        assert file.poll() is None
    assert plates(file) == ["AB1"]


@pytest.mark.parametrize("broken", ["plate\nAB!\n", "", "nonsense\n"])
def test_with_a_broken_line_the_last_good_list_stays_and_the_line_is_told(path: Path, broken: str) -> None:
    file = watched(path)
    change(path, broken)
    assert [file.poll(), file.poll(), file.poll()] == [None, None, None]
    assert plates(file) == ["AB1"]
    assert "stays in force" in file.problem
    change(path, "plate\nAB3\n")
    file.poll()
    assert file.poll() is not None
    assert (plates(file), file.problem) == (["AB3"], "")


def test_a_file_that_is_away_leaves_the_last_good_list(path: Path) -> None:
    file = watched(path)
    path.unlink()
    assert [file.poll(), file.poll()] == [None, None]
    assert plates(file) == ["AB1"]
    assert "cannot be read" in file.problem


def test_touching_a_file_is_no_new_list(path: Path) -> None:
    file = watched(path)
    change(path, path.read_text())
    assert [file.poll(), file.poll()] == [None, None]


def test_a_gate_that_restarts_beside_a_broken_file_goes_on_with_the_last_good_one(path: Path) -> None:
    watched(path)
    change(path, "plate\nAB!\n")
    file = watched(path)
    assert plates(file) == ["AB1"]
    assert "line 2" in file.problem


def test_a_gate_that_never_had_a_good_list_does_not_start(path: Path) -> None:
    change(path, "plate\nAB!\n")
    with pytest.raises(GateError, match="line 2"):
        watched(path)


def test_adding_keeps_every_other_byte_and_the_files_own_ways(path: Path) -> None:
    before = "\ufeff# residents\r\nname;plate;weekdays\r\n'x';b-ab 1;mon\r\n".encode()
    path.write_bytes(before)
    path.chmod(0o640)
    assert add(path, {"plate": "AB2", "name": "a;b", "weekdays": "mon-fri"})
    assert path.read_bytes() == before + b'"a;b";AB2;mon-fri\r\n'
    assert path.stat().st_mode & 0o777 == 0o640
    assert not add(path, {"plate": "AB2", "name": "a;b", "weekdays": "mon-fri"})


def test_a_list_that_is_not_there_is_made(tmp_path: Path) -> None:
    assert add(tmp_path / "new.csv", {"plate": "AB1"})
    assert (tmp_path / "new.csv").read_text() == "plate,valid_from,valid_until,weekdays,name\nAB1,,,,\n"


def test_removing_takes_every_line_of_a_plate_and_no_other(path: Path) -> None:
    path.write_text("# all\nplate,name\nAB 1,first\nAB2,x\n\na-b1,again\n# end")
    assert remove(path, "ab1") == 2
    assert path.read_text() == "# all\nplate,name\nAB2,x\n\n# end"
    assert remove(path, "ab1") == 0


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"plate": "AB2", "name": "=1+1"}, "formula"),
        ({"plate": "AB2", "name": "a\nplate"}, "cannot be shown"),
        ({"plate": "AB2", "weekdays": "someday"}, "no weekday"),
        ({"plate": "AB2", "valid_until": "2026-12-31"}, "its header has no"),
    ],
)
def test_what_would_break_the_file_is_refused_and_the_file_stays(path: Path, cells: dict[str, str], said: str) -> None:
    before = path.read_bytes()
    with pytest.raises(GateError, match=said):
        add(path, cells)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["allow.csv"]


def test_a_broken_file_is_not_edited(path: Path) -> None:
    path.write_text("plate\nAB!\n")
    with pytest.raises(GateError, match="line 2"):
        add(path, {"plate": "AB2"})


def test_two_edits_at_once_lose_nothing(path: Path) -> None:
    numbers = range(10, 40)
    threads = [threading.Thread(target=add, args=(path, {"plate": f"AB{n}"})) for n in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {e.plate for e in read(path, ALPHABET)} == {"AB1", *(f"AB{n}" for n in numbers)}


def test_names_can_steer_neither_a_terminal_nor_a_spreadsheet(path: Path) -> None:
    path.write_text("plate,name\nAB1,\x1b]0;x\x07\nAB2,=cmd()\nAB3,\u202eevil\n")
    entries = read(path, ALPHABET)
    assert as_table(entries).replace("\n", "").isprintable()
    assert as_csv(entries).splitlines()[1:] == ["AB1,,,,\\x1b]0;x\\x07", "AB2,,,,'=cmd()", "AB3,,,,\\u202eevil"]
