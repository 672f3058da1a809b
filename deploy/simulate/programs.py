"""Programs that are started, killed and started again, and that end with whoever started them, however that ends."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from platefleet.deploy.interrupts import Interrupts
from platefleet.protocol.errors import SessionError

LEASH = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL; kept over exec
if os.getppid() != int(sys.argv[1]):
    sys.exit("whoever started this has ended")
os.execvp(sys.argv[2], sys.argv[2:])
"""
PLATEFLEET = (sys.executable, "-m", "platefleet.deploy.cli")
SAID_BYTES = 2_000


def leashed(argv: Sequence[str]) -> list[str]:
    """Return the command that runs `argv` and lets the kernel kill it when the thread that starts it ends."""
    return [sys.executable, "-I", "-S", "-c", LEASH, str(os.getpid()), *argv]


def limit_files(pid: int, most_bytes: int | None) -> None:
    """Let a process write no file beyond so many bytes, as on a full disk; None: no limit."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard if most_bytes is None else most_bytes, hard))


class Program:
    """One program; may be started again after it ended. Its output goes to `<folder>/<name>.out`.

    Start it from a thread that lives as long as it shall live: the kernel ends it with that thread.
    """

    def __init__(
        self, name: str, argv: Sequence[str], folder: Path, *, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name, self._argv, self._folder = name, list(argv), folder
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, argv: Sequence[str] | None = None) -> None:
        """Start it, with other arguments from now on where they are given."""
        self._argv = list(argv) if argv is not None else self._argv
        with (self._folder / f"{self.name}.out").open("ab") as out:
            try:
                self._process = subprocess.Popen(
                    leashed(self._argv),
                    cwd=self._folder,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                )
            except OSError as error:
                raise SessionError(f"{self.name}: cannot be started ({error}); is it installed?") from error

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def limit_files(self, most_bytes: int | None) -> None:
        """Let it write no file beyond so many bytes; see `limit_files`."""
        if self._process is not None and self.running:
            limit_files(self._process.pid, most_bytes)

    def memory_bytes(self) -> int:
        """Return its resident memory; 0 when it does not run."""
        if self._process is None or not self.running:
            return 0
        try:
            pages = int(Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii").split()[1])
        except (OSError, IndexError):
            return 0
        return pages * resource.getpagesize()

    def kill(self) -> None:
        """End it without asking."""
        self._end(signal.SIGKILL, 10.0)

    def end(self, patience_s: float = 5.0) -> None:
        """End it in order; kill it after `patience_s`."""
        self._end(signal.SIGTERM, patience_s)

    def said(self) -> str:
        """Return the end of what it wrote."""
        try:
            return (self._folder / f"{self.name}.out").read_text(errors="replace")[-SAID_BYTES:]
        except OSError:
            return ""

    def wait(self, ready: Callable[[], bool], timeout_s: float, interrupts: Interrupts | None = None) -> None:
        """Wait until it is ready. Raises SessionError with its last words if it ends or takes too long."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if interrupts is not None:
                interrupts.check()
            if not self.running or time.monotonic() > deadline:
                raise SessionError(f"{self.name}: did not start; it said: {self.said()[-500:]}")
            time.sleep(0.02)

    def _end(self, number: signal.Signals, patience_s: float) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
