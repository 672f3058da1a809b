"""`gate run` and `gate open` as a program does them."""

from __future__ import annotations

import logging
import os
import pwd
import signal
import threading

from platefleet.fleet.gate.allow_list import ALPHABET, AllowList, plate_of
from platefleet.fleet.gate.by_hand import ask, find_lane, open_alone, said_by
from platefleet.fleet.gate.calendar import Calendar
from platefleet.fleet.gate.controller import Gate
from platefleet.fleet.gate.escape import for_terminal, line
from platefleet.fleet.gate.holding import LONGEST_S
from platefleet.fleet.gate.journal import Held, Journal
from platefleet.fleet.gate.moments import local_time
from platefleet.fleet.gate.outputs.build import build
from platefleet.fleet.gate.rules import rules_of
from platefleet.fleet.gate.settings import GateSettings
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.clock_sync import clock_state
from platefleet.protocol.errors import GateError
from platefleet.protocol.session import Session

LOG = logging.getLogger(__name__)


def run_until_stopped(settings: GateSettings) -> None:
    """Run a gate until SIGINT or SIGTERM, and print its decisions. Raises GateError, ConfigError before it runs."""
    clock = SystemClock()
    gate = Gate(Session(settings.name, settings.broker.broker(), clock=clock), settings, clock=clock)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
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
        wish = {"open": "/".join(key), "reason": said}
        return ask(settings.journal, wish, rules[key].answer_within_ms / 1000 + 3.0, held=True)
    with journal:
        calendar = Calendar(
            settings.zone, clock.boot, lambda now: clock_state(now, assume_synced=settings.assume_synced)
        )
        output = build(settings.outputs[rules[key].output])
        try:
            return open_alone(
                journal, rules, key, said, output=output, listing=AllowList(), calendar=calendar, clock=clock
            )
        finally:
            output.close()


def hold(settings: GateSettings, lane: str, reason: str, for_s: int) -> str:
    """Hold a lane open through the running controller, or release it if `for_s` is 0. Raises GateError."""
    rules = rules_of(settings)
    key = find_lane(rules, lane)
    if not 0 <= for_s <= LONGEST_S:
        raise GateError(f"a lane is held open for {LONGEST_S // 3600} hours at most; ask for less.")
    wish: dict[str, str | int] = {"hold": "/".join(key), "for_s": for_s, "reason": said_by(_user(), reason)}
    return ask(settings.journal, wish, rules[key].answer_within_ms / 1000 + 3.0)


def forgive(settings: GateSettings, plate: str) -> str:
    """Take a plate as outside of every area, through the running controller. Raises GateError."""
    alphabet = settings.allow_list.alphabet if settings.allow_list is not None else ALPHABET
    try:
        return ask(settings.journal, {"forgive": plate_of(plate, alphabet)}, 5.0)
    except ValueError as error:
        raise GateError(f"{error}.") from error


def seconds(written: str) -> int:
    """Return a time such as 10m, 2h or 90s in seconds. Raises GateError.

    >>> seconds("10m"), seconds("2h")
    (600, 7200)
    """
    unit = {"s": 1, "m": 60, "h": 3600}.get(written[-1:], 0)
    if not unit or not written[:-1].isdigit() or not written.isascii() or len(written) > 6 or not int(written[:-1]):
        raise GateError(f"{for_terminal(written, 20)} is no time; 10m or 2h would be right.")
    return int(written[:-1]) * unit


def _user() -> str:
    """Return who runs this, as the machine has it; no environment variable can claim otherwise."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def _print(gate: Gate) -> None:
    for decision in gate.decisions():
        print(f"{local_time(decision.decided.utc_ns)} {line(decision)}", flush=True)
