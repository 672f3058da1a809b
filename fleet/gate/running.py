"""`gate run` and `gate open` as a program does them."""

from __future__ import annotations

import logging
import os
import pwd
import signal
import threading

from platefleet.fleet.gate.allow_list import AllowList
from platefleet.fleet.gate.by_hand import ask, find_lane, open_alone, said_by
from platefleet.fleet.gate.calendar import Calendar
from platefleet.fleet.gate.controller import Gate, rules_of
from platefleet.fleet.gate.escape import line
from platefleet.fleet.gate.journal import Held, Journal
from platefleet.fleet.gate.outputs.build import build
from platefleet.fleet.gate.settings import GateSettings
from platefleet.protocol.clock import SystemClock, boot_id
from platefleet.protocol.clock_sync import clock_state
from platefleet.protocol.session import Session

LOG = logging.getLogger(__name__)


def run_until_stopped(settings: GateSettings) -> None:
    """Run a gate until SIGINT or SIGTERM, and print its decisions. Raises GateError, ConfigError before it runs."""
    clock = SystemClock()
    gate = Gate(Session(settings.name, settings.broker.broker(), clock=clock), settings, clock=clock)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with gate:
        printer = threading.Thread(target=_print, args=(gate,), name="gate decisions", daemon=True)
        printer.start()
        LOG.info("gate %s runs for %s", settings.name, ", ".join("/".join(key) for key in gate.rules))
        while not ended.wait(0.5):
            pass
    printer.join(1.0)


def open_by_hand(settings: GateSettings, lane: str, reason: str) -> str:
    """Open a lane through the running controller, or alone; return what came of it. Raises GateError."""
    clock = SystemClock()
    rules = rules_of(settings)
    key = find_lane(rules, lane)
    said = said_by(_user(), reason)
    try:
        journal = Journal(settings.journal)
    except Held:
        return ask(settings.journal, "/".join(key), said, rules[key].answer_within_ms / 1000 + 3.0)
    with journal:
        calendar = Calendar(
            settings.zone, boot_id(), lambda now: clock_state(now, assume_synced=settings.assume_synced)
        )
        output = build(settings.outputs[rules[key].output])
        try:
            return open_alone(
                journal, rules, key, said, output=output, listing=AllowList(), calendar=calendar, clock=clock
            )
        finally:
            output.close()


def _user() -> str:
    """Return who runs this, as the machine has it; no environment variable can claim otherwise."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def _print(gate: Gate) -> None:
    for decision in gate.decisions():
        print(line(decision), flush=True)
