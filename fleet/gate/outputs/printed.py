"""An output that prints a line: for trying out, and for programs that read it."""

from __future__ import annotations

import sys
from typing import TextIO

from platefleet.fleet.gate.escape import for_terminal
from platefleet.fleet.gate.outputs.base import Order
from platefleet.protocol.errors import GateError


class Print:
    """Writes `open DEVICE/LANE PLATE` to a stream, escaped, and flushes it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def move(self, order: Order) -> None:
        """Print the line. Raises GateError if nobody reads the stream any more."""
        stream = self._stream or sys.stdout
        try:
            print(for_terminal(f"open {order.device}/{order.lane} {order.plate or 'by hand'}"), file=stream, flush=True)
        except (OSError, ValueError) as error:
            raise GateError(f"output print: the line could not be written ({error}).") from error

    def close(self) -> None:
        """Nothing is held."""
