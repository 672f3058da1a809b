"""What lifts the barriers: a program that answers HTTP and flushes a line for each pulse. `relay.py PORT FILE`."""

from __future__ import annotations

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl


def serve(port: int, file: str) -> None:
    """Count pulses until killed: each is durable before it is answered."""
    out = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            at_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            order = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            os.write(out, (json.dumps({"mono_ns": at_ns, **order}) + "\n").encode())
            os.fdatasync(out)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
            return

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2])
