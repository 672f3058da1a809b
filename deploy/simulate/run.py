"""The simulation put together: a site or somebody else's broker, devices, faults at their times, and the ledger."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console

from platefleet.agent.knock import knock
from platefleet.deploy.interrupts import Interrupts
from platefleet.deploy.simulate import committed
from platefleet.deploy.simulate.child import Plan
from platefleet.deploy.simulate.compare import Book, Ledger, compare
from platefleet.deploy.simulate.faults import ON_LINKS, Event, Faults, schedule
from platefleet.deploy.simulate.herd import NOTHING, Herd, processes
from platefleet.deploy.simulate.ledger import notes
from platefleet.deploy.simulate.site import Site
from platefleet.protocol.errors import StoreError
from platefleet.protocol.session import OPTIONS, Broker
from platefleet.protocol.topics import checked

READY_S = 120.0
LOOK_S = 0.1
KNOCK_S = 5.0
NAMES = replace(OPTIONS, user="that it lets anybody in: simulated devices have no user names")
TOLD_S = 5.0
"""A line of progress this often, where nobody watches a terminal."""


@dataclass(frozen=True)
class Options:
    """What to simulate. broker: somebody else's host and port, None: our own. settle_s: for committing what is left."""

    devices: int
    rate: float
    for_s: float
    faults: Faults = field(default_factory=Faults)
    seed: int = 1
    workers: int = 1
    broker: tuple[str, int] | None = None
    database: str = ""
    name: str = ""
    settle_s: float = 120.0
    out: Path | None = None


def run(options: Options, console: Console, interrupts: Interrupts) -> int:
    """Simulate; return 0 if the ledger is equal, 1 if it is not. Raises PlatefleetError.

    KeyboardInterrupt at any point, also one of `interrupts`, ends everything within two seconds.
    """
    if options.name:
        checked(f"{options.name}-0001")
    with ExitStack() as owned:
        scratch = options.out or owned.enter_context(tempfile.TemporaryDirectory(prefix="platefleet-simulate-"))
        folder = Path(scratch).resolve()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{scratch}: cannot be written ({error.strerror}); name another folder with --out"
            ) from error
        database = options.database or f"sqlite:///{folder}/store.db"
        count = processes(options.devices)
        if options.broker is not None:
            _reach(Broker(*options.broker, names=NAMES), database)
        site: Site | None = None
        ports = [] if options.broker is None else [options.broker[1]] * count
        if options.broker is None:
            console.print("starting broker and ingest", style="dim")
            links = count if any(fault.kind in ON_LINKS for fault in options.faults.faults) else 0
            site = owned.enter_context(
                Site(folder, workers=options.workers, links=links, database=database, interrupts=interrupts)
            )
            ports = [link.port for link in site.links] or [site.port] * count
        herd = _herd(options, folder, ports, interrupts)
        owned.callback(herd.end)
        herd.wait(lambda _: True, READY_S)
        console.print(f"{options.devices} devices in {count} processes, seed {options.seed}; ledger in {folder}/ledger")
        _live(herd, site, options, console, lambda: _rows(database))
        herd.rest()
        drained = herd.wait(lambda report: report["waiting"] == 0, options.settle_s)
        if not drained:
            console.print(f"not everything was covered within {options.settle_s:g} s", style="yellow")
        kept = (herd.look() or NOTHING)["kept"]
        judged = _judged(folder, database, kept, options.settle_s if drained else 0.0, interrupts)
    return _said(judged, console)


def _reach(broker: Broker, database: str) -> None:
    """Look whether somebody's store and broker are there. Raises StoreError, SessionError."""
    committed.count(database)
    knock(f"simulate-{os.urandom(3).hex()}", broker, KNOCK_S)


def _herd(options: Options, folder: Path, ports: Sequence[int], interrupts: Interrupts) -> Herd:
    name = options.name or f"sim-{os.urandom(3).hex()}"
    names = [f"{name}-{number:04d}" for number in range(1, options.devices + 1)]
    plan = Plan(
        seed=str(options.seed),
        devices=[],
        host="127.0.0.1" if options.broker is None else options.broker[0],
        port=0,
        folder=str(folder),
        passes_a_minute=options.rate,
    )
    return Herd(plan, names, ports, folder, interrupts)


def _live(herd: Herd, site: Site | None, options: Options, console: Console, rows: Callable[[], int | None]) -> None:
    """Let time go by, and faults happen in it; what is broken at the end is mended."""
    events: list[Event] = schedule(options.faults, options.for_s)
    began = time.monotonic()
    told_s = -TOLD_S
    while True:
        now_s = time.monotonic() - began
        while site is not None and events and (events[0].at_s <= now_s or now_s >= options.for_s):
            event = events.pop(0)
            if event.ends or now_s < options.for_s:
                console.print(f"{now_s:7.1f} s  {site.suffer(event)}", style="yellow")
        if now_s >= options.for_s:
            return
        report = herd.look() or NOTHING
        if now_s - told_s >= TOLD_S:
            told_s = now_s
            held = rows()
            away = report["away"] if now_s >= TOLD_S else 0
            console.print(
                f"{now_s:7.1f} s  appended {report['appended']}, waiting {report['waiting']}, "
                f"rows in the store {'?' if held is None else held}"
                + (f", devices that are not at the broker {away}" if away else ""),
                style="dim",
            )
        time.sleep(LOOK_S)


def _rows(database: str) -> int | None:
    try:
        return committed.count(database)
    except StoreError:
        return None  # it is away: that is one of the faults


def _judged(folder: Path, database: str, kept: int, patience_s: float, interrupts: Interrupts) -> Ledger:
    """Compare until nothing is missing any more, or the patience is over. kept: notes that the book must have."""
    book = Book().enter(notes(folder / "ledger"))
    if len(book.kept) < kept:
        raise StoreError(
            f"{folder}/ledger: holds {len(book.kept)} of the {kept} records that were noted there, so nothing can be "
            "compared; leave the folder alone until the end"
        )
    deadline = time.monotonic() + patience_s
    while True:
        judged = compare(book, committed.rows(database), committed.gone(database))
        if judged.equal or time.monotonic() >= deadline:
            return judged
        interrupts.check()
        time.sleep(1.0)


def _said(judged: Ledger, console: Console) -> int:
    console.print(judged.line(), style="bold green" if judged.equal else "bold red")
    for line in judged.differences():
        console.print(line, style="red", markup=False)
    return 0 if judged.equal else 1
