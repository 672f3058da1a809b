"""The systemd units of `deploy/`: what systemd says of them, and what their hardening leaves the programs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from platefleet.deploy import cli
from tests.command_lines import checked
from tests.filtered import installed

ROOT = Path(__file__).resolve().parents[3]
UNITS = sorted((ROOT / "deploy").rglob("*.service"))
PROGRAMS = "/opt/platefleet/bin"
ASKS_THE_KERNEL = """
import ctypes, os
told = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(1024))
print(told, os.strerror(ctypes.get_errno()))
"""

each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)


def setting(unit: Path, name: str) -> list[str]:
    """Return the values of one setting of a unit."""
    lines = unit.read_text(encoding="utf-8").splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{name}=")]


def test_there_is_a_unit_for_everything_that_runs_for_ever() -> None:
    assert [unit.name for unit in UNITS] == [
        "platefleet-console.service",
        "platefleet-ingest.service",
        "platefleet-gate.service",
        "platefleet-agent.service",
    ]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_finds_nothing_amiss_in_them(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("platefleet", "python"):  # it looks whether they are there, and runs nothing
        (programs / name).symlink_to("/bin/true")
    for unit in UNITS:
        here = unit.read_text(encoding="utf-8").replace(PROGRAMS, str(programs))
        (tmp_path / unit.name).write_text(here, encoding="utf-8")
    verify = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / unit.name) for unit in UNITS)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@each_unit
def test_a_unit_starts_a_command_that_exists_and_never_gives_up(unit: Path) -> None:
    (started,) = setting(unit, "ExecStart")
    assert started.startswith(f"{PROGRAMS}/platefleet ")
    checked(cli, started.removeprefix(f"{PROGRAMS}/"))
    assert (setting(unit, "Restart"), setting(unit, "StartLimitIntervalSec")) == (["always"], ["0"])
    assert setting(unit, "User") == ["platefleet"]


@pytest.mark.parametrize("name", ["jetson/platefleet-agent", "gate/platefleet-gate"])
def test_who_uses_devices_may_reach_them(name: str) -> None:
    unit = ROOT / "deploy" / f"{name}.service"
    hidden = ("PrivateDevices", "ProtectClock", "DevicePolicy", "DeviceAllow")
    assert {each: setting(unit, each) for each in hidden} == {each: [] for each in hidden}


@pytest.mark.skipif(not installed(), reason="systemd or libseccomp is not installed")
@pytest.mark.parametrize("name", ["jetson/platefleet-agent", "gate/platefleet-gate"])
def test_who_judges_times_may_ask_the_kernel_for_the_clocks_state(name: str) -> None:
    unit = ROOT / "deploy" / f"{name}.service"
    command = [sys.executable, "-m", "tests.filtered", str(unit), sys.executable, "-c", ASKS_THE_KERNEL]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[0]) >= 0, done.stdout


@each_unit
def test_what_a_unit_forbids_fails_and_does_not_kill(unit: Path) -> None:
    assert setting(unit, "SystemCallErrorNumber") == ["EPERM"]
