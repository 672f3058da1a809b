"""The thread of an output: a bounded queue of pulses before it, an answer for each behind it."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from platefleet.fleet.gate.facts import Moved, Pulse
from platefleet.fleet.gate.outputs.base import Order, Output
from platefleet.protocol.clock import MILLISECOND_NS, Clock
from platefleet.protocol.errors import GateError

LOG = logging.getLogger(__name__)
WAITING_MOST = 4
"""Pulses that wait for a hanging output; the next one is answered `busy` at once."""


class Runner:
    """Moves one output for one pulse at a time, off the gate's loop, and answers each pulse exactly once."""

    def __init__(self, name: str, output: Output, clock: Clock, answer: Callable[[Moved], None]) -> None:
        """answer: called from the output's thread, or from `submit`; must not block."""
        self._name = name
        self._output = output
        self._clock = clock
        self._answer = answer
        self._waiting: queue.Queue[Pulse | None] = queue.Queue(WAITING_MOST)
        self._lock = threading.Lock()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"output {name}", daemon=True)

    def start(self) -> None:
        """Begin to take pulses."""
        self._thread.start()

    def submit(self, pulse: Pulse) -> None:
        """Queue a pulse. Never blocks: a full queue is a failure, answered at once."""
        with self._lock:
            stopping = self._stopping
            full = self._waiting.full()
            if not stopping and not full:
                self._waiting.put_nowait(pulse)
        if stopping:
            self._answer(_stopped(pulse))
        elif full:
            self._answer(Moved(pulse.token, "failed", f"output {self._name}: still busy with {WAITING_MOST} before it"))

    def stop(self, timeout_s: float = 2.0) -> None:
        """End the thread. What still waits does not move, and is answered so."""
        with self._lock:
            self._stopping = True
            if not self._waiting.full():
                self._waiting.put_nowait(None)
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            LOG.warning("output %s: does not end; its thread is left behind", self._name)

    def _run(self) -> None:
        while True:
            pulse = self._waiting.get()
            if pulse is None:
                return
            if self._stopping:
                self._answer(_stopped(pulse))
                if self._waiting.empty():
                    return
            else:
                self._answer(moved(self._name, self._output, pulse, self._clock))


def moved(name: str, output: Output, pulse: Pulse, clock: Clock) -> Moved:
    """Move an output for a pulse, unless its time has passed, and return what came of it."""
    began_ns = clock.now().mono_ns
    if pulse.until_mono_ns is not None and began_ns >= pulse.until_mono_ns:
        return Moved(pulse.token, "withdrawn", "the vehicle was last seen too long ago when the output's turn came")
    rule = pulse.rule
    order = Order(rule.gate, rule.device, rule.lane, pulse.plate, pulse.token if pulse.plate else "")
    why = ""
    try:
        output.move(order)
    except GateError as error:
        why = str(error)
    except Exception as error:
        LOG.exception("output %s: a fault; the pulse counts as failed", name)
        why = f"output {name}: {type(error).__name__}; it may have moved"
    took_ms = max(0, clock.now().mono_ns - began_ns) // MILLISECOND_NS
    return Moved(pulse.token, "failed" if why else "opened", why, took_ms)


def _stopped(pulse: Pulse) -> Moved:
    return Moved(pulse.token, "withdrawn", "the controller was stopped before the output's turn came")
