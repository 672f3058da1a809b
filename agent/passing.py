"""A line for each pass, for who stands beside the device: when, where, what was read.

Whoever reads the lines may be slow, or gone: a barrier waits for neither. So they wait in a short queue for a thread of
their own, and what finds no room there is left out and counted.
"""

from __future__ import annotations

import datetime as dt
import os
import queue
import threading
from collections import OrderedDict
from contextlib import suppress
from typing import BinaryIO

from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.messages import PlateEvent
from platefleet.protocol.printable import printable

WAITING = 256
"""Lines before a reader that is slow: minutes of passes."""
LAST_S = 0.1
"""For what waits at the end: the agent itself may need nearly all of the two seconds that a stop has."""
MOST_PASSES = 64
"""Passes of which is known what was said: far more than stand in all lanes of a device."""


def line(event: PlateEvent) -> str:
    """Return one event as a line: this machine's time, lane, text or why there is none, and what else is known."""
    at = dt.datetime.fromtimestamp(event.captured.utc_ns // SECOND_NS, dt.timezone.utc).astimezone()
    read = (
        f"{event.text}  sure {event.mean:.2f}, least {event.minimum:.2f}" if event.text else f"unread: {event.unread}"
    )
    which = "interrupted" if event.interrupted else "final" if event.final else f"revision {event.revision}"
    return printable(f"{at:%Y-%m-%dT%H:%M:%S%z} {event.lane}  {read}, {event.direction}, {which}")


class Passing:
    """Prints a line for a pass when it is told, and another only if what it says has changed since."""

    def __init__(self, stream: BinaryIO | None = None) -> None:
        """stream: unbuffered; a thread that hangs in a buffered one keeps the program from ending. None: stdout."""
        self._stream = stream or os.fdopen(os.dup(1), "wb", buffering=0)
        self._said: OrderedDict[str, tuple[str, str | None]] = OrderedDict()
        self._lines: queue.Queue[str | None] = queue.Queue(WAITING)
        self._left_out = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="passes shown", daemon=True)

    def __enter__(self) -> Passing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Print what waits, if somebody takes it at once."""
        with suppress(queue.Full):
            self._lines.put_nowait(None)
            self._thread.join(LAST_S)

    def __call__(self, event: PlateEvent) -> None:
        """Take an event. Never blocks; may be called from every lane's thread."""
        says = (event.text, event.unread)
        with self._lock:
            if self._said.get(event.pass_id) == says:
                return
            self._said[event.pass_id] = says
            while len(self._said) > MOST_PASSES:
                self._said.popitem(last=False)
            try:
                self._lines.put_nowait(line(event))
            except queue.Full:
                self._left_out += 1

    def _run(self) -> None:
        while (said := self._lines.get()) is not None:
            with self._lock:
                left_out, self._left_out = self._left_out, 0
            before = f"{left_out} lines of passes are left out: nobody took them in time\n" if left_out else ""
            try:
                self._stream.write(f"{before}{said}\n".encode())
            except OSError:
                return  # nobody reads it any more; the queue fills, and that is all
