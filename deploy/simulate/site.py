"""A broker, links to it and ingest workers of the simulator's own, and the faults that happen to them."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from types import TracebackType

from platefleet.deploy.demo.broker import HOST, free_port
from platefleet.deploy.interrupts import Interrupts
from platefleet.deploy.simulate.faults import Event
from platefleet.deploy.simulate.programs import PLATEFLEET, Program
from platefleet.deploy.simulate.proxy import Proxy
from platefleet.protocol.errors import ConfigError

START_S = 60.0
MOSQUITTO = """listener {port} 127.0.0.1
persistence false
set_tcp_nodelay true
allow_anonymous true
max_queued_messages 10000
max_connections -1
user root
"""
"""Started by root it would become another user, and would then no longer end with whoever started it."""
GROUP = "simulated"


class Site:
    """From entering to leaving. links: proxies in front of the broker."""

    def __init__(self, folder: Path, *, workers: int, links: int, database: str, interrupts: Interrupts) -> None:
        self.port = free_port()
        self.database = database
        self._folder, self._interrupts = folder, interrupts
        self._owned = ExitStack()
        self._count = links
        self.links: list[Proxy] = []
        self.broker = Program("broker", self._broker_argv(), folder)
        self.workers = [self._worker(number) for number in range(1, workers + 1)]

    def __enter__(self) -> Site:
        try:
            self._owned.callback(self.broker.kill)
            self.start_broker()
            for _ in range(self._count):
                self.links.append(Proxy(self.port))
                self._owned.callback(self.links[-1].close)
            for worker in self.workers:
                self._owned.callback(worker.end, 1.0)
                worker.start()
                worker.wait(partial(_commits, worker), START_S, self._interrupts)
        except BaseException:
            self._owned.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._owned.close()

    def start_broker(self) -> None:
        """Start it, empty, and wait until it listens."""
        self.broker.start()
        self.broker.wait(self._answers, START_S, self._interrupts)

    def suffer(self, event: Event) -> str:
        """Let the fault begin or end; return a line that says so."""
        fault, ends = event.fault, event.ends
        match fault.kind:
            case "broker restart":
                if ends:
                    self.start_broker()
                else:
                    self.broker.kill()
            case "ingest kill":
                number = (fault.worker or event.number % len(self.workers) + 1) - 1
                if number >= len(self.workers):
                    raise ConfigError(f"faults: worker {number + 1} is killed, but there are {len(self.workers)}.")
                worker = self.workers[number]
                worker.start() if ends else worker.kill()
            case _:
                for link in self.links:
                    self._on_link(link, event)
        return f"{fault.kind} {'ends' if ends else 'begins'}"

    def _on_link(self, link: Proxy, event: Event) -> None:
        fault = event.fault
        match fault.kind:
            case "link cut":
                link.refuse(not event.ends)
                if not event.ends:
                    link.cut()
            case "link stall":
                link.resume() if event.ends else link.stall()
            case _:
                rate = None if event.ends else fault.kbit_per_s * 1000 / 8
                link.slow(rate, 0.0 if event.ends else fault.round_trip_ms / 1000)

    def _worker(self, number: int) -> Program:
        options = ("--broker", f"{HOST}:{self.port}", "--database", self.database, "--slot", str(number))
        return Program(f"ingest-{number}", [*PLATEFLEET, "ingest", "run", *options, "--group", GROUP], self._folder)

    def _broker_argv(self) -> list[str]:
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if program is None:
            return [sys.executable, "-m", "platefleet.deploy.simulate.embedded", str(self.port)]
        configuration = self._folder / "mosquitto.conf"
        configuration.write_text(MOSQUITTO.format(port=self.port), encoding="utf-8")
        return [program, "-c", str(configuration)]

    def _answers(self) -> bool:
        with suppress(OSError):
            socket.create_connection((HOST, self.port), timeout=1).close()
            return True
        return False


def _commits(worker: Program) -> bool:
    return "commits into" in worker.said()
