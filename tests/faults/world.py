"""All five programs with everything that may happen to them, and a relay that counts. Judged from outside.

agent: the simulator's process of devices, real outbox and uplink. broker: Mosquitto, whose database is deleted when it
is killed. ingest, gate: the programs of the command line. database: SQLite in ingest's, or PostgreSQL in its own.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from platefleet.deploy.demo.broker import free_port
from platefleet.deploy.simulate import committed
from platefleet.deploy.simulate.child import Plan
from platefleet.deploy.simulate.compare import Book, Ledger, compare
from platefleet.deploy.simulate.herd import Child
from platefleet.deploy.simulate.ledger import notes
from platefleet.deploy.simulate.programs import PLATEFLEET, Program
from platefleet.deploy.simulate.proxy import Proxy
from platefleet.deploy.simulate.traffic import LANE
from platefleet.protocol.errors import StoreError
from tests.faults.barrier import Pulses, judge
from tests.faults.rounds import STEPS_S, Fault
from tests.prerequisites import broker as mosquitto_installed
from tests.prerequisites import faketime
from tests.until import until

ROOT = Path(__file__).resolve().parents[2]
FAKETIME = faketime()
DEVICES = ("north-1", "north-2", "north-3")
AGE_LIMIT_MS = 1000
RELAY_S = 2.0
"""From a gate's decision to the relay's note, on a machine that does much else."""
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


class Database(Protocol):
    """A database with a process of its own."""

    @property
    def address(self) -> str: ...

    def start(self) -> None: ...

    def kill(self) -> None: ...

    def copy(self, to: Path) -> None:
        """Copy it while it is down."""
        ...

    def restore(self, copy: Path) -> None:
        """Put a copy in its place while it is down."""
        ...


class SqliteFile:
    """A database in ingest's own process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.address = f"sqlite:///{path}"

    def start(self) -> None:
        return

    def kill(self) -> None:
        return

    def copy(self, to: Path) -> None:
        _copy(self._path, to)

    def restore(self, copy: Path) -> None:
        _copy(copy / self._path.name, self._path.parent)


@dataclass
class Clocked:
    """A program's wall clock: stepped through a control file while its other clocks go on."""

    path: Path

    def environment(self) -> dict[str, str]:
        self.path.write_text("+0\n")
        if FAKETIME is None:
            return {}
        return {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self.path),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, seconds: int) -> None:
        """Set the clock; in one write, as the program may read at any time."""
        part = self.path.with_suffix(".part")
        part.write_text(f"{seconds:+d}\n")
        part.replace(self.path)


