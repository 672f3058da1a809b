"""A long cut, then the link back: how fast the backlog goes, and how soon fresh plates are at the controller."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from platefleet.deploy.bench.sections import Row
from platefleet.deploy.interrupts import Interrupts
from platefleet.deploy.simulate import committed
from platefleet.deploy.simulate.device import Device
from platefleet.deploy.simulate.ledger import LedgerFile
from platefleet.deploy.simulate.programs import PLATEFLEET, Program
from platefleet.deploy.simulate.proxy import Proxy
from platefleet.deploy.simulate.site import Site
from platefleet.deploy.simulate.traffic import LANE, Habits, Step, steps
from platefleet.protocol.clock import SECOND_NS, SystemClock
from platefleet.protocol.delivery.durable import open_outbox
from platefleet.protocol.errors import SessionError
from platefleet.protocol.ids import uuid7
from platefleet.protocol.session import Broker

RECORDS = 20_000
FRESH = 50
DEVICE = "north-1"
GATE = """name = "gate-1"
journal = "gate.journal"
assume_synced = true
[broker]
host = "127.0.0.1"
port = {port}
[allow_list]
file = "allowed.csv"
[outputs.barrier]
kind = "print"
[[lanes]]
device = "{device}"
lane = "{lane}"
output = "barrier"
"""
DECIDED = """
    SELECT p.pass, d.decided_mono_ns - p.captured_mono_ns FROM decisions d
    JOIN plates p ON p.pass = d.pass AND p.revision = d.revision WHERE p.device = '{device}'
"""
READY_S, SETTLE_S = 30.0, 600.0


@dataclass(frozen=True)
class Link:
    """A link by its name. bytes_per_s: None is as fast as this machine."""

    name: str
    bytes_per_s: float | None
    round_trip_s: float
    every_s: float
    """A fresh plate so often: spread over the time that the backlog takes."""


LINKS = (Link("full speed", None, 0.0, 0.15), Link("2 Mbit/s, 100 ms round trip", 250_000, 0.1, 1.2))


def rows(links: Sequence[Link] = LINKS, records: int = RECORDS, fresh: int = FRESH) -> list[Row]:
    """Measure each link. Raises SessionError where a program does not start."""
    return [_measured(link, records, fresh) for link in links]


def _measured(link: Link, records: int, fresh: int) -> Row:
    with tempfile.TemporaryDirectory(prefix="platefleet-backlog-") as name, ExitStack() as owned:
        folder = Path(name)
        database = f"sqlite:///{folder}/store.db"
        site = owned.enter_context(Site(folder, workers=1, links=1, database=database, interrupts=Interrupts()))
        _gate(owned, folder, site.port)
        way: Proxy = site.links[0]
        way.refuse()
        clock = SystemClock()
        outbox = open_outbox(folder / "outbox.db", clock=clock)
        ledger = LedgerFile(folder / "ledger", DEVICE)
        lane = steps(f"{link.name}/{DEVICE}", Habits())
        where = Broker("127.0.0.1", way.port, backoff_most_s=1.0)
        device = Device(DEVICE, where, outbox, ledger=ledger, steps=lane, clock=clock)
        while outbox.depth().waiting < records:
            device.keep(next(lane))
        waiting = outbox.depth()
        device.uplink.start()
        owned.callback(device.stop, 2.0)
        way.slow(link.bytes_per_s, link.round_trip_s)
        way.refuse(False)
        while device.uplink.stats.filled_back == 0:
            time.sleep(0.005)
        began = time.monotonic()
        told = _tell_fresh(device, fresh, link, began)
        while outbox.depth().waiting > 0 and time.monotonic() - began < SETTLE_S:
            time.sleep(0.02)
        took_s = time.monotonic() - began
        late_s = _decided(database, told)
    frame_bytes = waiting.waiting_bytes
    return {
        "link": link.name,
        "records": waiting.waiting,
        "mebibytes": round(frame_bytes / 2**20, 1),
        "seconds": round(took_s, 1),
        "records_per_s": round(waiting.waiting / took_s),
        "share_of_link": None if link.bytes_per_s is None else round(frame_bytes / took_s / link.bytes_per_s, 2),
        "fresh_decided": f"{len(late_s)} of {fresh}",
        "fresh_ms_p50": round(statistics.median(late_s) * 1000),
        "fresh_ms_most": round(max(late_s) * 1000),
    }


def _tell_fresh(device: Device, count: int, link: Link, began: float) -> set[str]:
    """Tell of a vehicle so often; return the passes."""
    told = set()
    for number in range(count):
        time.sleep(max(0.0, began + (number + 1) * link.every_s - time.monotonic()))
        name = uuid7(number, number.to_bytes(10, "big"))
        told.add(name)
        device.now(Step(0.3, "revision", name, 1, f"FRESH{number:04d}", 0.0))
    return told


def _gate(owned: ExitStack, folder: Path, port: int) -> None:
    (folder / "gate.toml").write_text(GATE.format(port=port, device=DEVICE, lane=LANE), encoding="utf-8")
    (folder / "allowed.csv").write_text("plate,valid_from,valid_until,weekdays,name\nB123ABC,,,,\n", encoding="utf-8")
    gate = Program("gate", [*PLATEFLEET, "gate", "run", "--config", "gate.toml"], folder)
    owned.callback(gate.end, 2.0)
    gate.start()
    gate.wait((folder / "gate.journal").exists, READY_S)


def _decided(database: str, told: set[str]) -> list[float]:
    """Return how long each fresh plate took from its capture to the gate's decision, in seconds."""
    deadline = time.monotonic() + READY_S
    while True:
        found = {name: ns / SECOND_NS for name, ns in committed.query(database, DECIDED.format(device=DEVICE))}
        fresh = [found[name] for name in told if name in found]
        if len(fresh) == len(told) or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    if not fresh:
        raise SessionError("backlog: the gate decided nothing; see whether its programs run.")
    return fresh
