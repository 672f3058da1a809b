"""deploy/jetson/install, below a folder: the real script; Python and pip are stand-ins that note their calls."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unprivileged import NOBODY, open_folder

ROOT = Path(__file__).resolve().parents[3]
INSTALL = ROOT / "deploy" / "jetson" / "install"
SCRIPTS = [path for path in (ROOT / "deploy").rglob("*") if path.is_file() and path.read_bytes()[:2] == b"#!"]
PYTHON = """#!/bin/sh
# As Python: makes an environment whose programs note what they were called with; old, if told so.
case "$1" in
  -c) echo "${AT:-/usr/bin/python3}"; exit "${OLD:-0}" ;;
  -m) prefix="$4"; mkdir -p "$prefix/bin"
      for name in python pip platefleet; do
        printf '#!/bin/sh\\necho "%s $*" >> "%s/calls"\\n%s\\n' "$name" "$prefix" "$AFTER" > "$prefix/bin/$name"
        chmod +x "$prefix/bin/$name"
      done ;;
esac
"""

Install = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """The root of a device's file system."""
    return tmp_path / "device"


@pytest.fixture
def install(tmp_path: Path, device: Path) -> Install:
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHON": str(python), "PLATEFLEET_ROOT": str(device), "AFTER": "", **more}
        return subprocess.run(
            [str(INSTALL), *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    return run


@pytest.fixture
def enrolled(tmp_path: Path) -> Path:
    """What `platefleet fleet enroll` makes, as far as the script looks at it."""
    folder = tmp_path / "north-1"
    folder.mkdir()
    for name, text in {"agent.toml": 'device = "north-1"\n', "broker.password": "secret\n", "ca.pem": "PEM\n"}.items():
        (folder / name).write_text(text)
    return folder


def calls(device: Path) -> list[str]:
    return (device / "opt/platefleet/calls").read_text().splitlines()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_can_be_run_and_parsed(script: Path) -> None:
    assert os.access(script, os.X_OK)
    if b"bash" in script.read_bytes().partition(b"\n")[0]:
        done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_it_puts_everything_in_its_place(install: Install, device: Path, enrolled: Path) -> None:
    done = install(str(enrolled))
    assert (done.returncode, done.stderr) == (0, "")
    etc = device / "etc/platefleet"
    assert {path.name: path.stat().st_mode & 0o777 for path in etc.iterdir()} == {
        "agent.toml": 0o644,
        "broker.password": 0o600,
        "ca.pem": 0o644,
    }
    unit = (device / "etc/systemd/system/platefleet-agent.service").read_bytes()
    assert unit == (ROOT / "deploy/jetson/platefleet-agent.service").read_bytes()
    assert any(call.startswith("pip install") and call.endswith(f"{ROOT}[onnx]") for call in calls(device))
    assert "nothing to do" not in done.stdout


def test_a_second_time_there_is_nothing_to_do(install: Install, device: Path, enrolled: Path) -> None:
    install(str(enrolled))
    before = calls(device)
    done = install(str(enrolled))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "install: nothing to do")
    assert calls(device) == before


def test_what_somebody_wrote_on_the_device_stays(install: Install, device: Path, enrolled: Path) -> None:
    install(str(enrolled))
    own = device / "etc/platefleet/agent.toml"
    own.write_text('device = "north-1"  # and a camera\n')
    done = install(str(enrolled))
    assert f"{own} differs from {enrolled}/agent.toml and is left as it is" in done.stdout
    assert own.read_text() == 'device = "north-1"  # and a camera\n'


def test_a_gate_is_installed_from_its_own_folder_beside_an_agent(
    install: Install, device: Path, enrolled: Path, tmp_path: Path
) -> None:
    install(str(enrolled))
    gate = tmp_path / "barrier-north"
    gate.mkdir()
    for name in ("gate.toml", "gate.password", "ca.pem"):
        (gate / name).write_text("PEM\n")
    assert install(str(gate)).returncode == 0
    units = device / "etc/systemd/system"
    assert sorted(path.name for path in units.iterdir()) == ["platefleet-agent.service", "platefleet-gate.service"]
    assert (device / "etc/platefleet/gate.password").stat().st_mode & 0o777 == 0o600
    assert (device / "etc/platefleet/broker.password").read_text() == "secret\n"
    assert install().stdout.endswith("install: nothing to do\n")


def test_where_only_a_gate_is_no_model_runs(install: Install, device: Path, tmp_path: Path) -> None:
    gate = tmp_path / "barrier-north"
    gate.mkdir()
    (gate / "gate.toml").write_text('name = "barrier-north"\n')
    assert install(str(gate)).returncode == 0
    assert [call for call in calls(device) if call.startswith("pip")] == [f"pip install --quiet --upgrade {ROOT}"]
    assert [path.name for path in (device / "etc/systemd/system").iterdir()] == ["platefleet-gate.service"]


def test_an_older_unit_is_replaced(install: Install, device: Path) -> None:
    install()
    unit = device / "etc/systemd/system/platefleet-agent.service"
    unit.write_text("[Unit]\n")
    assert f"wrote {unit}" in install().stdout
    assert unit.read_bytes() == (ROOT / "deploy/jetson/platefleet-agent.service").read_bytes()


def test_other_extras_are_installed_and_the_same_ones_are_not_again(install: Install, device: Path) -> None:
    install()
    assert "nothing to do" not in install("--extras", "onnx,engines").stdout
    assert calls(device)[-3].endswith("[onnx,engines]")
    assert "nothing to do" in install("--extras", "onnx,engines").stdout


def test_an_installation_that_broke_off_is_done_again(install: Install, device: Path) -> None:
    assert install(AFTER="exit 1").returncode != 0
    pip = device / "opt/platefleet/bin/pip"
    for program in pip.parent.iterdir():
        program.write_text(program.read_text().replace("exit 1", ""))
    done = install()
    assert done.returncode == 0
    assert "nothing to do" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (
            ("/nowhere",),
            {},
            (1, "/nowhere: holds neither agent.toml nor gate.toml; name what `platefleet fleet enroll` made"),
        ),
        (("--fast",), {}, (2, "--fast is no option; --extras LIST and a FOLDER are")),
        (("--extras",), {}, (2, "--extras wants a list, as onnx,tensorrt")),
        ((), {"OLD": "1"}, (1, "is older than 3.10; JetPack 5 brings 3.8")),
        ((), {"AT": "/root/.pyenv/bin/python"}, (1, "a service may not look into homes; set PYTHON=/usr/bin/python3")),
        ((), {"PYTHON": "/nowhere/python"}, (1, "/nowhere/python cannot be run; name Python 3.10 or newer in PYTHON")),
    ],
)
def test_what_cannot_be_is_one_sentence_and_changes_nothing(
    install: Install,
    device: Path,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    told: tuple[int, str],
) -> None:
    done = install(*arguments, **environment)
    assert done.returncode == told[0]
    assert told[1] in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not device.exists()


def test_without_root_it_says_so() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PLATEFLEET_ROOT"}
    with open_folder() as folder:
        here = folder / "deploy" / "jetson"
        here.mkdir(parents=True)
        (here / "install").write_bytes(INSTALL.read_bytes())
        command = ["bash", str(here / "install")]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "install: run it as root, with sudo\n")


def test_its_help_says_how_it_is_called(install: Install) -> None:
    assert "sudo deploy/jetson/install [--extras onnx,tensorrt] [FOLDER]" in install("--help").stdout
