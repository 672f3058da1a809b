"""The console's service as a program: opens its database, serves until a signal, leaves in order."""

from __future__ import annotations

import logging
import signal
import threading
from contextlib import closing

from platefleet.fleet.console.alarms import Limits
from platefleet.fleet.console.book import Book
from platefleet.fleet.console.calling import Alarms, Receiver
from platefleet.fleet.console.database import ConsoleDatabase
from platefleet.fleet.console.service import Console
from platefleet.fleet.console.settings import ConsoleSettings
from platefleet.fleet.gate.outputs.command import Command
from platefleet.fleet.gate.outputs.http import Http
from platefleet.fleet.store.patience import once_there
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.session import Session

LOG = logging.getLogger(__name__)
LINE_S = 60.0


def run_until_stopped(settings: ConsoleSettings) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP. Raises ConfigError, ForeignDatabase. Only for the main thread."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    clock = SystemClock()
    session = Session(settings.client, settings.broker.broker(settings.folder), clock=clock)
    database = once_there(lambda: ConsoleDatabase(settings.database, now_utc_ns=clock.now().utc_ns), stop, LOG)
    if database is None:
        return
    with closing(database), database.serving() as lock:
        alarms = Alarms(database, _limits(settings), _receiver(settings), clock=clock)
        console = Console(session, Book(database), clock=clock, chores=(alarms.look,))
        try:
            alarms.start()
            console.start()
            LOG.info("console: serves from %s", database.what)
            while not stop.wait(LINE_S):
                lock.look()
                LOG.info("console: %s", console.line())
        finally:
            console.stop()
            alarms.stop()
            LOG.info("console: stopped; %s", console.line())


def check(settings: ConsoleSettings) -> None:
    """Look at what can be looked at without a broker. Raises ConfigError."""
    broker = settings.broker.broker(settings.folder)
    if broker.tls is not None:
        broker.tls.context()
    _receiver(settings)


def _limits(settings: ConsoleSettings) -> Limits:
    return Limits(settings.alarms.silent_after_s, settings.alarms.camera_after_s)


def _receiver(settings: ConsoleSettings) -> Receiver | None:
    """Return whoever is called. Raises ConfigError for a URL that cannot be asked."""
    ours = settings.alarms
    if ours.command:
        return Command(ours.command, ours.timeout_s)
    if ours.webhook:
        parameters = {name: name for name in ("device", "kind", "what", "problem")}
        return Http(ours.webhook, parameters=parameters, timeout_s=ours.timeout_s)
    return None
