"""How the kit sees somebody else's openings: pulses to a tiny HTTP server, or lines in a file."""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qs, urlsplit

from platefleet.protocol.clock import Clock
from platefleet.protocol.errors import ConfigError

BODY_MOST = 64 * 1024
PULSES_MOST = 10_000
LINE_MOST = 4096


class Opening(NamedTuple):
    """One pulse. plate: what it says it opened for, empty where it says nothing."""

    at_ns: int
    plate: str


class Pulses(Protocol):
    """Where openings come from."""

    def take(self) -> list[Opening]:
        """Return what came since the last call."""
        ...

    def close(self) -> None:
        """Stop listening."""
        ...


class PulseFile:
    """A file to which the controller's output appends a line an opening; one of its words may be the plate."""

    def __init__(self, path: Path, *, clock: Clock) -> None:
        """Begin at the file's present end. Raises ConfigError for a file that cannot be had."""
        try:
            path.touch()
            self._file = path.open("rb")
            self._file.seek(0, 2)
        except OSError as error:
            raise ConfigError(f"--pulse-file: {path} cannot be opened ({error.strerror or error}).") from error
        self._clock = clock
        self._rest = b""

    def take(self) -> list[Opening]:
        """Return the lines that are whole since the last call."""
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        now_ns = self._clock.now().mono_ns
        self._rest = self._rest[:LINE_MOST]
        return [Opening(now_ns, line[:LINE_MOST].decode("utf-8", "replace").strip()) for line in lines if line.strip()]

    def close(self) -> None:
        """Close the file, which stays."""
        self._file.close()


class PulseHttp:
    """Counts each GET or POST as one opening; `plate` is taken from the query, a form or a JSON object."""

    def __init__(self, port: int, host: str = "127.0.0.1", *, clock: Clock) -> None:
        """Listen at once; port 0 takes a free one. Raises ConfigError for an address that cannot be had."""
        heard: deque[Opening] = deque(maxlen=PULSES_MOST)

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                self._pulse("")

            def do_POST(self) -> None:
                text = self.headers.get("Content-Length") or "0"
                size = int(text) if text.isascii() and text.isdigit() else BODY_MOST + 1
                if size > BODY_MOST:
                    self.send_error(413)
                    return
                self._pulse(self.rfile.read(size).decode("utf-8", "replace"))

            def _pulse(self, body: str) -> None:
                heard.append(Opening(clock.now().mono_ns, plate_in(urlsplit(self.path).query, body)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's word
                """Say nothing on stderr: pulses stand in the table."""

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except (OSError, OverflowError) as error:
            raise ConfigError(f"--pulse-http: {host}:{port} cannot be listened on ({error}).") from error
        self._server.daemon_threads = True
        self._heard = heard
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="pulses", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def take(self) -> list[Opening]:
        """Return what came since the last call."""
        taken = []
        while self._heard:
            taken.append(self._heard.popleft())
        return taken

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2.0)


def plate_in(query: str, body: str) -> str:
    """Return the `plate` of a request's query, or of its body as JSON or as a form; empty where there is none.

    >>> plate_in("plate=KTX333&lane=in", ""), plate_in("", '{"plate": "KTX333"}'), plate_in("", "plate=KTX333")
    ('KTX333', 'KTX333', 'KTX333')
    """
    found = parse_qs(query).get("plate")
    if found:
        return found[0]
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return parse_qs(body).get("plate", [""])[0]
    plate = told.get("plate") if isinstance(told, dict) else None
    return plate if isinstance(plate, str) else ""


def meant(told: str, plates: frozenset[str]) -> str:
    """Return which of `plates` a pulse names, in any of its words; empty for none.

    >>> meant("in KTX-333 opened", frozenset({"KTX333"}))
    'KTX333'
    """
    for word in re.split(r"[\s,;=]+", told.upper()):
        plain = re.sub(r"[^A-Z0-9]", "", word)
        if plain in plates:
            return plain
    return ""
