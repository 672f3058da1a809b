"""Many devices with real sessions, outboxes and journals, commanded from one console over the real Mosquitto.

`python -m tests.thousand 1000` orders one thing of all, twice; the second time the broker is killed in the middle. It
prints how long it took until all had accepted, and compares the console's database with every device's journal.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NoReturn

from platefleet.agent.commands.assembly import Parts, commands_of, subscriptions
from platefleet.agent.figures import Figures
from platefleet.agent.settings.tree import Settings
from platefleet.deploy.demo.broker import free_port
from platefleet.fleet.console.asked import Asked
from platefleet.fleet.console.book import Book, Signed
from platefleet.fleet.console.database import ConsoleDatabase
from platefleet.fleet.console.known import known_of
from platefleet.fleet.console.service import Console
from platefleet.models.operations import operations
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.clock_sync import clock_state, stamped
from platefleet.protocol.codec import decode, encode
from platefleet.protocol.delivery.durable import open_outbox
from platefleet.protocol.delivery.uplink import Uplink
from platefleet.protocol.messages import Command, Hardware, Info, Stamp
from platefleet.protocol.session import Broker, Session
from platefleet.protocol.topics import info as info_topic
from tests.commanded import HOUR, new_id
from tests.trust_builders import ROOTS, a_trust, ordered, told, trusted

EACH = 50
"""Devices of one process."""
_PR_SET_PDEATHSIG = 1
PATIENCE_S = 120.0
"""A thousand wait for two processors here; a disk of their own would not be slow for that."""
ACCEPTED = "number > 0"
OVER = "state IN ('succeeded', 'failed', 'rejected', 'cancelled', 'expired', 'rolled_back')"


class Device:
    """What of an agent takes commands; it has no camera."""

    def __init__(self, name: str, port: int, folder: Path) -> None:
        self.clock, self.figures, self.name = SystemClock(), Figures(), name
        settings = Settings.model_validate(
            {
                "device": name,
                "broker": {"host": "127.0.0.1", "port": port},
                "lanes": [{"name": "entry", "camera": {"kind": "rtsp", "url": "rtsp://127.0.0.1/none"}}],
                "commands": {
                    "roots": [root.line() for root in ROOTS.named],
                    "journal": str(folder / f"{name}.commands"),
                },
                "clock": {"assume_synced": True},
            }
        )
        self.outbox = open_outbox(
            folder / f"{name}.outbox", clock=self.clock, clock_state=lambda _: "assumed", slow_s=PATIENCE_S
        )
        broker = Broker("127.0.0.1", port, backoff_s=0.5, backoff_most_s=5.0, keepalive_s=60)
        self.uplink = Uplink(
            Session(name, broker, clock=self.clock), self.outbox, clock=self.clock, on_message=self._heard
        )
        parts = commands_of(
            settings,
            self.outbox,
            live=self.uplink.tell,
            send=self.uplink.send,
            diagnosis=lambda: {"name": name},
            begin_anew=lambda: None,
            changed=self.tell,
            stamp=self.stamp,
            boot=self.clock.boot,
            clock=self.clock,
            figures=self.figures,
        )
        assert parts is not None
        self.parts: Parts = parts
        self.uplink._session.subscribe(subscriptions(name))

    def stamp(self) -> Stamp:
        now = self.clock.now()
        return stamped(now, self.clock.boot, clock_state(now, assume_synced=True))

    def tell(self) -> None:
        said = Info(
            device=self.name,
            kind="agent",
            software="thousand",
            started=self.stamp(),
            install=self.parts.journal.install,
            hardware=Hardware(model="", cpu="", cores=1, memory_bytes=0),
        )
        self.uplink.send(info_topic(self.name), self.parts.completed(said), qos=1, retain=True)

    def _heard(self, received: Any) -> None:
        self.parts.on_message(received)


def nursery(port: int, folder: Path) -> None:
    """Begin a process of devices for each line of names that comes, until there are none.

    What they need is loaded once, so that a thousand do not load it one after the other.
    """
    operations()
    gc.freeze()
    pids: list[int] = []
    processors = sorted(os.sched_getaffinity(0))
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            # Its threads take turns for one interpreter in any case; to wake one on another processor costs ten times
            # as much as on the same (measured on a virtual machine: 7 and up to 100 µs there and back).
            os.sched_setaffinity(0, {processors[len(pids) % len(processors)]})
            serve(line.split(), port, folder)
        pids.append(pid)
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    for pid in pids:
        os.waitpid(pid, 0)


def serve(names: list[str], port: int, folder: Path) -> NoReturn:
    """Run devices until SIGTERM, or the nursery's end."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    sys.setswitchinterval(0.5)  # all that wait for the interpreter wake as often as this, to ask for it
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    devices = [Device(name, port, folder) for name in names]
    threads = [threading.Thread(target=each.parts.commands.run, args=(stop, lambda: None)) for each in devices]
    for device, thread in zip(devices, threads, strict=True):
        device.tell()
        device.uplink.start()
        thread.start()
    stop.wait()
    for device in devices:
        device.uplink.stop(0.2)
    os._exit(0)


