"""The program of a decoder's process: opens one camera and hands its frames over, until it ends or is killed.

A decoder can hang inside a system call or a driver, and a thread that hangs cannot be ended: so it has a process.
Started as `python -m platefleet.agent.cameras.child SOCKET MEMORY PARENT`: two inherited descriptors and our process
id. The first message on the socket is the camera's options (its password too: arguments and environment can be read by
other users); after that ours are one byte each, the number of a slot that is free again, and the child's are JSON, one
object a message.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import time

from platefleet.agent.cameras.kinds import open_source
from platefleet.agent.cameras.port import Raw, Skipped, Source
from platefleet.agent.cameras.ring import SLOTS, Ring
from platefleet.agent.cameras.secrets import hide
from platefleet.protocol.errors import PlatefleetError

MOST_OPTIONS_BYTES = 1 << 16
_PR_SET_PDEATHSIG = 1
_FULL_PAUSE_S = 0.01


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when the thread that started it ends (source: prctl(2)).

    parent: its process; one that is gone already is not waited for.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


class Line:
    """The child's end of the socket."""

    def __init__(self, connection: socket.socket, ring: Ring) -> None:
        self._socket, self._ring = connection, ring
        self._free = list(range(SLOTS))
        self._dropped = 0

    def options(self) -> dict[str, object]:
        """Wait for the camera's options."""
        options: dict[str, object] = json.loads(self._socket.recv(MOST_OPTIONS_BYTES))
        self._socket.setblocking(False)
        return options

    def show(self, raw: Raw) -> None:
        """Hand a frame over; if the other side has all slots it is dropped and counted."""
        self._take_back()
        if not self._free:
            self._dropped += 1
            return
        slot = self._free.pop()
        self._ring.write(slot, raw.frame)
        height, width = raw.frame.shape[:2]
        message = {
            "kind": "shown",
            "slot": slot,
            "height": height,
            "width": width,
            "position_ns": raw.position_ns,
            "dropped": self._dropped,
        }
        if not self.tell(message):
            self._free.append(slot)
            self._dropped += 1

    def tell(self, message: dict[str, object], *, patiently: bool = False) -> bool:
        """Send a message; False if the other side has not read the last ones. patiently: wait for it to."""
        data = json.dumps(message).encode()
        while not self._sent(data):
            if not patiently:
                return False
            time.sleep(_FULL_PAUSE_S)
        return True

    def _sent(self, data: bytes) -> bool:
        try:
            self._socket.send(data)
        except BlockingIOError:
            return False
        return True

    def _take_back(self) -> None:
        while True:
            try:
                data = self._socket.recv(64)
            except BlockingIOError:
                return
            if not data:
                raise ConnectionResetError
            self._free.extend(data)


def serve(source: Source, line: Line) -> None:
    """Hand over all frames of a source, then say that it ended."""
    while True:
        match source.read():
            case None:
                line.tell({"kind": "ended"}, patiently=True)
                return
            case Skipped(why):
                line.tell({"kind": "skipped", "why": hide(why)})
            case raw:
                line.show(raw)


def main(arguments: list[str]) -> int:
    """Run until the stream ends, fails, or the parent is gone. Returns the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process itself
    descriptor, memory, parent = map(int, arguments)
    die_with_parent(parent)
    ring = Ring(memory)
    os.close(memory)
    with socket.socket(fileno=descriptor) as connection:
        line = Line(connection, ring)
        try:
            source = open_source(line.options())
            line.tell({"kind": "opened", "fps": source.fps}, patiently=True)
            serve(source, line)
        except PlatefleetError as error:
            line.tell({"kind": "failed", "why": hide(str(error))}, patiently=True)
            return 1
        except (BrokenPipeError, ConnectionResetError):
            return 1  # nobody is left to hear of it
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
