"""A device's disk before it is killed: two painted artifacts, one serving, one that served before, labelled frames."""

from __future__ import annotations

import hashlib
import http.server
import os
import signal
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from platefleet.models.artifacts.activation import Active, activated, confirmed
from platefleet.models.artifacts.passport import Role
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.operations.evaluate import measured
from platefleet.models.operations.port import Hosts
from tests.authority import Authority
from tests.commanded import ATestHost
from tests.painted_models import SIZE, as_artifact, painted_model

ROLE: Role = "plate"
FRAMES = 3


@dataclass(frozen=True)
class Site:
    """serves, served: keys of the active artifact and the one before. number: of the choice. fetch: for `fetch`."""

    folder: Path
    serves: str
    served: str
    number: int
    source: str
    artifacts: tuple[str, ...]
    id: str = ""
    payload: bytes = b""
    began_ns: int = 0
    hosts: Hosts = field(default_factory=Hosts)
    fetch: Mapping[str, Any] = field(default_factory=dict)

    def at(self, folder: Path, id_: str, payload: bytes, began_ns: int) -> Site:
        return replace(self, folder=folder, id=id_, payload=payload, began_ns=began_ns)


ARGUMENTS: dict[str, Callable[[Site], dict[str, Any]]] = {
    "activate": lambda site: {"role": "plate", "key": site.served},
    "benchmark": lambda _: {"role": "plate", "rounds": 3},
    "build": lambda site: {"role": "plate", "format": "onnx", "precision": "fp32", "size": SIZE, "source": site.source},
    "diagnose": lambda _: {},
    "evaluate": lambda site: {"role": "plate", "key": site.serves},
    "fetch": lambda site: dict(site.fetch),
    "prune": lambda _: {"keep": ("",)},
    "restart": lambda _: {},
    "rollback": lambda _: {"role": "plate"},
    "set-window": lambda _: {"zone": "Europe/Berlin", "spans": ("22:00-05:00",)},
    "snapshot": lambda _: {"lanes": ("in",)},
}
"""What each operation is told."""


def make_template(folder: Path, *, measure: bool = False) -> Site:
    """Make the disk that each device begins with. measure: what a benchmark needs to be known of its artifacts."""
    folder.mkdir(parents=True)
    store = ArtifactStore(folder / "store")
    model = painted_model(folder / "painted.onnx", 2, "license_plate")
    first, other = (as_artifact(store, "plate", model, opset=opset) for opset in (17, 18))
    source = store.add_source("plate", model)
    store.choose("plate", lambda _: activated(None, first))
    store.choose("plate", lambda now: activated(now, other))
    now = store.choose("plate", lambda now: _there(confirmed, now, other.key))
    _frames(folder / "evaluation")
    for passport in (first, other) if measure else ():
        measured(ATestHost(folder), passport, _Job(), None)
    artifacts = tuple(sorted(passport.key for passport in store.passports("plate")))
    return Site(folder, other.key, first.key, now.number, source, artifacts)


class _Job:
    """One that nobody watches or stops."""

    command, attempt = "", 1

    def step(self, name: str) -> None:
        pass

    def tell(self, step: str, share: float | None) -> None:
        pass

    def stopping(self) -> bool:
        return False

    def paused(self) -> bool:
        return False

    def keep(self, name: str, value: str) -> None:
        pass

    def kept(self, name: str) -> str | None:
        return None


def _there(decide: Callable[[Active, str], Active], now: Active | None, key: str) -> Active:
    assert now is not None
    return decide(now, key)


def _frames(folder: Path) -> None:
    """Draw pictures with one blue plate each, and say where it is."""
    folder.mkdir()
    for number in range(FRAMES):
        picture = np.zeros((SIZE, SIZE, 3), np.uint8)
        left, top = 20 + 20 * number, 40
        picture[top : top + 20, left : left + 40] = (255, 0, 0)
        cv2.imwrite(str(folder / f"{number}.png"), picture)
        middle = ((left + 20) / SIZE, (top + 10) / SIZE, 40 / SIZE, 20 / SIZE)
        (folder / f"{number}.txt").write_text(" ".join(["0", *(f"{share:.6f}" for share in middle)]) + "\n")


@contextmanager
def served(root: Path, site: Site) -> Iterator[Site]:
    """Serve another model over HTTPS, by a process of its own, and say so to `fetch`."""
    authority = Authority.make(root / "authority")
    files = root / "served"
    files.mkdir()
    data = painted_model(files / "other.onnx", 2, "license_plate", confidence=0.8).read_bytes()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("localhost", "localhost"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(files)))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    pid = os.fork()
    if pid == 0:
        server.serve_forever()
    place = f"localhost:{server.server_address[1]}"
    wanted = {"role": "plate", "url": f"https://{place}/other.onnx", "sha256": hashlib.sha256(data).hexdigest()}
    server.socket.close()
    try:
        yield replace(site, hosts=Hosts((place,), authority.ca), fetch={**wanted, "bytes": len(data)})
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""
