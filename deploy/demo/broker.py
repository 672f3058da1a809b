"""The demo's MQTT 5 broker: iotcore, embedded, on 127.0.0.1 and a free port. It keeps nothing and knows no ACL."""

from __future__ import annotations

import importlib
import random
import signal
import socket
import tempfile
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any

from platefleet.protocol.errors import SessionError

HOST = "127.0.0.1"
CONFIG = """id = 0

[router]
id = 0
max_connections = 64
max_outgoing_packet_count = 2048
max_segment_size = 104857600
max_segment_count = 10

[v5.1]
name = "v5-1"
listen = "{host}:{port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = 1048576
max_inflight_count = 512
"""


PORTS = range(20_000, 32_000)
"""Below those that Linux gives to whoever connects (32768 and up): what is free now is so when a server starts a second
later or again, and no client that looks for it meanwhile is given the port itself."""
KEPT = 64
"""Ports that a process keeps for itself: servers of one place start, and start again, long before it asks for more."""
_kept: deque[socket.socket] = deque()


def free_port(ports: range = PORTS) -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on; the broker takes none by itself.

    It is kept until this process ends or has asked for `KEPT` more: until then nobody else is given it, in whatever
    process, also while its server has not started yet or is down. What keeps it is a name of the kernel's, no file.
    """
    for port in random.SystemRandom().sample(ports, min(100, len(ports))):
        name = _reserved(port)
        if name is None:
            continue
        if _unused(port) is None:
            name.close()
            continue
        _kept.append(name)
        if len(_kept) > KEPT:
            _kept.popleft().close()
        return port
    other = _unused(0)
    if other is None:
        raise SessionError("no TCP port of 127.0.0.1 is free; end what holds them.")
    return other


def _reserved(port: int) -> socket.socket | None:
    """Return what holds the name that stands for `port`, or None where somebody has it."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0platefleet port {port}")
    except OSError:
        name.close()
        return None
    return name


def _unused(port: int) -> int | None:
    """Return the port, of 0 any, if nobody has it now."""
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return None
        return int(probe.getsockname()[1])


class EmbeddedBroker:
    """Runs from `with` to the end of its block; `port` is where it listens. Raises SessionError if it cannot start."""

    def __init__(self) -> None:
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="platefleet-broker-")
        self._broker: Any = None

    def __enter__(self) -> EmbeddedBroker:
        try:
            library = importlib.import_module("iotcore")
        except ImportError as error:
            self._folder.cleanup()
            raise SessionError(
                'the embedded broker is not installed; run `pip install "platefleet[demo]"` or name your own broker'
            ) from error
        path = Path(self._folder.name) / "broker.toml"
        path.write_text(CONFIG.format(host=HOST, port=self.port), encoding="utf-8")
        self._broker = library.Broker(config_path=str(path))
        try:
            # Its process begins with the mask of ours: a terminal's Ctrl-C is ours to pass on, by ending it.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                self._broker.start()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        except (OSError, RuntimeError) as error:
            self._folder.cleanup()
            raise SessionError(
                f"the embedded broker does not listen on {HOST}:{self.port} ({error}); is the loopback interface up?"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._broker.stop()
        self._folder.cleanup()
