"""Run ingest as a program: open the store (waiting for it if it is away), serve until a signal, leave in order."""

from __future__ import annotations

import logging
import signal
import threading
from dataclasses import replace
from pathlib import Path

from platefleet.fleet.ingest.worker import Ingest, ingest_session
from platefleet.fleet.retention.settings import load
from platefleet.fleet.store.opening import open_store
from platefleet.fleet.store.patience import once_there
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.session import Broker
from platefleet.protocol.topics import host

LOG = logging.getLogger(__name__)


def run_until_stopped(
    client: str, broker: Broker, *, database: str, slot: str, group: str, retention: Path | None = None
) -> None:
    """Commit until SIGINT or SIGTERM. Raises ConfigError, ForeignDatabase, SessionError, ProtocolError for a bad slot.

    Only for the main thread, because signals are.
    """
    host(slot)
    kept = None if retention is None else load(retention)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    clock = SystemClock()
    store = once_there(lambda: open_store(database, clock=clock), stop, LOG)
    if store is None:
        return
    from platefleet.fleet.retention.periodic import PeriodicRetention  # noqa: PLC0415 - an extra, which the store has
    from platefleet.fleet.store.database import database_at  # noqa: PLC0415

    where = database_at(database)
    try:
        broker = replace(broker, probe=True, shared=bool(group))
        ingest = Ingest(ingest_session(client, broker, slot, store, clock=clock, group=group), store, clock=clock)
        ingest.start()
        sweeping = None if kept is None else PeriodicRetention(where, kept, clock=clock)
        if sweeping is not None:
            sweeping.start()
        LOG.info("ingest: commits into %s, store %s", where.what, store.id)
        stop.wait()
        if sweeping is not None:
            sweeping.stop()
        ingest.stop()
        LOG.info("ingest: stopped; %s", ingest.counters.line())
    finally:
        store.close()
