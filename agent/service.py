"""The agent as a service: logging, signals, systemd."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from platefleet.agent.assemble import assemble
from platefleet.agent.config import ConfigProblems, load
from platefleet.agent.leaving import leave
from platefleet.agent.passing import Passing
from platefleet.agent.run import Agent
from platefleet.agent.systemd import notify, watchdog_s
from platefleet.protocol.errors import ConfigError
from platefleet.protocol.printable import printable

LOG = logging.getLogger(__name__)
STOP_S = 1.8
"""Everything stops within two seconds of a signal; the rest is the interpreter's."""
BEGIN_ANEW = 75
"""The exit status of an agent that wants to be started again (`EX_TEMPFAIL` of sysexits.h); systemd does."""
LEVELS = ("debug", "info", "warning", "error")


class _Printable(logging.Formatter):
    """Log lines that cannot steer a terminal, whatever text from the wire or a camera stands in them."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        line: str = super().formatMessage(record)
        return printable(line)


def set_up_logging(level: str) -> None:
    """Log to stderr from `level` up. Raises ConfigError for a level that is none."""
    if level.lower() not in LEVELS:
        raise ConfigError(f"--log-level: {level!r} is no level; one of {', '.join(LEVELS)} would be right")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Printable("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def serve(config: Path, level: str, environ: Mapping[str, str], *, quiet: bool = False) -> int:
    """Run the agent until a signal; return the exit status. quiet: print no passes.

    Raises PlatefleetError if it cannot start.
    """
    set_up_logging(level)
    try:
        settings = load(config, environ)
    except ConfigProblems as error:
        for problem in error.problems:
            sys.stderr.write(f"{printable(problem)}\n")
        return 1
    stop, anew = threading.Event(), threading.Event()

    def begin_anew() -> None:
        LOG.info("a command asked to begin anew: stopping")
        anew.set()
        stop.set()

    with Passing() as passing:
        agent = assemble(settings, said=None if quiet else passing, begin_anew=begin_anew)
        ended = _run(agent, environ, stop)
    status = BEGIN_ANEW if anew.is_set() else 0
    if not ended:
        leave(status)
    return status


def _run(agent: Agent, environ: Mapping[str, str], stop: threading.Event) -> bool:
    """Run it until a signal, or until every lane's file is over; whether every thread of it has ended."""

    def on_signal(number: int, _: FrameType | None) -> None:
        LOG.info("%s: stopping", signal.Signals(number).name)
        stop.set()

    ended = False
    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        agent.start()
        notify("READY=1", environ)
        every_s = watchdog_s(environ)
        while not stop.wait(min(every_s or 1.0, 1.0)):
            hung = agent.hung()
            if hung:
                notify(f"STATUS=hangs: {', '.join(hung)}", environ)
            elif every_s is not None:
                notify("WATCHDOG=1", environ)
            if agent.wait_over(0.0):
                LOG.info("every lane's file is over")
                break
    finally:
        notify("STOPPING=1", environ)
        ended = agent.stop(STOP_S)
        for number, handler in before.items():
            signal.signal(number, handler)
    return ended
