"""`platefleet gate`, as a person types it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from platefleet.deploy.demo.broker import free_port
from tests.until import BUSY

ALLOW = "plate,valid_from,valid_until,weekdays,name\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gate.toml").write_text(
        f"""
name = "gate-1"
journal = "gate.journal"
[broker]
port = {free_port()}
[allow_list]
file = "allow.csv"
[outputs.barrier]
kind = "print"
[[lanes]]
device = "north-1"
lane = "entry"
output = "barrier"
"""
    )
    (tmp_path / "allow.csv").write_text(ALLOW)
    return tmp_path


def argv(folder: Path, *words: str) -> list[str]:
    program = "from platefleet.deploy.cli import main; main()"
    return [sys.executable, "-c", program, "gate", *words, "--config", str(folder / "gate.toml")]


def gate(folder: Path, *words: str) -> tuple[int, str, str]:
    ended = subprocess.run(argv(folder, *words), check=False, capture_output=True, text=True)
    return ended.returncode, ended.stdout, ended.stderr


def test_the_list_is_shown_and_changed(folder: Path) -> None:
    added = gate(folder, "allow", "add", "b-ab 1", "--until", "2099-12-31", "--weekdays", "mon-fri", "--name", "Müller")
    assert added == (0, f"BAB1 added to {folder / 'allow.csv'}\n", "")
    assert gate(folder, "allow", "list")[1].split() == [
        "BAB1",
        *["until", "2099-12-31", "on", "mon", "tue", "wed", "thu", "fri", "Müller"],
    ]
    assert gate(folder, "allow", "remove", "B AB1")[0] == 0
    assert (folder / "allow.csv").read_text() == ALLOW
    status, _, said = gate(folder, "allow", "remove", "BAB1")
    assert (status, "BAB1 is not in" in said, len(said.splitlines())) == (1, True, 1)


def test_a_line_that_somebody_may_not_have_meant_is_added_with_a_remark(folder: Path) -> None:
    status, out, said = gate(folder, "allow", "add", "AB12", "--until", "2020-01-31")
    assert (status, out) == (0, f"AB12 added to {folder / 'allow.csv'}\n")
    assert said == "AB12: until 2020-01-31 is past, so this line lets nobody in any more\n"
    again = "AB12 stands in the list more than once (line 2: until 2020-01-31): any one line lets it in\n"
    assert gate(folder, "allow", "add", "A-B 12")[1:] == (f"AB12 added to {folder / 'allow.csv'}\n", again)


def test_opening_by_hand_needs_neither_broker_nor_controller(folder: Path) -> None:
    status, out, _ = gate(folder, "open", "entry", "--reason", "fire brigade")
    assert status == 0
    assert out.splitlines()[0] == "open north-1/entry by hand"
    assert "north-1/entry opened in" in out
    status, _, said = gate(folder, "open", "exit\x1b[2J", "--reason", "fire brigade")
    assert status == 1
    assert "\x1b" not in said
    assert "there is no such lane; name one of north-1/entry" in said


def test_a_running_gate_without_a_broker_is_opened_by_hand_and_ends_within_two_seconds(folder: Path) -> None:
    running = subprocess.Popen(argv(folder, "run"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        while not (folder / "gate.journal.sock").exists():
            assert running.poll() is None
            time.sleep(0.05)
        status, out, said = gate(folder, "open", "entry", "--reason", "no broker at all")
        assert (status, said) == (0, "")
        assert out.startswith("north-1/entry opened in")
        status, _, said = gate(folder, "run")
        assert status == 1
        assert f"process {running.pid} has this journal" in said
    finally:
        began = time.monotonic()
        running.send_signal(signal.SIGTERM)
        out, _ = running.communicate(timeout=10)
    assert time.monotonic() - began < 2.5 * BUSY
    assert running.returncode == 0
    assert "open north-1/entry by hand" in out
    said = next(each for each in out.splitlines() if "north-1/entry opened by hand" in each)
    when, _ = said.split(" north-1/entry ")
    assert abs(datetime.fromisoformat(when).timestamp() - time.time()) < 600
    assert datetime.fromisoformat(when).utcoffset() == datetime.now().astimezone().utcoffset()
    assert "no broker at all" in out


def test_what_needs_a_controller_says_how_to_start_one(folder: Path) -> None:
    said = "no controller runs with this journal; start `platefleet gate run`."
    for words in (["hold", "entry", "--reason", "removal van"], ["forgive", "B-AB 1"]):
        assert gate(folder, *words) == (1, "", f"platefleet: {folder / 'gate.journal'}: {said}\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--until", "2026-02-30"], "--until: 2026-02-30 is no day; write it as 2026-12-31."),
        (["--from", "soon"], "--from: soon is no day; write it as 2026-12-31."),
        (["--weekdays", "weekend"], "--weekdays: weekend is no weekday; write them as mon-fri or sat sun."),
        (
            ["--from", "2026-12-31", "--until", "2026-01-01"],
            "--from: 2026-12-31 lies after --until 2026-01-01; exchange them.",
        ),
    ],
)
def test_a_cell_that_no_list_takes_is_told_of_its_option_and_not_of_the_file(
    folder: Path, words: list[str], sentence: str
) -> None:
    assert gate(folder, "allow", "add", "AB12", *words) == (1, "", f"platefleet: {sentence}\n")
    assert (folder / "allow.csv").read_text() == ALLOW


def test_each_of_several_problems_has_a_line(folder: Path) -> None:
    path = folder / "gate.toml"
    path.write_text(path.read_text().replace('output = "barrier"', 'output = "barier"\nhold_output = "holder"'))
    (folder / "allow.csv").write_text(f"{ALLOW}AB1,soon\nAB2,,,weekend\n")
    status, _, said = gate(folder, "run")
    assert (status, said.splitlines()) == (
        1,
        [
            f"platefleet: {path}: lanes[0].output: there is no [outputs.barier]; known here: barrier.",
            f"platefleet: {path}: lanes[0].hold_output: there is no [outputs.holder]; known here: barrier.",
        ],
    )
    path.write_text(path.read_text().replace("barier", "barrier").replace('hold_output = "holder"', "lanes = 5"))
    status, _, said = gate(folder, "run")
    assert (status, len(said.splitlines())) == (1, 1)
    path.write_text(path.read_text().replace("lanes = 5", ""))
    status, _, said = gate(folder, "allow", "list")
    assert (status, said.splitlines()) == (
        1,
        [
            f"platefleet: {folder / 'allow.csv'}: line 2: soon is no day; write it as 2026-12-31.",
            f"platefleet: {folder / 'allow.csv'}: line 3: weekend is no weekday; write them as mon-fri or sat sun.",
        ],
    )


def test_settings_that_cannot_be_used_are_one_sentence(folder: Path) -> None:
    path = folder / "gate.toml"
    path.write_text(path.read_text().replace('output = "barrier"', 'output = "barier"'))
    status, _, said = gate(folder, "run")
    assert status == 1
    assert len(said.splitlines()) == 1
    assert "lanes[0].output: there is no [outputs.barier]; known here: barrier" in said
    assert sorted(os.listdir(folder)) == ["allow.csv", "gate.toml"]
