"""The centre as it is deployed, without containers, and a device from `enroll` to a model that it was told to fetch.

Mosquitto with the configuration of `deploy/broker` and TLS, PostgreSQL, ingest and console as programs under the system
call filters of their units, model files over HTTPS; every order is given on the command line.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from platefleet.agent.assemble import broker_of
from platefleet.agent.config import load
from platefleet.deploy import cli
from platefleet.fleet.keys import pkcs8
from platefleet.models.artifacts.store import ArtifactStore
from tests.authority import Authority
from tests.filtered import installed as can_filter
from tests.model_server import nginx, python
from tests.mosquitto import MakeMosquitto, Mosquitto
from tests.painted_lane import TEXT, a_visit, an_agent, folder_of
from tests.painted_models import painted_model
from tests.postgresql import Postgresql
from tests.prerequisites import nginx as installed_nginx
from tests.until import until

pytestmark = pytest.mark.broker
ROOT = Path(__file__).resolve().parents[2]
FOLDER = "/etc/mosquitto/platefleet/"
HERE = ("listener", "persistence", "set_tcp_nodelay", "allow_anonymous", "password_file", "acl_file")
"""Lines that the test's broker writes itself: its port, its users."""
ALL_DAY = '[{ start = "00:00", end = "12:30" }, { start = "12:00", end = "00:30" }]'


@dataclass(frozen=True)
class Centre:
    """What runs, and the command line with its settings."""

    folder: Path
    broker: Mosquitto
    authority: Authority
    store: str
    console: str

    def __call__(self, *words: str) -> str:
        """Give a command; return what it printed."""
        environment = {
            "XDG_CONFIG_HOME": str(self.folder / ".config"),
            "PLATEFLEET_KEY_PASSPHRASE_FILE": str(self.folder / "secret"),
            "PLATEFLEET_KEY": str(self.folder / "anna.pem"),
            "PLATEFLEET_CONSOLE_DATABASE": self.console,
            "PLATEFLEET_BROKER_PASSWORDS": str(self.broker.folder / "passwords"),
            "PLATEFLEET_BROKER_ACL": str(self.broker.folder / "acl"),
        }
        done = CliRunner().invoke(cli.app, list(words), env=environment)
        assert done.exit_code == 0, (words, done.exception, done.stderr)
        return done.stdout

    def rows(self, *words: str) -> list[dict[str, Any]]:
        """Give a command; return what it printed, as JSON."""
        return [json.loads(line) for line in self(*words, "--json").splitlines()]


@contextmanager
def program(unit: str, folder: Path, *words: str, **environment: str) -> Iterator[None]:
    """Run one of the centre's programs as its unit would, until the end."""
    under = ["-m", "tests.filtered", str(ROOT / "deploy/central" / unit), sys.executable] if can_filter() else []
    command = [sys.executable, *under, "-m", "platefleet.deploy.cli", *words]
    log = folder / f"{words[0]}.log"
    with log.open("ab") as out:
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=out, stderr=out)
    try:
        yield
        assert process.poll() is None, log.read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert process.returncode == 0, log.read_text()


@pytest.fixture
def centre(
    tmp_path: Path, make_mosquitto: MakeMosquitto, postgresql_server: Postgresql, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Centre]:
    monkeypatch.setattr(pkcs8, "COST", 16)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text("correct horse\n")
    (tmp_path / "secret").chmod(0o600)
    authority = Authority.make(tmp_path / "authority")
    authority.issue("broker", "localhost")
    lines = [
        line for line in (ROOT / "deploy/broker/mosquitto.conf").read_text().splitlines() if line and line[0] != "#"
    ]
    lines = [line.replace(FOLDER, f"{authority.folder}/") for line in lines if line.split()[0] not in HERE]
    broker = make_mosquitto(
        users={"ingest-1": "ingest's", "console": "console's"},
        acl=(ROOT / "deploy/broker/acl").read_text(),
        lines=tuple(lines),
    )
    made = Centre(tmp_path, broker, authority, postgresql_server.database(), postgresql_server.database())
    for user in ("ingest", "console"):
        (tmp_path / f"{user}.password").write_text(f"{user}'s\n")
    settings = f'''
client = "console"
database = "{made.console}"
[broker]
host = "localhost"
port = {broker.port}
username = "console"
password_file = "console.password"
ca_file = "{authority.ca}"
'''
    (tmp_path / "console.toml").write_text(settings)
    ingest = {
        "PLATEFLEET_INGEST_BROKER": f"localhost:{broker.port}",
        "PLATEFLEET_INGEST_USERNAME": "ingest-1",
        "PLATEFLEET_INGEST_PASSWORD_FILE": str(tmp_path / "ingest.password"),
        "PLATEFLEET_INGEST_CA_FILE": str(authority.ca),
        "PLATEFLEET_INGEST_DATABASE": made.store,
    }
    with (
        program("platefleet-ingest.service", tmp_path, "ingest", "run", **ingest),
        program("platefleet-console.service", tmp_path, "console", "run", "--config", str(tmp_path / "console.toml")),
    ):
        for root in ("vault", "safe"):
            made("keys", "new", "--root", root, "--out", f"{root}.pem")
        made("keys", "new", "--operator", "anna", "--role", "administrator", "--out", "anna.pem")
        made("keys", "trust", "anna.pub", "--by", "vault.pem")
        made("console", "trust")
        yield made


