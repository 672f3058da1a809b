"""A process of simulated devices: `python -m platefleet.deploy.simulate.child PLAN.json`.

It tells its lanes' time until it is told to `rest` on its standard input, then only sends; it ends at `end`, when its
standard input closes, or with its parent. Each second it writes a JSON line of what it has done so far.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from platefleet.deploy.simulate.boots import Boot, BootClock
from platefleet.deploy.simulate.device import Device
from platefleet.deploy.simulate.ledger import LedgerFile
from platefleet.deploy.simulate.traffic import Habits, steps
from platefleet.protocol.clock import SECOND_NS, Clock, Instant, SystemClock
from platefleet.protocol.clock_sync import ClockState
from platefleet.protocol.delivery.durable import open_outbox
from platefleet.protocol.errors import PlatefleetError
from platefleet.protocol.session import Broker

DEVICES_MOST = 100
"""Two threads and three descriptors each; one interpreter carries no more in time."""
REPORT_NS = SECOND_NS
LOOK_S = 0.05
STOP_S = 1.5


@dataclass(frozen=True)
class Plan:
    """What one process simulates.

    start: counted per process that takes up the same devices; names its passes. outboxes: their place in the folder.
    boot: since when and with what clock the devices have been up; None: since the machine has, and a person vouches.
    """

    seed: str
    devices: list[str]
    host: str
    port: int
    folder: str
    start: int = 1
    passes_a_minute: float = 6.0
    plates: list[str] = field(default_factory=list)
    stands_s: tuple[float, float] = (1.0, 5.0)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    backoff_s: float = 0.25
    backoff_most_s: float = 15.0
    keepalive_s: int = 15
    foreign_pause_s: float = 60.0
    outboxes: str = "outbox"
    boot: Boot | None = None

    def write(self, path: Path) -> None:
        """Write it for a process to read; nobody else may, as it may hold a password."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Return what was written."""
        told = json.loads(path.read_text(encoding="utf-8"))
        boot = told.pop("boot")
        return cls(**told, boot=None if boot is None else Boot(**boot))


class Fleet:
    """The devices of one process."""

    def __init__(self, plan: Plan, real: Clock) -> None:
        """real: of the machine that simulates."""
        self._plan = plan
        self._clock, state = clock_of(plan.boot, real)
        folder = Path(plan.folder)
        self.ledger = LedgerFile(folder / "ledger", f"{plan.devices[0]}-{plan.start}")
        broker = Broker(
            plan.host,
            plan.port,
            username=plan.username,
            password=plan.password,
            backoff_s=plan.backoff_s,
            backoff_most_s=plan.backoff_most_s,
            keepalive_s=plan.keepalive_s,
            foreign_pause_s=plan.foreign_pause_s,
        )
        habits = Habits(plan.passes_a_minute, tuple(plan.plates), (plan.stands_s[0], plan.stands_s[1]))
        self.devices = [
            Device(
                name,
                broker,
                open_outbox(folder / plan.outboxes / f"{name}.db", clock=self._clock, clock_state=state),
                ledger=self.ledger,
                steps=steps(f"{plan.seed}/{name}/{plan.start}", habits),
                clock=self._clock,
                clock_state=state,
                ledger_clock=real,
            )
            for name in plan.devices
        ]

    def work(self) -> float:
        """Do what is due; return when there will be more, in seconds from now."""
        dues = [(device, device.due()) for device in self.devices]
        self.ledger.flush()
        for device, due in dues:
            for each in due:
                device.do(each)
        self.ledger.flush()
        return max(0.0, (min(d.next_ns for d in self.devices) - self._clock.now().mono_ns) / SECOND_NS)

    def report(self) -> dict[str, int]:
        """Return what the devices say of themselves; for progress, never for the judgement."""
        depths = [device.outbox.depth() for device in self.devices]
        return {
            "waiting": sum(depth.waiting for depth in depths),
            "appended": sum(depth.appended for depth in depths),
            "told": sum(device.told for device in self.devices),
            "refused": sum(device.refused for device in self.devices),
            "away": sum(device.away for device in self.devices),
            "kept": self.ledger.kept,
        }


def clock_of(boot: Boot | None, real: Clock) -> tuple[Clock, Callable[[Instant], ClockState]]:
    """Return the devices' clock, and what they know of it."""
    if boot is None:
        return real, lambda _: "assumed"
    clock = BootClock(boot, real)
    return clock, clock.state


def main(path: str) -> None:
    """Simulate the plan in the file."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a terminal's Ctrl-C goes to all; the parent says when
    plan = Plan.read(Path(path))
    clock = SystemClock()
    with ExitStack() as owned:
        fleet = Fleet(plan, clock)
        owned.callback(fleet.ledger.close)
        for device in fleet.devices:
            device.start()
        _serve(fleet, clock)
        _stop(fleet.devices)
    print(json.dumps({"ended": True}), flush=True)


def run(path: str) -> int:
    """Simulate the plan in the file; return the exit status. What ends it is one sentence on standard error."""
    try:
        main(path)
    except PlatefleetError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _stop(devices: list[Device]) -> None:
    """Stop all at the same time: each waits a moment for the broker's answer to its farewell."""
    threads = [threading.Thread(target=device.stop, args=(STOP_S,), daemon=True) for device in devices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(STOP_S)


def _serve(fleet: Fleet, clock: Clock) -> None:
    orders = _orders()
    resting = False
    told_ns = 0
    while True:
        wait_s = LOOK_S if resting else min(LOOK_S, fleet.work())
        now_ns = clock.now().mono_ns
        if now_ns - told_ns >= REPORT_NS:
            told_ns = now_ns
            print(json.dumps(fleet.report() | {"resting": int(resting)}), flush=True)
        select.select([0], [], [], wait_s)
        for order in next(orders):
            if order == "end":
                return
            resting = resting or order == "rest"
            told_ns = 0


def _orders() -> Iterator[list[str]]:
    """Yield the orders that came since the last look; `end` when nobody can send any more."""
    os.set_blocking(0, False)
    rest = b""
    while True:
        try:
            data = os.read(0, 4096)
        except BlockingIOError:
            yield []
            continue
        if not data:
            yield ["end"]
        *lines, rest = (rest + data).split(b"\n")
        yield [line.decode() for line in lines]


if __name__ == "__main__":
    sys.exit(run(sys.argv[1]))
