"""Keeps the agent's threads running: what stops is started again, counted and told; what hangs is not covered up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from platefleet.agent.figures import Figures
from platefleet.protocol.backoff import Backoff
from platefleet.protocol.clock import SECOND_NS, Clock
from platefleet.protocol.errors import PlatefleetError

LOG = logging.getLogger(__name__)
Run = Callable[[threading.Event, Callable[[], None]], None]
"""A worker: runs until the event is set, and calls the second argument at least every few seconds."""
STEADY_NS = 60 * SECOND_NS
"""A worker that ran this long is well again: its failure is no problem any more, and pauses begin short."""
HUNG_NS = 60 * SECOND_NS
"""Silent for longer than any forward pass, fetch of weights or camera takes, a worker hangs."""


@dataclass
class Worker:
    """One thread and what became of it."""

    name: str
    run: Run
    last_alive_ns: int = 0
    finished: bool = False
    thread: threading.Thread | None = field(default=None, repr=False)


class Supervisor:
    """Starts workers, starts them again after a failure with growing pauses, stops them together."""

    def __init__(
        self, clock: Clock, figures: Figures, backoff: Callable[[], Backoff] = lambda: Backoff(0.5, 30.0)
    ) -> None:
        self._clock, self._figures, self._backoff = clock, figures, backoff
        self._workers: list[Worker] = []
        self._stops: dict[str, threading.Event] = {}

    def start(self, name: str, run: Run) -> None:
        """Start a worker in a thread of its own."""
        worker = Worker(name, run, self._clock.now().mono_ns)
        stop = threading.Event()
        worker.thread = threading.Thread(target=self._keep, args=(worker, stop), name=name, daemon=True)
        self._workers.append(worker)
        self._stops[name] = stop
        worker.thread.start()

    def stop(self, name: str, timeout_s: float) -> bool:
        """Stop one worker; whether it ended within the time. One that was never started has."""
        worker = next((worker for worker in self._workers if worker.name == name), None)
        if worker is None or worker.thread is None:
            return True
        self._stops[name].set()
        worker.thread.join(timeout_s)
        if worker.thread.is_alive():
            LOG.warning("%s did not stop within %g s and is left behind", name, timeout_s)
        return not worker.thread.is_alive()

    def let_go(self, *names: str) -> None:
        """Ask workers to stop without waiting for them."""
        for name in names:
            if name in self._stops:
                self._stops[name].set()

    def hung(self) -> list[str]:
        """Return the workers that have not been heard of for `HUNG_NS`."""
        now_ns = self._clock.now().mono_ns
        return [each.name for each in self._workers if not each.finished and now_ns - each.last_alive_ns > HUNG_NS]

    def _keep(self, worker: Worker, stop: threading.Event) -> None:
        backoff = self._backoff()

        def alive() -> None:
            worker.last_alive_ns = self._clock.now().mono_ns

        def works() -> None:
            alive()
            if worker.last_alive_ns - began_ns > STEADY_NS:
                self._figures.well(f"worker {worker.name}")

        while not stop.is_set():
            began_ns = self._clock.now().mono_ns
            alive()
            try:
                worker.run(stop, works)
            except PlatefleetError as error:
                self._fell(worker, f"{worker.name} failed: {error}")
            except Exception:  # a bug in one part must not end the others
                LOG.exception("%s failed by a fault of this program and is started again", worker.name)
                self._fell(worker, f"{worker.name} failed by a fault of this program; its log has it")
            else:
                break
            if self._clock.now().mono_ns - began_ns > STEADY_NS:
                backoff.reset()
            pause_s = backoff.next_s()
            while pause_s > 0 and not stop.wait(min(1.0, pause_s)):
                alive()
                pause_s -= 1.0
        worker.finished = True
        self._figures.well(f"worker {worker.name}")

    def _fell(self, worker: Worker, sentence: str) -> None:
        """Count a failure; it counts as a problem until the worker ran for `STEADY_NS` or ends well."""
        self._figures.count("restarts")
        if self._figures.trouble(f"worker {worker.name}", sentence):
            LOG.error("%s; it is started again", sentence)
