"""An output that asks a URL: fixed in the configuration, parameters encoded, no redirects, no proxies."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, urlencode, urlsplit

from platefleet.fleet.gate.outputs.base import Order
from platefleet.protocol.errors import ConfigError, GateError

READ_LIMIT_BYTES = 64 * 1024


class Http:
    """One request per order; a status of 200 to 299 within `timeout_s`, connecting included, is success.

    parameters: name in the request → field of the order (`lane`, `plate`, …); in the query for GET, in a form for POST.
    headers: sent as they are. ca_file: PEM of whoever signs the server's certificate; None: the machine's authorities.
    """

    def __init__(
        self,
        url: str,
        *,
        method: str = "POST",
        parameters: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 5.0,
        ca_file: Path | None = None,
    ) -> None:
        self._url = checked_url(url)
        self._method = method
        self._parameters = dict(parameters or {})
        self._headers = dict(headers or {})
        self._timeout_s = timeout_s
        self._tls: ssl.SSLContext | None = None
        if self._url.scheme == "https":
            try:
                self._tls = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(f"ca_file: {ca_file} cannot be read as PEM certificates ({error}).") from error

    def move(self, order: Order) -> None:
        """Send the request once. Raises GateError unless the answer is 200 to 299 in time."""
        self.send(order.fields())

    def send(self, fields: Mapping[str, str]) -> None:
        """Send the request once with these fields. Raises GateError unless the answer is 200 to 299 in time."""
        where = f"{self._url.hostname}"
        sent = urlencode({name: fields[of] for name, of in self._parameters.items()})
        target = self._url.path or "/"
        query = "&".join(filter(None, (self._url.query, sent if self._method == "GET" else "")))
        headers, body = dict(self._headers), None
        if self._method != "GET":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = sent.encode("ascii")
        connection = self._connection()
        # Socket timeouts count each read anew: a server that drips would hold us for ever.
        expired = threading.Event()
        watch = threading.Timer(self._timeout_s, _cut, (connection, expired))
        watch.daemon = True
        watch.start()
        try:
            connection.request(self._method, f"{target}?{query}" if query else target, body=body, headers=headers)
            answer = connection.getresponse()
            status = answer.status
            answer.read(READ_LIMIT_BYTES)
            if expired.is_set():  # a cut among the headers looks like their end
                raise TimeoutError("the answer did not end")
        except (OSError, http.client.HTTPException) as error:
            why = f"no answer within {self._timeout_s:g} s" if expired.is_set() else type(error).__name__
            raise GateError(f"output {where}: {why} ({error}); it may have moved.") from error
        finally:
            watch.cancel()
            connection.close()
        if not 200 <= status <= 299:
            also = ", and redirects are not followed" if 300 <= status <= 399 else ""
            raise GateError(f"output {where}: answered with status {status}{also}.")

    def close(self) -> None:
        """Nothing is held."""

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._tls is not None:
            return http.client.HTTPSConnection(host, port, timeout=self._timeout_s, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=self._timeout_s)


def checked_url(url: str) -> SplitResult:
    """Return the parts of a URL. Raises ConfigError unless it is http(s) with a host, without user or fragment."""
    try:
        parts = urlsplit(url)
        usable = parts.port is None or parts.port > 0
    except ValueError:
        raise ConfigError(f"url: {url!a} is no URL; http://host/path would be right.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not usable or not url.isascii():
        raise ConfigError(f"url: {url!a} is no URL that can be asked; http://host/path would be right.")
    if parts.username or parts.fragment or not url.isprintable() or " " in url:
        raise ConfigError("url: a user, a fragment or a space stands in it; put a token into `headers`.")
    return parts


def _cut(connection: http.client.HTTPConnection, expired: threading.Event) -> None:
    expired.set()
    sock = connection.sock
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it ended by itself at the same moment
