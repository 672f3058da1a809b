"""A TCP proxy that does what links do: cut, stall in either direction, go slow, take their time."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from platefleet.deploy.simulate.pipe import Pipe

Direction = Literal["up", "down"]
"""`up`: from the client to the target."""
CHUNK_BYTES = 4096
BUFFER_BYTES = 32 * 1024
"""What a slow link holds of a connection before it takes no more; the rest waits with the sender, as on a real one."""
_Pair = tuple[socket.socket, socket.socket]


@dataclass(slots=True)
class _Way:
    """One direction of one connection. free_at: when all is carried that was given."""

    direction: Direction
    source: socket.socket
    sink: socket.socket
    on_its_way: Pipe = field(default_factory=Pipe)
    free_at: float = 0.0


class Proxy:
    """Listens on `port` of 127.0.0.1 and forwards to `target_port`; every method may be called at any time."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._flows: dict[Direction, threading.Event] = {"up": threading.Event(), "down": threading.Event()}
        self._bytes_per_s: float | None = None
        self._delay_s = 0.0
        self._closed = False
        self._refusing = False
        self._pairs: set[_Pair] = set()
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self.resume()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Before anybody connects: what is set later does not change the window that was agreed on.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(128)
        self.port: int = self._listener.getsockname()[1]
        self._spawn(self._accept)

    def cut(self) -> None:
        """Close every connection; new ones are let in unless refused."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            for sock in pair:
                _close(sock)

    def refuse(self, refusing: bool = True) -> None:
        """Close new connections at once, or let them in again."""
        self._refusing = refusing

    def stall(self, *directions: Direction) -> None:
        """Deliver nothing more in these directions (both if none is named), and close nothing: a half-open link."""
        for direction in directions or ("up", "down"):
            self._flows[direction].clear()

    def resume(self) -> None:
        """Deliver again, what was held back first."""
        for flow in self._flows.values():
            flow.set()

    def slow(self, bytes_per_s: float | None, round_trip_s: float = 0.0) -> None:
        """Limit each direction of each connection, and delay each by half of `round_trip_s`; None: no limit."""
        self._bytes_per_s, self._delay_s = bytes_per_s, round_trip_s / 2

    def close(self) -> None:
        """Stop listening, close everything and join the threads."""
        self._closed = True
        _close(self._listener)
        self.resume()
        self.cut()
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing or self._closed:
                _close(client)
                continue
            try:
                target = socket.create_connection(("127.0.0.1", self._target_port), timeout=5)
            except OSError:
                _close(client)
                continue
            pair = (client, target)
            for sock in pair:
                sock.setblocking(True)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._pairs.add(pair)
            for way in (_Way("up", client, target), _Way("down", target, client)):
                self._spawn(partial(self._take, way))
                self._spawn(partial(self._deliver, way, pair))

    def _take(self, way: _Way) -> None:
        """Take what the source sends, as fast as the link carries it, and send it on its way."""
        flow = self._flows[way.direction]
        with contextlib.suppress(OSError):
            while True:
                flow.wait()
                data = way.source.recv(CHUNK_BYTES)
                now, rate = time.monotonic(), self._bytes_per_s
                way.free_at = now if rate is None else max(now, way.free_at) + len(data) / rate
                if not data or not way.on_its_way.put(way.free_at + self._delay_s, data):
                    break
                time.sleep(max(0.0, way.free_at - now))
        way.on_its_way.end()

    def _deliver(self, way: _Way, pair: _Pair) -> None:
        flow = self._flows[way.direction]
        with contextlib.suppress(OSError):
            while (chunk := way.on_its_way.get()) is not None:
                time.sleep(max(0.0, chunk[0] - time.monotonic()))
                flow.wait()
                way.sink.sendall(chunk[1])
        way.on_its_way.end()
        with self._lock:
            self._pairs.discard(pair)
        for sock in pair:
            _close(sock)

    def _spawn(self, target: Callable[[], None]) -> None:
        def run() -> None:
            try:
                target()
            finally:
                with self._lock:
                    self._threads.discard(thread)

        thread = threading.Thread(target=run, name="proxy", daemon=True)
        with self._lock:
            self._threads.add(thread)
        thread.start()


def _close(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
