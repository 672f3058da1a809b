"""A real HTTPS server with an authority of its own that serves one model, and does what a test wants of it."""

from __future__ import annotations

import hashlib
import http.server
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from platefleet.models.artifacts.https import Wanted
from tests.authority import Authority

MODEL = b"\x08\x08" + bytes(range(256)) * 2000


@dataclass
class Shelf:
    """What the server has and how it behaves. cuts: bytes after which an answer breaks off, one for each request."""

    content: bytes = MODEL
    tag: str = '"one"'
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one file as a good web server does, with ranges."""

    shelf: Shelf

    def do_GET(self) -> None:
        shelf = self.shelf
        shelf.asked.append({name.lower(): value for name, value in self.headers.items()})
        begin, status = 0, shelf.status
        wanted = self.headers.get("Range")
        if status == 200 and wanted and self.headers.get("If-Range") == shelf.tag:
            begin, status = int(wanted.removeprefix("bytes=").removesuffix("-")), 206
        body = shelf.content[begin:]
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {begin}-{len(shelf.content) - 1}/{len(shelf.content)}")
        headers = {"ETag": shelf.tag, "Content-Length": str(len(body)), **shelf.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: shelf.cuts.pop(0)] if shelf.cuts else body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Quiet(http.server.ThreadingHTTPServer):
    """Says nothing of a client that left in the middle, which some tests are about."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Server:
    shelf: Shelf
    port: int
    authority: Authority

    def wanted(self, **changed: object) -> Wanted:
        return replace(
            Wanted(
                f"https://localhost:{self.port}/plates.onnx",
                hashlib.sha256(MODEL).hexdigest(),
                len(MODEL),
                (f"localhost:{self.port}",),
                self.authority.ca,
            ),
            **changed,  # type: ignore[arg-type]  # a test's own words
        )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("https") / "authority")


@pytest.fixture
def server(authority: Authority) -> Iterator[Server]:
    shelf = Shelf()
    handler = type("OneShelf", (Handler,), {"shelf": shelf})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("localhost", "localhost"))
    with Quiet(("127.0.0.1", 0), handler) as running:
        running.socket = context.wrap_socket(running.socket, server_side=True)
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield Server(shelf, running.server_address[1], authority)
        running.shutdown()
        thread.join()
