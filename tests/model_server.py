"""A server of model files over HTTPS: nginx as `deploy/central/nginx.conf` sets it up, or Python's own."""

from __future__ import annotations

import http.server
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from platefleet.deploy.demo.broker import free_port
from tests.until import until

DEPLOYED = Path(__file__).resolve().parents[1] / "deploy" / "central" / "nginx.conf"
AROUND = """
{user}
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/log notice;
events {{ }}
http {{
    access_log {folder}/asked;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    {server}
}}
"""


@contextmanager
def nginx(program: str, models: Path, certificate: tuple[Path, Path], folder: Path) -> Iterator[int]:
    """Serve a folder as deployed, on a port of its own; yield the port."""
    port = free_port()
    server = DEPLOYED.read_text(encoding="utf-8")
    for there, here in {
        "listen 8443": f"listen 127.0.0.1:{port}",
        "/etc/nginx/platefleet/models.pem": str(certificate[0]),
        "/etc/nginx/platefleet/models.key": str(certificate[1]),
        "/srv/models": str(models),
    }.items():
        assert there in server
        server = server.replace(there, here)
    folder.mkdir()
    settings = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    settings.write_text(AROUND.format(user=user, folder=folder, server=server), encoding="utf-8")
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([program, "-c", str(settings), "-p", str(folder)], stdout=log, stderr=log)
    try:
        until(lambda: process.poll() is not None or (folder / "nginx.pid").exists(), 20)
        assert process.poll() is None, (folder / "log").read_text()
        yield port
    finally:
        process.terminate()
        process.wait(10)


class _Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def python(models: Path, certificate: tuple[Path, Path]) -> Iterator[int]:
    """Serve a folder; yield the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def handler(*arguments: Any) -> _Files:
        return _Files(*arguments, directory=str(models))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.daemon_threads = True
        running.socket = context.wrap_socket(running.socket, server_side=True)
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield running.server_address[1]
        running.shutdown()
        thread.join()
