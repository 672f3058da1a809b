"""Run ingest as a program: open the store (waiting for it if it is away), serve until a signal, leave in order."""

from __future__ import annotations

import logging
import signal
import threading
from dataclasses import replace
from pathlib import Path

from platefleet.fleet.ingest.worker import Ingest, ingest_session
from platefleet.fleet.retention.settings import load
from platefleet.fleet.store.errors import ForeignDatabase
from platefleet.fleet.store.opening import open_store
from platefleet.fleet.store.port import Store
from platefleet.protocol.backoff import Backoff
from platefleet.protocol.clock import Clock, SystemClock
from platefleet.protocol.errors import StoreError
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
    store = _opened(database, clock, stop)
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


def _opened(database: str, clock: Clock, stop: threading.Event) -> Store | None:
    """Open the store, trying again while it is away; None when stopped meanwhile. Raises what waiting does not mend."""
    backoff = Backoff(0.5, 10.0)
    said = ""
    while not stop.is_set():
        try:
            return open_store(database, clock=clock)
        except ForeignDatabase:
            raise
        except StoreError as error:
            if str(error) != said:
                said = str(error)
                LOG.error("%s (trying again)", said)
        stop.wait(0.25 + backoff.next_s())
    return None
