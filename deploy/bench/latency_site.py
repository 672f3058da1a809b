"""What the latency is measured on: Mosquitto, ingest, gate and agent as programs of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from platefleet.deploy.demo.broker import free_port
from platefleet.protocol.errors import SessionError

FPS = 25
READY_S = 60.0
AGENT = """device = "north-1"
[broker]
host = "127.0.0.1"
port = {port}
[health]
interval_s = 1.0
[outbox]
file = "device.outbox"
[crops]
enabled = true
[passes]
gone_s = 0.2
hidden_s = 0.3
[[lanes]]
name = "entry"
[lanes.camera]
kind = "folder"
path = "pictures"
fps = {fps}
loop = true
"""
GATE = """name = "gate-1"
journal = "gate.journal"
[broker]
host = "127.0.0.1"
port = {port}
[allow_list]
file = "allowed.csv"
[outputs.barrier]
kind = "print"
[[lanes]]
device = "north-1"
lane = "entry"
output = "barrier"
"""
MOSQUITTO = """listener {port} 127.0.0.1
persistence false
set_tcp_nodelay true
allow_anonymous true
max_queued_messages 10000
"""


class LatencySite:
    """The programs, from entering to leaving. health is told every second: thirty times as often as usual."""

    def __init__(self, folder: Path, mosquitto: str, plates: Sequence[str]) -> None:
        self._folder, self._mosquitto = folder, mosquitto
        self._owned = ExitStack()
        self._device: subprocess.Popen[bytes] | None = None
        port = free_port()
        self._address = f"127.0.0.1:{port}"
        (folder / "mosquitto.conf").write_text(MOSQUITTO.format(port=port))
        (folder / "agent.toml").write_text(AGENT.format(port=port, fps=FPS))
        (folder / "gate.toml").write_text(GATE.format(port=port))
        (folder / "allowed.csv").write_text(
            "plate,valid_from,valid_until,weekdays,name\n" + "".join(f"{plate},,,,\n" for plate in plates)
        )
        pictures = folder / "pictures"
        pictures.mkdir()
        for number in range(3):
            # Soft, as photos are: pure noise costs a decoder and an encoder many times what a picture does.
            noise = np.random.default_rng(number).integers(0, 256, (480, 640, 3), dtype=np.uint8)
            cv2.imwrite(str(pictures / f"{number}.jpg"), cv2.GaussianBlur(noise, (0, 0), 8))

    def __enter__(self) -> LatencySite:
        try:
            self._start(self._mosquitto, "-c", "mosquitto.conf")
            platefleet = (sys.executable, "-m", "platefleet.deploy.cli")
            database = f"sqlite:///{self._folder}/store.db"
            self._start(*platefleet, "ingest", "run", "--broker", self._address, "--database", database)
            self._start(*platefleet, "gate", "run", "--config", "gate.toml")
            self._device = self._start(
                sys.executable, "-m", "platefleet.deploy.bench.device", "agent.toml", "plan.json", "device.log"
            )
            self._wait((self._folder / "device.log").exists)
            self._wait((self._folder / "store.db").exists)
            time.sleep(2.0)  # for the first beats to come round
        except BaseException:
            self._owned.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._owned.close()

    def end_device(self) -> None:
        """End the agent; it waits a moment for the store to take the last records."""
        if self._device is not None:
            _end(self._device)
        time.sleep(1.0)

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        out = self._owned.enter_context((self._folder / "out").open("ab"))
        process = subprocess.Popen(command, cwd=self._folder, stdout=out, stderr=out)
        self._owned.callback(_end, process)
        return process

    def _wait(self, there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_S
        while not there():
            if time.monotonic() > deadline:
                said = (self._folder / "out").read_text(errors="replace")[-500:]
                raise SessionError(f"latency: the programs did not start within {READY_S:g} s; they said: {said}")
            time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
