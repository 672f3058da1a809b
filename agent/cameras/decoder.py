"""A decoder in a process of its own, from the outside: started, heard, killed."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections import deque
from dataclasses import dataclass
from typing import Any

from platefleet.agent.cameras.kinds import Options
from platefleet.agent.cameras.ring import Ring, make_memory
from platefleet.agent.cameras.secrets import hide
from platefleet.models.detections import Frame
from platefleet.protocol.errors import CameraError

LOG = logging.getLogger(__name__)
MOST_LINES, MOST_LINE = 5, 200
"""What is kept of what the libraries print: the last lines, each cut."""
MOST_MESSAGE_BYTES = 1 << 16
CHILD = "platefleet.agent.cameras.child"
_NOISE = re.compile(r"^\[ ?(?:WARN|INFO|ERROR):|^\s*$")
_PREFIX = re.compile(r"^\[[^\]]*\]\s*")


@dataclass(frozen=True, slots=True)
class Opened:
    """The camera is open. fps: as it claims, 0 where it says nothing."""

    fps: float


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """The newest frame. passed_over: frames since the last one told that nobody saw."""

    frame: Frame
    position_ns: int | None
    passed_over: int


@dataclass(frozen=True, slots=True)
class Missed:
    """Something that should have been a frame was not."""

    why: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The camera could not be opened or broke; the process is ending."""

    why: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The stream is over or broke off; the process is ending. why: what the libraries said last, often nothing."""

    why: str


Heard = Opened | Shown | Missed | Failed | Ended


class Decoder:
    """One decoder's process. For one thread; `close` kills it, whatever it hangs in."""

    def __init__(self, options: Options) -> None:
        """Start the process. Raises CameraError if the machine cannot."""
        self._tail: deque[str] = deque(maxlen=MOST_LINES)
        self._pending: deque[dict[str, Any]] = deque()
        self._over = False
        self._passed_over = 0
        self._dropped = 0
        memory = -1
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            memory = make_memory()
            self._ring = Ring(memory)
            self._process = subprocess.Popen(
                [sys.executable, "-m", CHILD, str(theirs.fileno()), str(memory), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(), memory),
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise CameraError(f"a decoder's process cannot be started ({error.strerror}); free some memory") from error
        finally:
            theirs.close()
            if memory >= 0:
                os.close(memory)
        self._socket = ours
        assert self._process.stderr is not None
        self._stderr = self._process.stderr
        os.set_blocking(self._stderr.fileno(), False)
        self._socket.send(json.dumps(dict(options)).encode())

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def hear(self, timeout_s: float) -> Heard | None:
        """Return what the decoder told next, of several frames the newest only; None after `timeout_s` of silence.

        After `Failed` or `Ended` nothing more comes: close it.
        """
        if not self._pending and not self._over:
            watched = [self._socket.fileno()] + ([] if self._stderr.closed else [self._stderr.fileno()])
            select.select(watched, [], [], timeout_s)
            self._receive()
        self._read_stderr()
        if not self._pending:
            return None
        if self._pending[0]["kind"] != "shown":
            return self._told(self._pending.popleft())
        message = self._pending.popleft()
        while self._pending and self._pending[0]["kind"] == "shown":
            self._give_back(message)
            self._passed_over += 1
            message = self._pending.popleft()
        return self._copied(message)

    def _receive(self) -> None:
        """Take all messages that are there; the end of the process without a last word becomes one."""
        while not self._over:
            try:
                data = self._socket.recv(MOST_MESSAGE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except ConnectionResetError:
                continue  # it ended with slots unread that we gave back; the kernel says so once, its last words follow
            if not data:
                self._pending.append({"kind": "failed", "why": ""})
            else:
                self._pending.append(json.loads(data))
            self._over = self._pending[-1]["kind"] in {"failed", "ended"}

    def _told(self, message: dict[str, Any]) -> Heard:
        match message["kind"]:
            case "opened":
                return Opened(message["fps"])
            case "skipped":
                return Missed(message["why"])
            case "ended":
                return Ended(self._last_line())
        last = self._last_line()
        why = message["why"] or f"the decoder's process ended by itself ({self._exit()}); it is started again"
        return Failed("; ".join(filter(None, [why, last])))

    def _copied(self, message: dict[str, Any]) -> Shown:
        frame = self._ring.read(message["slot"], message["height"], message["width"])
        self._give_back(message)
        dropped = message["dropped"] - self._dropped + self._passed_over
        self._dropped, self._passed_over = message["dropped"], 0
        return Shown(frame, message["position_ns"], dropped)

    def _give_back(self, message: dict[str, Any]) -> None:
        """Tell the child that a slot is free; a child that is gone needs none."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, BlockingIOError):
            self._socket.send(bytes([message["slot"]]), socket.MSG_DONTWAIT)

    def _read_stderr(self) -> None:
        """Keep the last lines that the libraries printed: they know why a stream does not open."""
        while not self._stderr.closed:
            data: bytes | None = self._stderr.read(1 << 16)
            if data is None:
                return
            if not data:
                self._stderr.close()
            for line in data.decode("utf-8", "replace").splitlines():
                if not _NOISE.match(line):
                    self._tail.append(hide(_PREFIX.sub("", line))[:MOST_LINE].strip())

    def _last_line(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5)  # its last words come with its end
        self._read_stderr()
        return self._tail[-1] if self._tail else ""

    def _exit(self) -> str:
        status = self._process.poll()
        if status is not None and status < 0:
            return signal.Signals(-status).name
        return f"status {status}"

    def close(self) -> None:
        """Kill the process and give everything back, within a second; safe to call twice."""
        if self._process.poll() is None:
            self._process.kill()
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            LOG.warning("decoder %d hangs in the kernel and cannot be killed; check the camera's driver", self.pid)
        self._socket.close()
        self._stderr.close()
        self._ring.close()