@contextmanager
def models(centre: Centre) -> Iterator[tuple[Path, int]]:
    """Serve a folder of models: by nginx as deployed where it is installed."""
    folder = centre.folder / "models"
    folder.mkdir()
    certificate = centre.authority.issue("models", "localhost")
    found = installed_nginx()
    with ExitStack() as stack:
        started = python(folder, certificate) if found is None else nginx(
            found, folder, certificate, centre.folder / "nginx"
        )  # fmt: skip
        yield folder, stack.enter_context(started)


def enrolled(centre: Centre, host: str) -> Path:
    """Enrol a device as the page says, with the camera and the models' host that a person puts into its settings."""
    centre(
        "fleet", "enroll", "gate-north", "--broker", "localhost", "--port", str(centre.broker.port),
        "--ca", str(centre.authority.ca), "--site", "north", "--label", "canary",
    )  # fmt: skip
    centre.broker.reload()
    path = centre.folder / "enrolled" / "gate-north" / "agent.toml"
    frames = folder_of(a_visit(), centre.folder / "frames")
    text = path.read_text()
    camera = f'kind = "folder"\npath = "{frames}"\nfps = 10.0\nevery_frame = true\nreal_time = false\n'
    text = re.sub(r'kind = "rtsp"\nurl = .*\n', camera, text)
    text = text.replace("/var/lib/platefleet/artifacts", str(centre.folder / "artifacts"))
    text = text.replace("[commands]\n", f'[commands]\nhosts = ["{host}"]\nca_file = "ca.pem"\n')
    text = re.sub(r"spans = .*\n", f"spans = {ALL_DAY}\nquiet_s = 0\n", text)
    text += f'\n[outbox]\nfile = "{centre.folder}/gate-north.outbox"\n[clock]\nassume_synced = true\n'
    path.write_text(text)
    return path


def test_a_new_device_fetches_a_model_in_its_window_and_its_cars_are_in_the_store(centre: Centre) -> None:
    with models(centre) as (folder, port):
        host = f"localhost:{port}"
        settings = load(enrolled(centre, host), {})
        model = painted_model(folder / "plates.onnx", 2, "license_plate").read_bytes()
        agent, _ = an_agent(settings, broker=broker_of(settings))
        agent.start()
        try:
            until(lambda: any(row["presence"] == "online" for row in centre.rows("fleet", "devices")), 60, 0.2)
            until(lambda: device(centre)["info"].get("trust_version") == 1, 60, 0.2)
            digest = hashlib.sha256(model).hexdigest()
            order = ("role=plate", f"url=https://{host}/plates.onnx", f"sha256={digest}", f"bytes={len(model)}")
            assert centre.rows("fleet", "send", "fetch", "--label", "canary", *order, "--dry-run")[0]["moves"]
            (sent,) = centre.rows("fleet", "send", "fetch", "--label", "canary", *order)
            until(lambda: centre.rows("fleet", "status", sent["command"])[0]["state"] == "succeeded", 60, 0.2)
            store = ArtifactStore(centre.folder / "artifacts")
            assert store.source("plate", digest).read_bytes() == model
            seen = ("fleet", "events", "--database", centre.store)
            assert until(lambda: centre.rows(*seen), 60, 0.2)[0]["plate"] == TEXT
        finally:
            agent.stop()
        until(lambda: device(centre)["presence"] == "stopped", 60, 0.2)
    centre("fleet", "retire", "gate-north")
    assert "gate-north:" not in (centre.broker.folder / "passwords").read_text()


def device(centre: Centre) -> dict[str, Any]:
    return centre.rows("fleet", "show", "gate-north")[0]
