"""A device that carries out one command, killed at every point of it; `python -m tests.killed_commands [OPERATION…]`.

A point lies before and after every commit of the journal and every record of the outbox; what an operation does to the
device lies between two of them. The device is killed at its n-th point for n = 1, 2, … until a life has no more; each
time it is started again on the same disk until the command is over, and what lies there is judged from outside.
`--lives 2` kills the second life at its n-th point too. Each life is a fork of this process, which has no threads.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platefleet.agent.commands.journal import Journal
from platefleet.models.artifacts.activation import at_start, confirmed
from platefleet.models.operations import operations
from platefleet.protocol.codec import encode
from platefleet.protocol.delivery.durable import open_outbox
from platefleet.protocol.delivery.frame import Record
from platefleet.protocol.delivery.outbox import Outbox
from platefleet.protocol.ids import new_epoch
from platefleet.protocol.messages import Command
from tests.commanded import DEVICE, HOUR, ATestHost, Commanded, new_id
from tests.killed_judge import Clock, judged
from tests.killed_sites import ARGUMENTS, ROLE, Site, make_template, served
from tests.trust_builders import T0, ordered

NEVER = 1 << 30
AGAIN = 3
"""The exit status of a life that was asked to begin anew."""
LIFE_S = 120.0
SHORT = ("rollback", "set-window", "activate", "restart", "snapshot")


class Points:
    """Counts the points of a life, and ends it at one."""

    def __init__(self, last: int) -> None:
        self._last, self._lock = last, threading.Lock()
        self.passed = 0

    def point(self) -> None:
        with self._lock:
            self.passed += 1
            if self.passed == self._last:
                os.kill(os.getpid(), signal.SIGKILL)


class Host(ATestHost):
    """Keeps on the disk what was asked of it."""

    def begin_anew(self) -> None:
        with (self.folder / "asked").open("a") as file:
            file.write("begin anew\n")
        self.anew += 1


class ADevice:
    """One life of the device."""

    def __init__(self, site: Site, last: int) -> None:
        self.points = points = Points(last)

        class Watched(Journal):
            @contextmanager
            def _transaction(self) -> Iterator[sqlite3.Connection]:
                points.point()
                with super()._transaction() as database:
                    yield database

        clock = Clock(site.began_ns)
        outbox = open_outbox(site.folder / "outbox", clock=clock, slow_s=60.0)
        self._watch(outbox)
        host = Host(site.folder, run_id=new_epoch(), hosts=site.hosts)
        self._undo_what_was_on_trial(host)
        self.device = Commanded(
            site.folder, host=host, clock=clock, outbox=outbox, after_commit=points.point, journal=Watched
        )
        host.window_in_force = self.device.choices.window
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._confirm, daemon=True)

    def run(self, site: Site) -> int:
        """Live until the command is over and told, or the device is to begin anew; return the exit status."""
        self.device.start()
        self._watcher.start()
        self.device.commands.hear("command", site.payload)
        ends = time.monotonic() + LIFE_S
        while time.monotonic() < ends:
            if self.device.host.anew:
                self.device.stop()
                return AGAIN
            written = self.device.clerk.written(site.id)
            told = self.device.telling.told == self.device.journal.last_status()
            if written is not None and written.life.over and told:
                self.device.stop()
                return 0
            time.sleep(0.01)
        return 1

    def _watch(self, outbox: Outbox) -> None:
        append, points = outbox.append, self.points

        def counted(*arguments: Any, **more: Any) -> Record:
            points.point()
            record = append(*arguments, **more)
            points.point()
            return record

        outbox.append = counted  # type: ignore[method-assign]  # a point before and after each record

    def _undo_what_was_on_trial(self, host: ATestHost) -> None:
        """As the agent does when it starts."""
        host.store.choose(ROLE, lambda now: at_start(now) if now else now)  # type: ignore[arg-type, return-value]

    def _confirm(self) -> None:
        """As the agent's watch does when nothing speaks against what is on trial."""
        store = self.device.host.store
        while not self._ended.wait(0.05):
            now = store.active(ROLE)
            if now is not None and not now.confirmed:
                store.choose(ROLE, lambda one, key=now.key: confirmed(one, key) if one and one.key == key else one)  # type: ignore[misc]