class Fleet:
    """A console, a broker and processes of devices."""

    def __init__(self, many: int, folder: Path) -> None:
        self.folder, self.clock, self.port = folder, SystemClock(), free_port()
        self.names = [f"device-{number:04}" for number in range(many)]
        now_ns = self.clock.now().utc_ns
        self.database = ConsoleDatabase(f"sqlite:///{folder}/console.db", now_utc_ns=now_ns)
        self.book, self.asked = Book(self.database), Asked(self.database)
        key = trusted("ada", role="administrator", since=0, until=now_ns + 99 * HOUR)
        trust = a_trust(1, key, issued=now_ns)
        self.book.take_trust(1, trust.ends_at_ns, told(trust))
        (folder / "broker.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n"
            "max_inflight_messages 200\nmax_queued_messages 20000\nuser root\n"
        )
        self.broker: subprocess.Popen[bytes] | None = None
        self.devices: subprocess.Popen[bytes] | None = None
        broker = Broker("127.0.0.1", self.port, in_flight=200, backoff_s=0.1, backoff_most_s=1.0)
        self.console = Console(Session("console", broker, clock=self.clock), self.book, clock=self.clock)

    def start_broker(self) -> None:
        log = (self.folder / "broker.log").open("ab")
        self.broker = subprocess.Popen(["mosquitto", "-c", str(self.folder / "broker.conf")], stdout=log, stderr=log)

    def start(self) -> None:
        self.start_broker()
        self.console.start()
        argv = [sys.executable, "-m", "tests.thousand", "--port", str(self.port), "--folder", str(self.folder)]
        log = (self.folder / "devices.log").open("wb")
        self.devices = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=log, stderr=log)
        assert self.devices.stdin is not None
        for at in range(0, len(self.names), EACH):
            self.devices.stdin.write(" ".join(self.names[at : at + EACH]).encode() + b"\n")
            self.devices.stdin.flush()
            self.until_up(min(at + EACH, len(self.names)))

    def until_up(self, many: int) -> None:
        """Wait for so many: programs that start at once on two processors are not what is measured."""
        ends = time.monotonic() + PATIENCE_S
        while self.up() < many:
            assert time.monotonic() < ends, f"{self.up()} of {many} devices came; {self.console.line()}"
            time.sleep(0.2)

    def stop(self) -> None:
        if self.devices is not None:
            with suppress(subprocess.TimeoutExpired):
                self.devices.communicate(timeout=60)
            self.devices.kill()
        self.console.stop()
        self.database.close()
        if self.broker is not None:
            self.broker.kill()

    def up(self) -> int:
        """Return how many told that they know whom to trust."""
        infos = [decode(Info, bytes(row.info)) for row in self.asked.devices() if row.info is not None]
        return sum(info.trust_version > 0 for info in infos)

    def order(self, operation: str) -> tuple[list[str], float]:
        began = time.monotonic()
        now_ns = self.clock.now().utc_ns
        signed = []
        for row in self.asked.devices():
            device = known_of(row)
            said = {"id": new_id(), "device": device.name, "install": device.install, "operation": operation}
            command = Command.model_validate({**said, "issued_at": now_ns, "not_after": now_ns + HOUR})
            signed.append(Signed(command, ordered("ada", encode(command)), "ada"))
        self.book.add(signed, now_ns)
        return [each.message.id for each in signed], began

    def count(self, ids: list[str], how: str) -> int:
        """Return how many of one order are so, by plain SQL: to look must cost what is looked at little.

        how: a condition. Ids of a process rise, so an order's are all that lie between its smallest and its largest.
        """
        sql = f"SELECT count(*) FROM console_command WHERE id BETWEEN ? AND ? AND ({how})"
        with closing(sqlite3.connect(self.folder / "console.db")) as database:
            return int(database.execute(sql, (min(ids), max(ids))).fetchone()[0])

    def wait(self, ids: list[str], how: str, most_s: float) -> float:
        ends = time.monotonic() + most_s
        while self.count(ids, how) < len(ids):
            assert time.monotonic() < ends, f"{self.count(ids, how)} of {len(ids)}; {self.console.line()}"
            time.sleep(0.1)
        return time.monotonic()

    def differences(self, ids: list[str]) -> list[str]:
        """Compare the console's database with the devices' journals, by plain SQL."""
        with closing(sqlite3.connect(self.folder / "console.db")) as database:
            ours = {
                row[0]: row[1:] for row in database.execute("SELECT id, device, state, number FROM console_command")
            }
        found = []
        for id_ in ids:
            device, state, number = ours[id_]
            with closing(sqlite3.connect(self.folder / f"{device}.commands")) as journal:
                row = journal.execute("SELECT life, number FROM command WHERE id = ?", (id_,)).fetchone()
            theirs = None if row is None else (json.loads(row[0])["state"], row[1])
            if theirs != (state, number):
                found.append(f"{device}: the console has {state} {number}, the journal {theirs}")
        return found


