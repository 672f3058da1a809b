"""All five programs with everything that may happen to them, and a relay that counts. Judged from outside.

agent: the simulator's process of devices, real outbox and uplink. broker: Mosquitto, whose database is deleted when it
is killed. ingest, gate: the programs of the command line. database: SQLite in ingest's, or PostgreSQL in its own.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from platefleet.deploy.demo.broker import free_port
from platefleet.deploy.simulate import committed
from platefleet.deploy.simulate.child import Plan
from platefleet.deploy.simulate.compare import Book, Ledger, compare
from platefleet.deploy.simulate.ledger import notes
from platefleet.deploy.simulate.programs import PLATEFLEET, Program
from platefleet.deploy.simulate.proxy import Proxy
from platefleet.deploy.simulate.traffic import LANE
from platefleet.protocol.errors import StoreError
from tests.faults.barrier import Pulses, judge
from tests.faults.clocked import Clocked
from tests.faults.databases import Database
from tests.faults.machines import LEDGER, OUTBOXES, STEPS_S, Machines
from tests.faults.rounds import Fault
from tests.prerequisites import broker as mosquitto_installed
from tests.until import until

ROOT = Path(__file__).resolve().parents[2]
DEVICES = ("north-1", "north-2", "north-3")
AGE_LIMIT_MS = 1000
RELAY_S = 2.0
"""From a gate's decision to the relay's note, on a machine that does much else."""
LATE_S = AGE_LIMIT_MS / 1000 + RELAY_S
PATIENCE_S = 120.0
LOOK_S = 0.2
FULL_BYTES = 64 * 1024
"""The generator's ledger stays below it, and no database does."""
MOSQUITTO = """listener {port} 127.0.0.1
persistence true
persistence_location {folder}/
autosave_interval 1
set_tcp_nodelay true
allow_anonymous true
max_queued_messages 10000
user root
"""
GATE = """name = "gate-1"
journal = "gate.journal"
assume_synced = true
[broker]
host = "127.0.0.1"
port = {port}
keepalive_s = 6
[allow_list]
file = "allowed.csv"
[outputs.barrier]
kind = "http"
url = "http://127.0.0.1:{relay}/"
parameters = {{ pass = "pass", plate = "plate" }}
"""
LANE_TOML = """[[lanes]]
device = "{device}"
lane = "{lane}"
output = "barrier"
age_limit_ms = {limit}
"""


