"""An output that runs a program: argv, never a shell."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence

from platefleet.fleet.gate.outputs.base import Order
from platefleet.protocol.errors import GateError

INHERITED = ("PATH", "HOME", "LANG", "TZ", "XDG_RUNTIME_DIR")
"""What of our environment the program gets; no password of the broker is among it."""


class Command:
    """Runs `argv` with the order in its environment (`PLATEFLEET_LANE`, …), and waits for its end.

    An argument that is exactly `{lane}`, `{plate}`, … becomes that field; nothing is pasted into another text. Status 0
    within `timeout_s` is success. After that the program and all its children are killed.
    """

    def __init__(self, argv: Sequence[str], timeout_s: float = 5.0) -> None:
        self._argv = tuple(argv)
        self._timeout_s = timeout_s

    def move(self, order: Order) -> None:
        """Run the program once. Raises GateError unless it ended with 0 in time."""
        self.send(order.fields())

    def send(self, fields: Mapping[str, str]) -> None:
        """Run the program once with these fields. Raises GateError unless it ended with 0 in time."""
        name = self._argv[0]
        argv = [fields[part[1:-1]] if part[:1] == "{" and part[1:-1] in fields else part for part in self._argv]
        environment = {key: os.environ[key] for key in INHERITED if key in os.environ}
        environment |= {f"PLATEFLEET_{key.upper()}": value for key, value in fields.items()}
        try:
            child = subprocess.Popen(
                argv,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise GateError(f"output {name}: cannot be started ({error}); check its path and rights.") from error
        try:
            status = child.wait(self._timeout_s)
        except subprocess.TimeoutExpired as error:
            raise GateError(
                f"output {name}: not done within {self._timeout_s:g} s and killed; it may have moved."
            ) from error
        finally:
            self._end(child)
        if status:
            how = f"signal {-status}" if status < 0 else f"status {status}"
            raise GateError(f"output {name}: ended with {how}; it may have moved.")

    @property
    def problem(self) -> str:
        """Why the program could not be started now, one sentence; empty if it is there."""
        name = self._argv[0]
        if shutil.which(name) is not None:
            return ""
        return f"output {name}: there is no such program, or it may not be run; check its path and rights."

    def close(self) -> None:
        """Nothing is held."""

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        """Kill what is left of the program's session: it holds nothing that a later order needs."""
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        finally:
            child.wait()
