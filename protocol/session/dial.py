"""Open a connection that a stop can interrupt: TCP without Nagle, then TLS."""

from __future__ import annotations

import errno
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable


class Wake:
    """A descriptor that becomes readable when another thread wants attention."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._open = True
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._read

    def wake(self) -> None:
        """Make it readable. Never blocks: a full pipe is readable already. Does nothing once closed."""
        with self._lock:
            if not self._open:
                return
            try:
                os.write(self._write, b"\0")
            except BlockingIOError:
                return

    def drain(self) -> None:
        """Make it unreadable until the next `wake`."""
        try:
            os.read(self._read, 65536)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Give both ends back. Calling it again does nothing."""
        with self._lock:
            if self._open:
                self._open = False
                os.close(self._read)
                os.close(self._write)


class Interrupted(OSError):
    """The session was stopped while it connected."""


class Unanswered(OSError):
    """Somebody listens there, and has no answer to the beginning of TLS."""


def dial(
    host: str, port: int, tls: ssl.SSLContext | None, *, timeout_s: float, wake: Wake, stopping: Callable[[], bool]
) -> socket.socket:
    """Return a connected, non-blocking socket with TCP_NODELAY, wrapped in TLS where a context is given.

    Every address of `host` is tried in turn. Raises OSError (ssl.SSLError for TLS, Unanswered for nothing in its place,
    Interrupted when stopped). The look-up of the name alone cannot be interrupted.
    """
    last: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        wait = _Waiter(timeout_s, wake, stopping)
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            # A plate right behind a health message waits up to 45 ms for Nagle (LESSONS.md).
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = sock.connect_ex(address)
            if code == errno.EINPROGRESS:
                wait(sock, select.POLLOUT)
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code))
            if tls is None:
                return sock
            return _handshake(sock, tls, host, wait)
        except (Interrupted, ssl.SSLError):
            sock.close()
            raise
        except OSError as error:
            sock.close()
            last = last if isinstance(last, Unanswered) else error
    raise last if last is not None else OSError(f"{host} has no address")


def _handshake(
    sock: socket.socket, tls: ssl.SSLContext, host: str, wait: Callable[[socket.socket, int], None]
) -> ssl.SSLSocket:
    wrapped = tls.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    try:
        while True:
            wanted = _step(wrapped)
            if wanted is None:
                return wrapped
            wait(wrapped, wanted)
    except (ConnectionError, TimeoutError, ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
        wrapped.close()
        said = "nothing came" if isinstance(error, TimeoutError) else "the connection was closed"
        raise Unanswered(error.errno, f"{said} in answer to the beginning of TLS") from error
    except BaseException:
        wrapped.close()
        raise


def _step(sock: ssl.SSLSocket) -> int | None:
    """Go on with the handshake; return what it waits for, None when it is done."""
    try:
        sock.do_handshake()
    except ssl.SSLWantReadError:
        return select.POLLIN
    except ssl.SSLWantWriteError:
        return select.POLLOUT
    return None


class _Waiter:
    """Waits for a socket until a deadline or a stop."""

    def __init__(self, timeout_s: float, wake: Wake, stopping: Callable[[], bool]) -> None:
        self._deadline = time.monotonic() + timeout_s
        self._wake = wake
        self._stopping = stopping

    def __call__(self, sock: socket.socket, what: int) -> None:
        poll = select.poll()
        poll.register(sock, what)
        poll.register(self._wake, select.POLLIN)
        while True:
            if self._stopping():
                raise Interrupted(errno.EINTR, "stopped while connecting")
            left_ms = (self._deadline - time.monotonic()) * 1000
            if left_ms <= 0:
                raise TimeoutError(errno.ETIMEDOUT, "no answer in time")
            ready = dict(poll.poll(left_ms))
            if self._wake.fileno() in ready:
                self._wake.drain()
            if sock.fileno() in ready:
                return
