"""The real agent with eyes that cost nothing, as a program: `device.py AGENT_TOML PLAN LOG [GO]`.

It works until SIGTERM. With GO it gets ready, makes GO.ready and waits until GO is there: so it takes over at once.
LOG gets a JSON line for each plate event that it kept, for each first look after a second without any, and at the end
how many records it appended: written past the outbox, for whoever checks on it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from platefleet.agent.assemble import broker_of
from platefleet.agent.config import load
from platefleet.agent.disk import outbox_file
from platefleet.agent.lane import Worked
from platefleet.agent.run import Agent
from platefleet.deploy.bench.scenery import Plan, PlannedEyes
from platefleet.protocol.clock import Clock, SystemClock
from platefleet.protocol.codec import decode
from platefleet.protocol.delivery.durable import QUOTA_BYTES, QUOTA_RECORDS, DurableOutbox
from platefleet.protocol.delivery.durable.reading import Settings as Use
from platefleet.protocol.delivery.frame import Record, RecordType
from platefleet.protocol.delivery.notes import NO_NOTES, Change
from platefleet.protocol.messages import Message, PlateEvent
from platefleet.protocol.session import Session


class TimedOutbox(DurableOutbox):
    """An outbox that remembers when each record was durable, and how long that took; then a live copy is on its way."""

    def __init__(self, path: Path, clock: Clock) -> None:
        super().__init__(path, Use(clock, QUOTA_BYTES, QUOTA_RECORDS, None, lambda _: "unsynced"))
        self.kept_ns: dict[tuple[str, int], int] = {}
        self.took_ns: dict[tuple[str, int], int] = {}

    def append(self, type: RecordType, message: Message, *, keep: Change = NO_NOTES) -> Record:  # noqa: A002
        """Keep a record (see `Outbox`)."""
        began_ns = time.monotonic_ns()
        record = super().append(type, message, keep=keep)
        self.kept_ns[record.key] = time.time_ns()
        self.took_ns[record.key] = time.monotonic_ns() - began_ns
        return record


class Log:
    """Observes the agent from beside its outbox. On the thread that follows passes, and the main one at the end."""

    def __init__(self, path: Path, outbox: TimedOutbox) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._outbox = outbox
        self._looked_s = 0.0

    def watch(self, worked: Worked) -> None:
        """Write what came of one picture."""
        now_s = time.time()
        if now_s - self._looked_s > 1.0:
            self.write(kind="looks", at_s=now_s)
        self._looked_s = now_s
        for record in worked.records:
            event = decode(PlateEvent, record.body)
            self.write(
                kind="record",
                at_ns=self._outbox.kept_ns[record.key],
                synced_ns=self._outbox.took_ns[record.key],
                handed_over_ns=worked.picture.arrived_mono_ns - worked.picture.captured.mono_ns,
                epoch=record.epoch,
                seq=record.seq,
                text=event.text,
                final=event.final,
                **{"pass": event.pass_id},
            )

    def write(self, **line: Any) -> None:
        """Append a line; it is with the system when this returns."""
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


def run(config: Path, plan: Path, log: Path, go: Path | None = None) -> None:
    """Run the agent until SIGTERM or SIGINT."""
    settings = load(config, os.environ)
    if go is not None:
        go.with_name(f"{go.name}.ready").touch()
        while not go.exists():
            time.sleep(0.02)
    clock = SystemClock()
    outbox = TimedOutbox(outbox_file(settings), clock)
    watching = Log(log, outbox)
    eyes = PlannedEyes(Plan(plan))
    agent = Agent(
        settings,
        session=Session(settings.device, broker_of(settings), clock=clock),
        outbox=outbox,
        eyes=lambda: {lane.name: eyes for lane in settings.lanes},
        clock=clock,
        observers=[watching.watch],
    )
    stop = threading.Event()
    stopping: Callable[[int, object], None] = lambda *_: stop.set()  # noqa: E731  # signal's shape
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stopping)
    agent.start()
    while not stop.wait(0.5):
        pass
    agent.stop()
    depth = outbox.depth()
    watching.write(kind="end", appended=depth.appended, committed=depth.committed, gone=depth.gone)


if __name__ == "__main__":
    run(*map(Path, sys.argv[1:5]))
