"""How long a command takes until it is `accepted`: over the real Mosquitto on loopback, console and device with disks.

`python -m tests.command_latency 300` orders one after another, and prints p50 and p99: from the operator's order (the
transaction begins) to the status in the console's database (committed), and from the service's publish to the status
heard. The device's journal is fsynced in between.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from platefleet.fleet.console.book import Book
from platefleet.fleet.console.due import Due
from platefleet.protocol.messages import CommandStatus
from tests.thousand import Fleet

WAIT_S = 30.0


class Timed(Book):
    """Notes when a command was about to be sent, when a status came, and when it was committed."""

    def __init__(self, book: Book) -> None:
        super().__init__(book._database)
        self.sent_at: dict[str, float] = {}
        self.heard_at: dict[str, float] = {}
        self.committed_at: dict[str, float] = {}
        self.taken = threading.Condition()

    def due(self, now_ns: int, most: int) -> list[Due]:
        due = super().due(now_ns, most)
        at = time.perf_counter()
        for each in due:
            self.sent_at.setdefault(each.id, at)
        return due

    def heard_statuses(self, statuses: Sequence[tuple[str, CommandStatus]], now_ns: int) -> int:
        began = time.perf_counter()
        count = super().heard_statuses(statuses, now_ns)
        ended = time.perf_counter()
        with self.taken:
            for _, status in statuses:
                self.heard_at.setdefault(status.command, began)
                self.committed_at.setdefault(status.command, ended)
            self.taken.notify_all()
        return count


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def run(many: int, folder: Path) -> dict[str, Any]:
    """Order `many` times and return milliseconds."""
    fleet = Fleet(1, folder)
    timed = Timed(fleet.book)
    fleet.book = fleet.console._book = timed
    to_database, to_heard = [], []
    try:
        fleet.start()
        for _ in range(many):
            began = time.perf_counter()
            (id_,), _ = fleet.order("diagnose")
            with timed.taken:
                came = timed.taken.wait_for(lambda id_=id_: id_ in timed.committed_at, WAIT_S)  # type: ignore[misc]
                assert came, f"{id_}: no status within {WAIT_S} s; {fleet.console.line()}"
            to_database.append((timed.committed_at[id_] - began) * 1000)
            to_heard.append((timed.heard_at[id_] - timed.sent_at[id_]) * 1000)
            fleet.wait([id_], "NOT open", WAIT_S)
    finally:
        fleet.stop()
    return {
        "commands": many,
        "order_to_database_ms": {"p50": percentile(to_database, 0.5), "p99": percentile(to_database, 0.99)},
        "publish_to_heard_ms": {"p50": percentile(to_heard, 0.5), "p99": percentile(to_heard, 0.99)},
        "load": os.getloadavg()[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("many", nargs="?", type=int, default=300)
    parser.add_argument("--folder", type=Path, help="On which disk; a temporary folder otherwise.")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="latency-", dir=options.folder))
    try:
        print(json.dumps(run(options.many, folder), indent=1))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