def run(many: int, folder: Path) -> dict[str, Any]:
    """Command all of them twice and return what was seen."""
    fleet = Fleet(many, folder)
    try:
        began = time.monotonic()
        fleet.start()
        up_s = time.monotonic() - began
        ids, began = fleet.order("diagnose")
        accepted = fleet.wait(ids, ACCEPTED, 120) - began
        over = fleet.wait(ids, OVER, 240) - began
        again, began = fleet.order("diagnose")
        while fleet.count(again, ACCEPTED) < many // 4:
            time.sleep(0.02)
        assert fleet.broker is not None
        fleet.broker.send_signal(signal.SIGKILL)
        fleet.broker.wait(10)
        fleet.start_broker()
        storm = fleet.wait(again, OVER, 300) - began
        states = Counter(
            row.state for at in range(0, many, 500) for row in fleet.asked.commands((ids + again)[at:][:500])
        )
        return {
            "devices": many,
            "up_one_process_after_another_s": round(up_s, 1),
            "accepted_by_all_s": round(accepted, 2),
            "over_by_all_s": round(over, 2),
            "over_with_the_broker_killed_in_between_s": round(storm, 2),
            "states": dict(states),
            "differences": fleet.differences(ids + again),
            "console": fleet.console.line(),
        }
    finally:
        fleet.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("many", nargs="?", type=int, default=1000)
    parser.add_argument("--port", type=int)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.port:
        nursery(options.port, options.folder)
        return
    base = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="thousand-", dir=base))
    try:
        print(json.dumps(run(options.many, folder), indent=1))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