class World:
    """Starts everything, lets faults happen, and judges. Everything ends with it, also when it is killed."""

    def __init__(
        self, folder: Path, database: Database, *, seed: str, allowed: Sequence[str], strangers: Sequence[str]
    ):
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
        gate, ingest = (self._clocks[name].environment() | path for name in ("gate", "ingest"))
        self.programs = {
            "broker": Program("broker", [program, "-c", str(folder / "mosquitto.conf")], folder),
            "relay": Program(
                "relay", _python("tests.faults.relay", relay, folder / "pulses"), folder, environment=path
            ),
            "ingest": Program("ingest", [*PLATEFLEET, "ingest", "run", *options], folder, environment=ingest),
            "gate": Program("gate", [*PLATEFLEET, "gate", "run", "--config", "gate.toml"], folder, environment=gate),
        }
        self._plan = Plan(
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
        )
        self._agent: Child | None = None
        self._copies: dict[str, Path] = {}
        self._in_copy: set[tuple[str, str, int]] = set()
        self._excused: set[tuple[str, str, int]] = set()

    def __enter__(self) -> World:
        try:
            for name in ("broker", "relay", "ingest", "gate"):
                self._owned.callback(self.programs[name].kill)
                self._start(name)
            self._owned.callback(lambda: self._agent and self._agent.kill())
            self._start_agent()
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
        book = Book().enter(notes(self.folder / "ledger"))
        until(lambda: not self.ledger(book).missing, PATIENCE_S, LOOK_S)
        until(lambda: any(first_ns > healed_ns for first_ns in self._opened()), PATIENCE_S, LOOK_S)

    def rest(self) -> None:
        """Let no more vehicles come, and wait until everything is committed."""
        if self._agent is not None:
            self._agent.order("rest")
        until(lambda: not self.ledger().missing, PATIENCE_S, LOOK_S)

    def ledger(self, book: Book | None = None) -> Ledger:
        """Compare what the generator wrote (or `book`) with the database."""
        written = book or Book().enter(notes(self.folder / "ledger"))
        with contextlib.suppress(StoreError):
            rows, gone = committed.rows(self.database.address), committed.gone(self.database.address)
            return compare(written, rows, gone, excused=self._excused)
        return compare(written, [], [])

    def pulses(self) -> Pulses:
        """Judge what the relay counted."""
        limit_s = AGE_LIMIT_MS / 1000 + RELAY_S
        return judge(notes(self.folder / "ledger"), self._relayed(), allowed=set(self._allowed), limit_s=limit_s)

    def _relayed(self) -> list[dict[str, Any]]:
        path = self.folder / "pulses"
        return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]] if path.exists() else []

    def _opened(self) -> Iterator[int]:
        """Yield when each vehicle was first seen for which a barrier opened."""
        first: dict[str, int] = {}
        for note in notes(self.folder / "ledger"):
            if note["kind"] == "seen":
                first.setdefault(note["pass"], note["mono_ns"])
        return (first[pulse["pass"]] for pulse in self._relayed() if pulse["pass"] in first)

    def _begin(self, fault: Fault) -> None:
        match fault.kind.split():
            case ["kill", "agent"]:
                self._kill_agent()
            case ["kill", "database"]:
                self.database.kill()
            case ["kill", name]:
                self._kill(name)
            case [("cut" | "stall" | "slow") as how, owner, "link"]:
                self._on_link(how, self._agent_link if owner == "agent's" else self._gate_link, fault)
            case ["fill", "agent's", "disk"]:
                self._forget_copies()
                if self._agent is not None:
                    self._agent.limit_files(FULL_BYTES)
            case ["fill", "store's", "disk"]:
                self.programs["ingest"].limit_files(FULL_BYTES)
            case ["step", owner, "wall", "clock"]:
                self._clocks[owner.removesuffix("'s")].step(STEPS_S[int(fault.dice * len(STEPS_S))])
            case ["restore", "outbox"]:
                self._kill_agent()
                self._restore_outbox()
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
                self._start_agent()
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
                if self._agent is not None:
                    self._agent.limit_files(None)
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

    def _start_agent(self) -> None:
        if self._agent is None:
            self._plan = replace(self._plan, start=self._plan.start + 1)
            environment = self._clocks["agent"].environment() | {"PYTHONPATH": str(ROOT)}
            self._agent = Child(self._plan, self.folder, environment=environment)

    def _kill_agent(self) -> None:
        if self._agent is None:
            return
        self._agent.kill()
        self._agent = None
        fleeting = Book().enter(notes(self.folder / "ledger")).fleeting
        if fleeting - self._excused:
            self._forget_copies()  # their only other copy may be in the store from now on
        self._excused |= fleeting

    def _restore_outbox(self) -> None:
        """Put the copy in place that was taken at an earlier kill, and take one for the next time."""
        here, new = self.folder / "outbox", self.folder / f"outbox-{self._plan.start}"
        kept = set(Book().enter(notes(self.folder / "ledger")).kept)
        if here.exists():
            shutil.copytree(here, new)
        copy = self._copies.get("outbox")
        if copy is not None:
            shutil.rmtree(here)
            shutil.copytree(copy, here)
            self._excused |= kept - self._in_copy
            self._copies.pop("store", None)  # what the outbox has lost is in the present store alone
        if here.exists():
            self._copies["outbox"], self._in_copy = new, kept

    def _forget_copies(self) -> None:
        self._copies.clear()

    def _restore_store(self) -> None:
        copy = self._copies.pop("store", None)
        if copy is not None:
            self.database.restore(copy)
        new = self.folder / f"store-{self._plan.start}-{time.monotonic_ns()}"
        new.mkdir()
        self.database.copy(new)
        self._copies["store"] = new


def _copy(path: Path, to: Path) -> None:
    """Copy a database file that nobody has open, with its journal."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        (to / f"{path.name}{suffix}").unlink(missing_ok=True)
        part = path.with_name(path.name + suffix)
        if part.exists():
            shutil.copy2(part, to / part.name)


def _python(module: str, *arguments: object) -> list[str]:
    return [PLATEFLEET[0], "-m", module, *map(str, arguments)]


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
