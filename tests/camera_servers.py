"""Network cameras for tests: pictures over HTTP as cameras send them (multipart JPEG), servers that never answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np

from platefleet.models.detections import Frame

HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=frame\r\n\r\n"


def noise(seed: int, width: int = 160, height: int = 120) -> Frame:
    """A picture that no other seed gives, neither black nor flat."""
    return np.random.default_rng(seed).integers(40, 220, (height, width, 3), np.uint8)


def part(frame: Frame) -> bytes:
    """One picture as a part of the stream."""
    data = cv2.imencode(".jpg", frame)[1].tobytes()
    return b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(data), data)


class CameraServer:
    """Listens on a free port; what each connection gets is `serve(connection, number)`, in a thread of its own."""

    def __init__(self, serve: Callable[[socket.socket, int], Any]) -> None:
        self._serve = serve
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.stopped = threading.Event()
        self.connections = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while not self.stopped.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._open.append(connection)
            self.connections += 1
            threading.Thread(target=self._run, args=(connection, self.connections), daemon=True).start()

    def _run(self, connection: socket.socket, number: int) -> None:
        try:
            self._serve(connection, number)
        except OSError:
            return  # the camera's reader went away

    def close(self) -> None:
        self.stopped.set()
        self._socket.close()
        for connection in self._open:
            connection.close()


@contextmanager
def serving(serve: Callable[[CameraServer, socket.socket, int], Any]) -> Iterator[CameraServer]:
    """A camera server for a `with` block."""
    server = CameraServer(lambda connection, number: serve(server, connection, number))
    try:
        yield server
    finally:
        server.close()


def pictures(
    server: CameraServer, connection: socket.socket, frames: Iterator[Frame], *, pause_s: float = 0.02
) -> None:
    """Answer a request with pictures."""
    connection.recv(4096)
    connection.sendall(HEAD)
    for frame in frames:
        if server.stopped.wait(pause_s):
            return
        connection.sendall(part(frame))
