"""An output that pulses a GPIO line through libgpiod's Python (`gpiod`, version 2)."""

from __future__ import annotations

import importlib
import threading
from typing import Any

from platefleet.fleet.gate.outputs.base import Order
from platefleet.protocol.errors import GateError


class Gpio:
    """Holds one line inactive and makes it active for `pulse_ms` per order; nobody else drives it meanwhile."""

    def __init__(
        self, chip: str, line: int, *, pulse_ms: int = 500, active_low: bool = False, library: Any = None
    ) -> None:
        """Request the line. Raises GateError when `gpiod` is missing or too old, or the line cannot be had.

        library: what to use as `gpiod`; None imports it.
        """
        self._where = f"{chip} line {line}"
        self._line = line
        self._pulse_s = pulse_ms / 1000
        self._closing = threading.Event()
        self._lock = threading.Lock()
        gpiod = library or _library()
        self._active, self._inactive = gpiod.line.Value.ACTIVE, gpiod.line.Value.INACTIVE
        settings = gpiod.LineSettings(
            direction=gpiod.line.Direction.OUTPUT, output_value=self._inactive, active_low=active_low
        )
        try:
            self._request = gpiod.request_lines(chip, consumer="platefleet", config={line: settings})
        except (OSError, ValueError) as error:
            raise GateError(
                f"output {self._where}: cannot be had ({error}); name a free line and give rights."
            ) from error

    def move(self, order: Order) -> None:  # noqa: ARG002  # a line carries no names
        """Pulse the line. Raises GateError if it cannot be set."""
        with self._lock:
            if self._request is None:
                raise GateError(f"output {self._where}: closed; nothing moved.")
            try:
                self._request.set_value(self._line, self._active)
                try:
                    self._closing.wait(self._pulse_s)
                finally:
                    self._request.set_value(self._line, self._inactive)
            except OSError as error:
                raise GateError(f"output {self._where}: cannot be set ({error}); it may have moved.") from error

    def close(self) -> None:
        """Let the line go, inactive; a pulse under way ends first."""
        self._closing.set()
        with self._lock:
            if self._request is not None:
                self._request.release()
                self._request = None


def _library() -> Any:
    try:
        gpiod = importlib.import_module("gpiod")
    except ImportError as error:
        raise GateError(
            'GPIO needs libgpiod for Python, which is not installed; run `pip install "gpiod>=2"`.'
        ) from error
    if not hasattr(gpiod, "request_lines"):
        raise GateError('GPIO needs version 2 of libgpiod for Python; run `pip install "gpiod>=2"`.')
    return gpiod
