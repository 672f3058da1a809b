"""What README promises: its examples run, its commands exist, its links lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from platefleet.deploy import cli
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.delivery.memory import MemoryOutbox
from platefleet.protocol.delivery.uplink import Uplink
from platefleet.protocol.messages import Stamp
from platefleet.protocol.session import Session
from tests.mosquitto import Mosquitto
from tests.record_builders import a_pass

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PACKAGES = ("mqtt@5", "@msgpack/msgpack@3")


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.fixture
def a_car_waits(mosquitto: Mosquitto) -> Iterator[None]:
    """A device whose car stands at the barrier, told again and again as an agent does."""
    clock = SystemClock()
    outbox = MemoryOutbox(clock=clock)
    uplink = Uplink(Session("north-1", mosquitto.broker, clock=clock), outbox, clock=clock)
    now = clock.now()
    seen = Stamp(utc_ns=now.utc_ns, mono_ns=now.mono_ns, boot="b" * 36, clock="synced")
    record = outbox.append("plate", a_pass("51F88270").model_copy(update={"lane": "lane-1", "captured": seen}))
    uplink.start()
    stop = threading.Event()

    def announce() -> None:
        while not stop.wait(0.25):
            uplink.tell(record, clock.now().mono_ns)

    announcing = threading.Thread(target=announce)
    announcing.start()
    yield
    stop.set()
    announcing.join()
    uplink.stop()


OPENS = "open lane-1 for 51F88270"


def opens(command: list[str], folder: Path) -> bool:
    """Run an example until it says that it opens; return whether it did within half a minute.

    Its threads print at the same time, so the words may stand anywhere in a line.
    """
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}
    running = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    overdue = threading.Timer(30, running.kill)
    overdue.start()
    try:
        assert running.stdout is not None
        return any(OPENS in line for line in running.stdout)
    finally:
        overdue.cancel()
        running.kill()
        running.communicate()


@pytest.mark.broker
@pytest.mark.usefixtures("a_car_waits")
def test_the_python_controller_opens_for_a_resident(mosquitto: Mosquitto, tmp_path: Path) -> None:
    (tmp_path / "controller.py").write_text(block("python").replace("1883", str(mosquitto.port)), encoding="utf-8")
    assert opens([sys.executable, "controller.py"], tmp_path)


@pytest.mark.broker
@pytest.mark.usefixtures("a_car_waits")
def test_the_javascript_controller_opens_for_a_resident(mosquitto: Mosquitto, tmp_path: Path) -> None:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("node or npm is not installed: the JavaScript example is not run")
    (tmp_path / "package.json").write_text('{"type": "module", "private": true}', encoding="utf-8")
    fetch = [npm, "install", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts", *PACKAGES]
    installed = subprocess.run(fetch, cwd=tmp_path, capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip("npm cannot fetch mqtt and @msgpack/msgpack here: the JavaScript example is not run")
    (tmp_path / "controller.js").write_text(block("javascript").replace("1883", str(mosquitto.port)), encoding="utf-8")
    assert opens([node, "controller.js"], tmp_path)


def test_every_command_that_is_shown_exists_with_its_options() -> None:
    shown = re.findall(r"platefleet ((?:[a-z]+ )*[a-z]+)(.*)", README)
    assert len(shown) > 5
    for words, rest in shown:
        command = None
        for word in words.split():
            if command is None and word in cli.COMMANDS:
                command = cli.load(word)
            elif command is not None and word in getattr(command, "commands", {}):
                command = command.commands[word]
        if command is None:
            continue
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert set(re.findall(r"--[a-z-]+", rest.split("#")[0])) <= known, words


def test_every_link_leads_to_a_file() -> None:
    for path in (ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_root_of_the_command_line_imports_nothing_heavy() -> None:
    heavy = {"numpy", "cv2", "pydantic", "paho", "sqlalchemy", "onnxruntime", "torch"}
    program = "import sys, platefleet.deploy.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not heavy & {name.split(".")[0] for name in loaded}


def commands() -> Iterator[tuple[str, object]]:
    def walk(name: str, command: object) -> Iterator[tuple[str, object]]:
        children = getattr(command, "commands", {})
        if not children:
            yield name, command
        for child, inner in children.items():
            yield from walk(f"{name} {child}", inner)

    for name in cli.COMMANDS:
        yield from walk(name, cli.load(name))


@pytest.mark.parametrize(("name", "command"), [pytest.param(*pair, id=pair[0]) for pair in commands()])
def test_every_commands_help_has_an_example(name: str, command: object) -> None:
    said = f"{getattr(command, 'epilog', '')} {getattr(command, 'help', '')}"
    assert f"platefleet {name}" in said


def test_the_shell_can_complete_commands() -> None:
    asked = {**os.environ, "_PLATEFLEET_COMPLETE": "complete_bash", "COMP_WORDS": "platefleet re", "COMP_CWORD": "1"}
    program = "import sys; sys.argv = ['platefleet']; from platefleet.deploy.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", program], env=asked, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["read"]