@dataclass
class Found:
    """What was killed and judged, by operation: the number of points, and what was wrong."""

    points: dict[str, int] = field(default_factory=dict)
    ends: dict[str, dict[str, int]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def set_up(operation: str, folder: Path, template: Site) -> Site:
    """Make a device's disk before it hears of a command, and that command."""
    shutil.copytree(template.folder, folder)
    journal = Journal(folder / f"{DEVICE}.commands")
    began_ns, said = time.monotonic_ns(), ARGUMENTS[operation](template)
    command = Command(
        id=new_id(),
        device=DEVICE,
        install=journal.install,
        operation=operation,
        arguments=said,
        issued_at=T0,
        not_after=T0 + HOUR,
        builds_on=0 if operations()[operation].versioned else None,
    )
    journal.close()
    return template.at(folder, command.id, ordered("ada", encode(command)), began_ns)


def one_point(operation: str, folder: Path, template: Site, last: int, lives: int) -> tuple[int, str, list[str]]:
    """Kill a device at its `last` point, in so many lives; return how often it died, how it ended, what is wrong."""
    site = set_up(operation, folder, template)
    died = 0
    for life in range(50):
        status = _forked(lambda life=life: ADevice(site, last if life < lives else NEVER).run(site))  # type: ignore[misc]
        if status == -signal.SIGKILL:
            died += 1
        elif status == 0:
            break
        elif status != AGAIN:
            return died, "", [f"life {life} ended with {status}"]
    else:
        return died, "", ["it never ended"]
    state, wrong = judged(operation, site, died)
    return died, state, wrong


def _forked(live: Callable[[], int]) -> int:
    """Return the exit status of a fork that does this, negative for the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            status = live()
        except BaseException:  # noqa: BLE001 - the fork must not go on as its parent
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def sweep(names: list[str], *, at_once: int, lives: int, first: int = 1, every: int = 1) -> Found:
    """Kill each operation at every point (or every so-many-th); several devices live at once."""
    found = Found()
    with tempfile.TemporaryDirectory(prefix="killed") as name:
        root = Path(name)
        plain = make_template(root / "template")
        measured = make_template(root / "measured", measure=True) if "benchmark" in names else plain
        with served(root, plain) if "fetch" in names else nullcontext(plain) as site:
            for operation in names:
                template = measured if operation == "benchmark" else site
                _sweep_one(operation, root, template, found, at_once=at_once, lives=lives, first=first, every=every)
    return found


def _sweep_one(
    operation: str, root: Path, template: Site, found: Found, *, at_once: int, lives: int, first: int, every: int
) -> None:
    running: dict[int, int] = {}
    ends: dict[str, int] = {}
    last, more = first, True
    while more or running:
        while more and len(running) < at_once:
            folder = root / f"{operation}-{last}"
            pid = os.fork()
            if pid == 0:
                _keeper(operation, folder, template, last, lives)
            running[pid] = last
            last += every
        pid, _ = os.waitpid(-1, 0)
        point = running.pop(pid)
        folder = root / f"{operation}-{point}"
        died, state, wrong = json.loads(folder.with_suffix(".json").read_text())
        found.wrong += [f"{operation}, killed at point {point}: {says}" for says in wrong]
        if not died:
            more = False  # a life has no more points than that
        else:
            found.points[operation] = max(found.points.get(operation, 0), point)
            ends[state] = ends.get(state, 0) + 1
        shutil.rmtree(folder, ignore_errors=True)
    found.ends[operation] = ends


def _keeper(operation: str, folder: Path, template: Site, last: int, lives: int) -> None:
    """Be a process that keeps one device, and write down what came of it."""
    try:
        found = one_point(operation, folder, template, last, lives)
    except BaseException:  # noqa: BLE001 - it is what was found
        found = (0, "", [traceback.format_exc()])
    folder.with_suffix(".json").write_text(json.dumps(found))
    os._exit(0)


def main() -> int:
    """Print what was found; return 1 if anything contradicts itself."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("operation", nargs="*")
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--lives", type=int, default=1)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = options.operation or sorted(ARGUMENTS)
    began = time.monotonic()
    found = sweep(names, at_once=options.at_once, lives=options.lives, first=options.first, every=options.every)
    total = {"points": found.points, "ends": found.ends, "wrong": found.wrong}
    if options.json:
        print(json.dumps(total))
    else:
        for name in names:
            print(f"{name:<12} {found.points.get(name, 0):>4} points  {found.ends.get(name)}")
        print("\n".join([*found.wrong, f"{len(found.wrong)} wrong in {time.monotonic() - began:.0f} s"]))
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
