"""The processes of simulated devices, from the side of whoever starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from platefleet.deploy.interrupts import Interrupts
from platefleet.deploy.simulate.child import DEVICES_MOST, Plan
from platefleet.deploy.simulate.programs import leashed, limit_files
from platefleet.protocol.errors import SessionError

NOTHING = {"waiting": 0, "appended": 0, "told": 0, "refused": 0, "away": 0, "kept": 0}


class Child:
    """One process of devices. Started, ordered about and ended by one thread, which it does not outlive."""

    def __init__(self, plan: Plan, folder: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self.plan = plan
        self.report: dict[str, int] = {}
        self.ended = False
        self._folder, self._rest = folder, b""
        path = folder / f"{plan.devices[0]}.json"
        plan.write(path)
        with (folder / f"{plan.devices[0]}.out").open("ab") as out:
            self._process = subprocess.Popen(
                leashed([sys.executable, "-m", "platefleet.deploy.simulate.child", str(path)]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=out,
                env={**os.environ, **(environment or {})},
                start_new_session=True,  # a terminal's Ctrl-C is ours to pass on
            )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def order(self, what: str) -> None:
        """Send an order: `rest` or `end`."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{what}\n".encode())
            self._process.stdin.flush()
        except OSError as error:
            raise SessionError(f"simulate: a process of devices ended; it said: {self._said()}") from error

    def look(self) -> None:
        """Take in what it reported. Raises SessionError if it ended although nobody asked."""
        assert self._process.stdout is not None
        data = self._process.stdout.read() or b""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            report = json.loads(line)
            self.ended = self.ended or "ended" in report
            self.report = report if "waiting" in report else self.report
        if not self.ended and self._process.poll() is not None:
            raise SessionError(f"simulate: a process of devices ended; it said: {self._said()}")

    @property
    def resting(self) -> bool:
        """Whether the newest report was made after an order to rest: no record was appended since."""
        return bool(self.report.get("resting"))

    def limit_files(self, most_bytes: int | None) -> None:
        """Let it write no file beyond so many bytes; see `programs.limit_files`."""
        if self._process.poll() is None:
            limit_files(self._process.pid, most_bytes)

    def kill(self) -> None:
        """End it without asking."""
        self._process.kill()
        self._close()

    def end(self, patience_s: float) -> None:
        """End it in order; kill it after `patience_s`."""
        if self._process.poll() is None:
            try:
                self.order("end")
                self._process.wait(patience_s)
            except (SessionError, subprocess.TimeoutExpired):
                self._process.kill()
        self._close()

    def _close(self) -> None:
        self._process.wait(10)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue  # what was not sent is nobody's any more

    def _said(self) -> str:
        """Return the last line of what it wrote: the sentence, or the end of a traceback."""
        try:
            said = (self._folder / f"{self.plan.devices[0]}.out").read_text(errors="replace").split("\n")
        except OSError:
            return f"nothing that can be read: {self._folder} was deleted"
        return next((line[-500:] for line in reversed(said) if line.strip()), "nothing")


class Herd:
    """All processes."""

    def __init__(
        self,
        plan: Plan,
        names: Sequence[str],
        ports: Sequence[int],
        folder: Path,
        interrupts: Interrupts,
    ) -> None:
        """plan: of every process, but for its devices and the port where it finds the broker.

        interrupts: asked whenever the reports are looked at.
        """
        self._interrupts = interrupts
        self.children: list[Child] = []
        self._resting = False
        try:
            for number, port in enumerate(ports):
                mine = list(names[number :: len(ports)])
                self.children.append(Child(replace(plan, devices=mine, port=port), folder))
        except BaseException:
            self.end(0.0)
            raise

    def rest(self) -> None:
        """Let the lanes be empty from now on; reports from before count no more."""
        self._resting = True
        for child in self.children:
            child.order("rest")

    def look(self) -> dict[str, int] | None:
        """Return the sum of the newest reports; None while some have not reported yet."""
        self._interrupts.check()
        for child in self.children:
            child.look()
        if not all(child.report and (child.resting or not self._resting) for child in self.children):
            return None
        return {name: sum(child.report[name] for child in self.children) for name in NOTHING}

    def wait(self, wanted: Callable[[dict[str, int]], bool], timeout_s: float) -> bool:
        """Wait until the newest reports are as wanted; return whether they came to be."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            report = self.look()
            if report is not None and wanted(report):
                return True
            time.sleep(0.05)
        return False

    def end(self, patience_s: float = 1.5) -> None:
        """End all, together within `patience_s`."""
        deadline = time.monotonic() + patience_s
        for child in self.children:
            with suppress(SessionError):  # it ended already
                child.order("end")
        for child in self.children:
            child.end(max(0.0, deadline - time.monotonic()))


def processes(devices: int) -> int:
    """Return how many processes so many devices need.

    >>> processes(1), processes(100), processes(101), processes(300)
    (1, 1, 2, 3)
    """
    return -(-devices // DEVICES_MOST)