class World:
    """Starts everything, lets faults happen, and judges. Everything ends with it, also when it is killed."""

    def __init__(
        self,
        folder: Path,
        database: Database,
        *,
        seed: str,
        allowed: Sequence[str],
        strangers: Sequence[str],
        gate: Sequence[str] = PLATEFLEET,
    ):
        """gate: the program whose `gate run` lifts the barriers."""
        program = mosquitto_installed()
        if program is None:
            pytest.skip("mosquitto is not installed (Debian: apt-get install mosquitto)")
        self.folder, self.database, self.seed = folder, database, seed
        self._allowed = allowed
        self._owned = ExitStack()
        port, relay = free_port(), free_port()
        self._port = port
        (folder / "mosquitto.conf").write_text(MOSQUITTO.format(port=port, folder=folder))
        self._clocks = {name: Clocked(folder / f"{name}.clock") for name in ("agent", "ingest", "gate")}
        options = ("--broker", f"127.0.0.1:{port}", "--database", database.address)
        self._agent_link, self._gate_link = Proxy(port), Proxy(port)
        self._owned.callback(self._agent_link.close)
        self._owned.callback(self._gate_link.close)
        (folder / "gate.toml").write_text(
            GATE.format(port=self._gate_link.port, relay=relay)
            + "".join(LANE_TOML.format(device=name, lane=LANE, limit=AGE_LIMIT_MS) for name in DEVICES)
        )
        (folder / "allowed.csv").write_text(
            "plate,valid_from,valid_until,weekdays,name\n" + "".join(f"{plate},,,,\n" for plate in allowed)
        )
        path = {"PYTHONPATH": str(ROOT)}
        of_gate, of_ingest = (self._clocks[name].environment() | path for name in ("gate", "ingest"))
        self.programs = {
            "broker": Program("broker", [program, "-c", str(folder / "mosquitto.conf")], folder),
            "relay": Program(
                "relay", _python("tests.faults.relay", relay, folder / "pulses"), folder, environment=path
            ),
            "ingest": Program("ingest", [*PLATEFLEET, "ingest", "run", *options], folder, environment=of_ingest),
            "gate": Program("gate", [*gate, "gate", "run", "--config", "gate.toml"], folder, environment=of_gate),
        }
        plan = Plan(
            seed=seed,
            devices=list(DEVICES),
            host="127.0.0.1",
            port=self._agent_link.port,
            folder=str(folder),
            start=0,
            passes_a_minute=15.0,
            plates=[*allowed, *strangers],
            stands_s=(0.5, 3.0),
            backoff_s=0.05,
            backoff_most_s=0.5,
            keepalive_s=6,
            foreign_pause_s=1.0,
            outboxes=OUTBOXES,
        )
        self.machines = Machines(plan, folder, self._clocks["agent"], path)

    def __enter__(self) -> World:
        try:
            for name in ("broker", "relay", "ingest", "gate"):
                self._owned.callback(self.programs[name].kill)
                self._start(name)
            self._owned.callback(self.machines.close)
            self.machines.start()
            until(lambda: self.ledger().committed, PATIENCE_S)
        except BaseException:
            self._owned.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._owned.close()

    def suffer(self, faults: Sequence[Fault]) -> None:
        """Let a round's faults happen, each at its time, and end."""
        began = time.monotonic()
        ends = [(fault.at_s, fault, False) for fault in faults] + [(f.at_s + f.for_s, f, True) for f in faults]
        for at_s, fault, over in sorted(ends, key=lambda end: end[0]):
            time.sleep(max(0.0, began + at_s - time.monotonic()))
            self._end(fault) if over else self._begin(fault)

    def recover(self) -> None:
        """Wait until everything that was appended so far is committed, and a barrier opens for a vehicle that comes."""
        healed_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        until(self.machines.clone_wrote, PATIENCE_S, LOOK_S)
        self.machines.rest_clone()
        until(self.machines.clone_rests, PATIENCE_S, LOOK_S)
        book = self.machines.book()
        until(lambda: not self.ledger(book).missing, PATIENCE_S, LOOK_S)
        if self.machines.cloned:
            until(self.machines.alarmed, PATIENCE_S, LOOK_S)
            self.machines.end_clone()
        self.until_opened(healed_ns)

    def until_opened(self, since_ns: int = 0) -> None:
        """Wait until a barrier opens for a vehicle that has come since."""
        until(lambda: any(first_ns > since_ns for first_ns in self._opened()), PATIENCE_S, LOOK_S)

    def rest(self) -> None:
        """Let no more vehicles come, and wait until everything is committed."""
        self.machines.rest()
        until(self.machines.rests, PATIENCE_S, LOOK_S)
        until(lambda: not self.ledger().missing, PATIENCE_S, LOOK_S)

    def ledger(self, book: Book | None = None) -> Ledger:
        """Compare what the generator wrote (or `book`) with the database."""
        written = book or self.machines.book()
        with contextlib.suppress(StoreError):
            rows, gone = committed.rows(self.database.address), committed.gone(self.database.address)
            return compare(written, rows, gone, excused=self.machines.excused)
        return compare(written, [], [])

    def pulses(self) -> Pulses:
        """Judge what the relay counted."""
        return judge(notes(self.folder / LEDGER), self._relayed(), allowed=set(self._allowed), limit_s=LATE_S)

    def _relayed(self) -> list[dict[str, Any]]:
        path = self.folder / "pulses"
        return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]] if path.exists() else []

    def _opened(self) -> Iterator[int]:
        """Yield when each vehicle was first seen for which a barrier opened."""
        first: dict[str, int] = {}
        for note in notes(self.folder / LEDGER):
            if note["kind"] == "seen":
                first.setdefault(note["pass"], note["mono_ns"])
        return (first[pulse["pass"]] for pulse in self._relayed() if pulse["pass"] in first)

    def _begin(self, fault: Fault) -> None:
        match fault.kind.split():
            case ["kill" | "reboot", "agent"]:
                self.machines.kill()
            case ["kill", "database"]:
                self.database.kill()
            case ["kill", name]:
                self._kill(name)
            case [("cut" | "stall" | "slow") as how, owner, "link"]:
                self._on_link(how, self._agent_link if owner == "agent's" else self._gate_link, fault)
            case ["fill", "agent's", "disk"]:
                self.machines.limit_files(FULL_BYTES)
            case ["fill", "store's", "disk"]:
                self.programs["ingest"].limit_files(FULL_BYTES)
            case ["step", owner, "wall", "clock"]:
                seconds = STEPS_S[int(fault.dice * len(STEPS_S))]
                (self.machines if owner == "agent's" else self._clocks[owner.removesuffix("'s")]).step(seconds)
            case ["restore", "outbox"]:
                self.machines.restore()
            case ["clone", "outbox"]:
                self.machines.clone(fault.dice)
            case ["restore", "store"]:
                for name in ("ingest", "broker"):
                    self._kill(name)
                self.database.kill()
                self._restore_store()
            case other:
                raise AssertionError(other)

    def _end(self, fault: Fault) -> None:
        match fault.kind.split():
            case ["kill", "agent"] | ["restore", "outbox"]:
                self.machines.start()
            case ["reboot", "agent"]:
                self.machines.reboot(fault.dice)
            case ["clone", "outbox"]:
                self.machines.start()  # beside the clone, which goes on until it has kept something
            case ["kill", "database"]:
                self.database.start()
            case ["kill", name]:
                self._start(name)
            case ["cut" | "stall" | "slow", owner, "link"]:
                link = self._agent_link if owner == "agent's" else self._gate_link
                link.refuse(False)
                link.resume()
                link.slow(None)
            case ["fill", "agent's", "disk"]:
                self.machines.limit_files(None)
            case ["fill", "store's", "disk"]:
                self.programs["ingest"].limit_files(None)
            case ["restore", "store"]:
                self.database.start()
                self._start("broker")
                self._start("ingest")
            case _:
                return  # a clock that was stepped stays where it is

    def _on_link(self, how: str, link: Proxy, fault: Fault) -> None:
        match how:
            case "cut":
                link.refuse()
                link.cut()
            case "stall" if fault.dice < 0.33:
                link.stall("up")
            case "stall" if fault.dice < 0.66:
                link.stall("down")
            case "stall":
                link.stall()
            case _:
                link.slow(250_000 if fault.dice < 0.5 else 30_000, 0.1)

    def _kill(self, name: str) -> None:
        self.programs[name].kill()
        if name == "broker":
            for path in self.folder.glob("mosquitto.db*"):
                path.unlink()

    def _start(self, name: str) -> None:
        """Start it unless another fault has done so."""
        program = self.programs[name]
        if program.running:
            return
        program.start()
        if name == "broker":
            program.wait(lambda: _answers(self._port), PATIENCE_S)

    def _restore_store(self) -> None:
        copies = self.machines.copies
        if copies.store is not None:
            self.database.restore(copies.store)
        copies.store = self.folder / f"store-{time.monotonic_ns()}"
        copies.store.mkdir()
        self.database.copy(copies.store)


def _python(module: str, *arguments: object) -> list[str]:
    return [PLATEFLEET[0], "-m", module, *map(str, arguments)]


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
