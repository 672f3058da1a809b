"""A whole site of real processes: agent (eyes that cost nothing), gate, ingest, Mosquitto. Judged from outside.

What was read is known from the device's log, written past its outbox; what was committed from the database; what was
opened from a file to which the program that the gate starts appends.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import psutil

from platefleet.deploy.bench.scenery import Plan, Visit
from tests.mosquitto import Mosquitto
from tests.proxy import Proxy
from tests.seen import Seen
from tests.until import until

ROOT = Path(__file__).resolve().parents[2]
AGE_LIMIT_S = 5.0
DEVICE = "north-1"
DEVICE_PROGRAM = ("-m", "platefleet.deploy.bench.device", "agent.toml", "plan.json", "device.log")
PULSE = """#!/bin/sh
# What lifts the barrier: one line for each time.
echo "$(date +%s.%N) $1 $2" >> "{file}"
"""


@dataclass(frozen=True)
class Pulse:
    """The barrier was lifted."""

    at_s: float
    plate: str
    pass_id: str


@dataclass
class Site:
    """Starts everything, and ends it. agent_link, gate_link: the way of agent and gate to the broker."""

    folder: Path
    mosquitto: Mosquitto
    agent_link: Proxy
    gate_link: Proxy
    allowed: Sequence[str]
    fps: float = 10.0
    _go: Path = field(default_factory=Path)
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.plan = Plan(self.folder / "plan.json")
        self.seen = Seen(self.folder / "store.db")
        self.pictures = self.folder / "pictures"
        self._log, self._pulses = self.folder / "device.log", self.folder / "pulses"
        self._write_files()

    def start(self) -> None:
        """Start all programs and wait until each does its work."""
        self.start_ingest()
        self.start_gate()
        self.start_agent()
        until(lambda: self.said("looks"), 60)
        until(lambda: self.seen.count("records") > 0, 60)

    def start_ingest(self) -> None:
        address = f"127.0.0.1:{self.mosquitto.port}"
        options = ("--broker", address, "--database", f"sqlite:///{self.folder}/store.db")
        self._spawn("ingest", "-m", "platefleet.deploy.cli", "ingest", "run", *options)
        until((self.folder / "store.db").exists, 30)

    def start_gate(self) -> None:
        self._spawn("gate", "-m", "platefleet.deploy.cli", "gate", "run", "--config", "gate.toml")

    def start_agent(self) -> None:
        self._spawn("agent", *DEVICE_PROGRAM)

    def ready_agent(self) -> None:
        """Start a second agent that waits for `take_over`: on a busy machine a program takes its time to start."""
        self._go = self.folder / f"go-{time.monotonic_ns()}"
        self._spawn("next agent", *DEVICE_PROGRAM, self._go.name)
        until(self._go.with_name(f"{self._go.name}.ready").exists, 60)

    def take_over(self) -> None:
        """Let the agent run that was made ready; the one before it must have ended."""
        self._running["agent"] = self._running.pop("next agent")
        self._go.touch()

    def kill(self, name: str) -> None:
        """End a program without asking it."""
        process = self._running.pop(name)
        process.kill()
        process.wait(10)

    def end(self) -> None:
        """End everything in order."""
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            process.wait(10)
        self._running.clear()

    def stop_device(self) -> dict[str, int]:
        """End the agent in order; return what it says of its outbox."""
        process = self._running.pop("agent")
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        *_, end = self.said("end")
        return end

    def cut_camera(self) -> None:
        """Take the pictures away and kill the decoder: what a cable does that is pulled."""
        self.pictures.rename(self.folder / "cut")
        decoders = psutil.Process(self._running["agent"].pid).children()
        assert decoders
        for decoder in decoders:
            decoder.kill()

    def mend_camera(self) -> None:
        (self.folder / "cut").rename(self.pictures)

    def said(self, kind: str) -> list[dict[str, object]]:
        """Return the lines of one kind in the device's log."""
        if not self._log.exists():
            return []
        lines = [json.loads(line) for line in self._log.read_text(encoding="utf-8").splitlines() if line]
        return [line for line in lines if line["kind"] == kind]

    def read(self) -> list[dict[str, object]]:
        """Return every plate event that the agent kept."""
        return self.said("record")

    def pulses(self) -> list[Pulse]:
        if not self._pulses.exists():
            return []
        parts = [line.split() for line in self._pulses.read_text(encoding="utf-8").splitlines()]
        return [Pulse(float(at_s), plate, pass_id) for at_s, plate, pass_id in parts]

    def opened(self, plate: str) -> list[Pulse]:
        return [pulse for pulse in self.pulses() if pulse.plate == plate]

    def check_committed(self, timeout_s: float = 30.0) -> None:
        """Every plate event that the agent kept is in the store once, and nothing is there that it did not keep.

        Its log is written as pictures are worked through. A pass that is closed while the camera is away comes from no
        picture, so an interrupted one may be in the store beside those of the log.
        """
        wanted = {(str(line["epoch"]), int(str(line["seq"]))) for line in self.read()}
        query = "SELECT epoch, seq, interrupted FROM plates WHERE device = ?"

        def arrived() -> bool:
            rows = self.seen.rows(query, DEVICE)
            unseen = [interrupted for epoch, seq, interrupted in rows if (epoch, seq) not in wanted]
            return wanted <= {(epoch, seq) for epoch, seq, _ in rows} and all(unseen)

        until(arrived, timeout_s)
        assert self.seen.names() == self.seen.covered_names()
        assert self.seen.count("clashes") == self.seen.count("quarantine") == self.seen.count("gone") == 0

    def check_opened_once_and_in_time(self, visits: Sequence[Visit]) -> None:
        """No pass was opened twice, and none when its car had last been in the picture longer ago than the limit."""
        pulses = self.pulses()
        assert [pass_id for pass_id, count in Counter(p.pass_id for p in pulses).items() if count > 1] == []
        assert [plate for plate, count in Counter(p.plate for p in pulses).items() if count > 1] == []
        assert {p.plate for p in pulses} <= set(self.allowed)
        by_plate = {visit.plate: visit for visit in visits}
        for pulse in pulses:
            visit = by_plate[pulse.plate]
            assert visit.appears_s < pulse.at_s < visit.gone_s + AGE_LIMIT_S, (pulse, visit)

    def _write_files(self) -> None:
        self.pictures.mkdir(parents=True)
        rng = np.random.default_rng(1)
        for number in range(4):
            noise = rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)
            cv2.imwrite(str(self.pictures / f"{number}.jpg"), noise, [cv2.IMWRITE_JPEG_QUALITY, 50])
        (self.folder / "agent.toml").write_text(
            f'device = "{DEVICE}"\n'
            f'[broker]\nhost = "127.0.0.1"\nport = {self.agent_link.port}\n'
            '[health]\ninterval_s = 1.0\n[outbox]\nfile = "device.outbox"\n'
            '[[lanes]]\nname = "entry"\n'
            f'[lanes.camera]\nkind = "folder"\npath = "pictures"\nfps = {self.fps}\nloop = true\n'
        )
        pulse = self.folder / "pulse.sh"
        pulse.write_text(PULSE.format(file=self._pulses))
        pulse.chmod(0o755)
        (self.folder / "allowed.csv").write_text(
            "plate,valid_from,valid_until,weekdays,name\n" + "".join(f"{plate},,,,\n" for plate in self.allowed)
        )
        (self.folder / "gate.toml").write_text(
            'name = "gate-1"\njournal = "gate.journal"\n'
            f'[broker]\nhost = "127.0.0.1"\nport = {self.gate_link.port}\n'
            '[allow_list]\nfile = "allowed.csv"\n'
            f'[outputs.barrier]\nkind = "command"\nargv = ["{pulse}", "{{plate}}", "{{pass}}"]\n'
            f'[[lanes]]\ndevice = "{DEVICE}"\nlane = "entry"\noutput = "barrier"\n'
        )

    def _spawn(self, name: str, *arguments: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        with (self.folder / f"{name}.out").open("ab") as out:
            self._running[name] = subprocess.Popen(
                [sys.executable, *arguments], cwd=self.folder, stdout=out, stderr=out, env=environment
            )


def sleep_until(at_s: float) -> None:
    """Let the scene go on until `at_s`, UTC seconds: what the test waits for is time itself."""
    time.sleep(max(0.0, at_s - time.time()))
