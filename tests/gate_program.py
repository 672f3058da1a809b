"""`platefleet gate run` as a program beside the real broker, to be killed. Its barrier and its alarm are files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.gate_builders import ON_THE_LIST

ROOT = Path(__file__).resolve().parents[1]
LIFT = """#!/bin/sh
# One line for each time that the barrier went up. It hangs while `hang` is there, and fails while `fail` is.
echo "$1" >> pulses
while [ -e hang ]; do sleep 0.05; done
[ ! -e fail ]
"""
SETTINGS = """name = "gate-1"
journal = "gate.journal"
assume_synced = true
[broker]
host = "127.0.0.1"
port = {port}
[allow_list]
file = "allow.csv"
[outputs.barrier]
kind = "command"
argv = ["/bin/sh", "lift.sh", "{{pass}}"]
timeout_s = 20.0
[alarm]
command = ["/bin/sh", "-c", 'echo "$PLATEFLEET_KIND" >> alarms']
[[lanes]]
device = "north-1"
lane = "entry"
output = "barrier"
"""


class GateProgram:
    """One gate's program, life after life, in one folder."""

    def __init__(self, folder: Path, port: int, plates: tuple[str, ...] = (ON_THE_LIST,)) -> None:
        self.folder = folder
        (folder / "gate.toml").write_text(SETTINGS.format(port=port))
        (folder / "allow.csv").write_text("plate\n" + "".join(f"{plate}\n" for plate in plates))
        (folder / "lift.sh").write_text(LIFT)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin another life."""
        code = "import sys; from platefleet.deploy.cli import main; sys.argv[0] = 'platefleet'; main()"
        with (self.folder / "out").open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code, "gate", "run", "--config", "gate.toml"],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=out,
                stderr=out,
            )

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End this life, if there is one."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def kill(self) -> None:
        """End this life as a power cut does, for this program."""
        self.end(signal.SIGKILL)

    def hang(self, hangs: bool = True) -> None:  # one thing, on or off
        """Let the barrier's program hang, or let it go."""
        self._mark("hang", there=hangs)

    def fail(self, fails: bool = True) -> None:  # one thing, on or off
        """Let the barrier's program fail, or not."""
        self._mark("fail", there=fails)

    def pulses(self) -> list[str]:
        """Return the pass of each time that the barrier went up."""
        return self._lines("pulses")

    def alarms(self) -> list[str]:
        """Return the kind of each alarm that was raised."""
        return self._lines("alarms")

    def _mark(self, name: str, *, there: bool) -> None:
        path = self.folder / name
        if there:
            path.touch()
        else:
            path.unlink(missing_ok=True)

    def _lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().split("\n")[:-1] if path.exists() else []
