"""The demo as a person runs it: a program of its own, with the real models, broker, store and gate."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from platefleet.models.fetching import cache_folder
from platefleet.models.weights import Materials
from tests.until import BUSY

DEMO = [sys.executable, "-m", "platefleet.deploy.cli", "demo"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return {**os.environ, "TMPDIR": str(scratch), "COLUMNS": "120", "PLATEFLEET_OFFLINE": "1"}


def left_behind(scratch: Path) -> list[Path]:
    """What is in the temporary folder, without the session id that ONNX Runtime puts there when it is imported."""
    return [path for path in scratch.iterdir() if path.name != ".ses"]


@pytest.mark.materials
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_car_of_the_demo_has_one_pass_and_every_record_is_committed(
    materials: Materials, tmp_path: Path, environment: dict[str, str]
) -> None:
    out = tmp_path / "out"
    # It looks at every frame, however long that takes; tests beside it that wait for a moment do not.
    command = ["nice", "-n", "10", *DEMO, "--out", out]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout
    assert "wrong:" not in told
    assert told.count("opened") > 2
    assert "not on the list" in told
    assert "unread: cut by the frame" in told
    assert len(list((out / "pictures").glob("*.jpg"))) == 12
    assert not left_behind(tmp_path / "scratch")


@pytest.mark.materials
@pytest.mark.slow
@pytest.mark.parametrize(("when", "seed"), [("rendering the clip", "9999"), ("cars are coming", "1")])
def test_ctrl_c_stops_the_demo_and_leaves_nothing_behind(
    materials: Materials, tmp_path: Path, environment: dict[str, str], when: str, seed: str
) -> None:
    command = [*DEMO, "--out", tmp_path / "out", "--seed", seed]
    if "rendering" in when:  # a clip that is there is not rendered
        for clip in (cache_folder() / "clips").glob(f"demo-{seed}-*"):
            clip.unlink(missing_ok=True)
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    while when not in running.stdout.readline():
        assert running.poll() is None
    asked_s = time.monotonic()
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=30) == 130
    assert time.monotonic() - asked_s < 3.0 * BUSY  # two seconds, and one for a busy machine
    assert not left_behind(tmp_path / "scratch")
    assert not list((cache_folder() / "clips").glob(f".{running.pid}-*"))


@pytest.mark.materials
@pytest.mark.slow
def test_the_demo_ends_when_nobody_reads_it_any_more(
    materials: Materials, tmp_path: Path, environment: dict[str, str]
) -> None:
    command = [*DEMO, "--out", tmp_path / "out"]
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    while "cars are coming" not in running.stdout.readline():
        assert running.poll() is None
    running.stdout.close()
    assert running.wait(timeout=120) == 130
    assert not left_behind(tmp_path / "scratch")


def test_a_folder_with_something_else_in_it_is_not_emptied(tmp_path: Path, environment: dict[str, str]) -> None:
    keep = tmp_path / "photos" / "holiday.jpg"
    keep.parent.mkdir()
    keep.write_bytes(b"dear")
    done = subprocess.run([*DEMO, "--out", keep.parent], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "name another folder with --out" in done.stderr
    assert keep.read_bytes() == b"dear"
