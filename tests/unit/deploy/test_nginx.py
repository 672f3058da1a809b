"""deploy/central/nginx.conf serves models as devices want them: HTTPS, ranges by a strong ETag, nothing else."""

from __future__ import annotations

import hashlib
import http.client
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from platefleet.models.artifacts.https import Wanted, fetch
from platefleet.models.errors import ArtifactError
from tests.authority import Authority
from tests.model_server import nginx
from tests.prerequisites import nginx as installed_nginx

MODEL = b"\x08\x08" + bytes(range(256)) * 4000


@dataclass(frozen=True)
class Served:
    """The running server."""

    port: int
    ca: Path
    asked: Path

    def wanted(self, name: str = "plates.onnx") -> Wanted:
        place = f"localhost:{self.port}"
        return Wanted(f"https://{place}/{name}", hashlib.sha256(MODEL).hexdigest(), len(MODEL), (place,), self.ca)

    def ask(self, method: str, path: str) -> http.client.HTTPResponse:
        context = ssl.create_default_context(cafile=str(self.ca))
        connection = http.client.HTTPSConnection("localhost", self.port, context=context, timeout=20)
        connection.request(method, path)
        return connection.getresponse()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    program = installed_nginx()
    if program is None:
        pytest.skip("nginx is not installed (Debian: apt-get install nginx-light)")
    folder = tmp_path_factory.mktemp("nginx")
    authority = Authority.make(folder / "authority")
    models = folder / "models"
    models.mkdir()
    (models / "plates.onnx").write_bytes(MODEL)
    (models / "notes.txt").write_text("not a model")
    with nginx(program, models, authority.issue("models", "localhost"), folder / "nginx") as port:
        yield Served(port, authority.ca, folder / "nginx" / "asked")


def test_what_broke_off_goes_on_where_it_stopped(served: Served, tmp_path: Path) -> None:
    part = tmp_path / "file.part"
    seen: list[int] = []
    with pytest.raises(ArtifactError, match="goes on from here"):
        fetch(served.wanted(), part, progress=lambda done, _: seen.append(done), stopping=lambda: len(seen) > 3)
    arrived = part.stat().st_size
    assert 0 < arrived < len(MODEL)
    fetch(served.wanted(), part)
    assert part.read_bytes() == MODEL
    with served.asked.open() as asked:
        assert f'"GET /plates.onnx HTTP/1.1" 206 {len(MODEL) - arrived} ' in asked.read()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/notes.txt", 404), ("GET", "/", 404), ("PUT", "/plates.onnx", 403), ("GET", "/other.onnx", 404)],
)
def test_nothing_else_can_be_had_or_changed(served: Served, method: str, path: str, status: int) -> None:
    assert served.ask(method, path).status == status
