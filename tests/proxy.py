"""A TCP proxy that does what links do: cut, stall in either direction, go slow."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Literal

import pytest

Direction = Literal["up", "down"]
"""`up`: from the client to the target."""
CHUNK_BYTES = 4096


class Proxy:
    """Listens on `port` of 127.0.0.1 and forwards to `target_port`; every method may be called at any time."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._flows: dict[Direction, threading.Event] = {"up": threading.Event(), "down": threading.Event()}
        self._bytes_per_s: float | None = None
        self._closed = False
        self._refusing = False
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.resume()
        self._listener = socket.create_server(("127.0.0.1", 0))
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

    def slow(self, bytes_per_s: float | None) -> None:
        """Limit each direction of each connection; None: no limit."""
        self._bytes_per_s = bytes_per_s

    def close(self) -> None:
        """Stop listening, close everything and join the threads."""
        self._closed = True
        _close(self._listener)
        self.resume()
        self.cut()
        for thread in self._threads:
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
            self._spawn(lambda a=client, b=target, p=pair: self._pump("up", a, b, p))
            self._spawn(lambda a=client, b=target, p=pair: self._pump("down", b, a, p))

    def _pump(
        self,
        direction: Direction,
        source: socket.socket,
        sink: socket.socket,
        pair: tuple[socket.socket, socket.socket],
    ) -> None:
        flow = self._flows[direction]
        with contextlib.suppress(OSError):
            while True:
                flow.wait()
                data = source.recv(CHUNK_BYTES)
                flow.wait()
                if not data:
                    break
                sink.sendall(data)
                if self._bytes_per_s is not None:
                    time.sleep(len(data) / self._bytes_per_s)
        with self._lock:
            self._pairs.discard(pair)
        for sock in pair:
            _close(sock)

    def _spawn(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        self._threads.append(thread)
        thread.start()


def _close(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


@pytest.fixture
def make_proxy() -> Iterator[Callable[[int], Proxy]]:
    """Put proxies in front of ports: `make_proxy(mosquitto.port)`."""
    made: list[Proxy] = []

    def make(target_port: int) -> Proxy:
        made.append(Proxy(target_port))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()
