"""docs/broker.md: its commands make what the deployed broker wants, and clients get in with it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from platefleet.protocol.session import Broker, Connected, Refused, Tls
from tests.mosquitto import MakeMosquitto, Mosquitto
from tests.prerequisites import broker as installed
from tests.sessions import Listen

pytestmark = pytest.mark.broker
ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "broker.md").read_text(encoding="utf-8")
DEPLOYED = (ROOT / "deploy" / "broker" / "mosquitto.conf").read_text(encoding="utf-8")
FOLDER = "/etc/mosquitto/platefleet/"
OF_THE_TEST = ("listener", "persistence", "set_tcp_nodelay")
"""Lines that the test's broker has already, with a port of its own."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every command of the page that makes something has run, for a broker called localhost."""
    if installed() is None or shutil.which("openssl") is None:
        pytest.skip("mosquitto or openssl is not installed")
    folder = tmp_path_factory.mktemp("made")
    blocks = re.findall(r"^```sh\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    commands = "".join(block for block in blocks if "openssl" in block)
    assert "host=broker.example\n" in commands
    script = commands.replace("host=broker.example\n", "host=localhost\n")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (folder / "acl").write_text((ROOT / "deploy" / "broker" / "acl").read_text(encoding="utf-8"))
    return folder


def deployed(made: Path) -> list[str]:
    lines = [line for line in DEPLOYED.splitlines() if line and not line.startswith("#")]
    return [line.replace(FOLDER, f"{made}/") for line in lines if line.split()[0] not in OF_THE_TEST]


def reached(mosquitto: Mosquitto, tls: Tls, user: str | None = None, password: str | None = None) -> Broker:
    return replace(mosquitto.broker, host="localhost", username=user, password=password, tls=tls)


def test_the_deployed_broker_lets_in_who_has_a_password_and_knows_its_ca(
    made: Path, make_mosquitto: MakeMosquitto, listen: Listen
) -> None:
    mosquitto = make_mosquitto(lines=tuple(deployed(made)))
    password = (made / "north-1.password").read_text().rstrip()
    tls = Tls(made / "ca.pem")
    listen("north-1", reached(mosquitto, tls, "north-1", password)).wait_for(Connected)
    refused = listen("north-1", reached(mosquitto, tls, "north-1", "another")).wait_for(Refused)
    assert "Not authorized" in refused.reason
    refused = listen("north-1", reached(mosquitto, Tls(), "north-1", password)).wait_for(Refused)
    assert "no authority that this machine knows has signed it" in refused.reason


def test_with_certificates_for_clients_it_asks_for_no_password_and_takes_the_name_from_them(
    made: Path, make_mosquitto: MakeMosquitto, listen: Listen
) -> None:
    lines = [line for line in deployed(made) if not line.startswith("password_file")]
    for setting in ("require_certificate true", "use_identity_as_username true"):
        assert f"`{setting}`" in DOCUMENT
        lines.append(setting)
    mosquitto = make_mosquitto(lines=tuple(lines))
    tls = Tls(made / "ca.pem", made / "north-1.pem", made / "north-1.key")
    client = listen("somebody-else", reached(mosquitto, tls), "alpr/1/north-1/up/#")
    client.wait_for(Connected)
    assert client.session.publish("alpr/1/north-1/up/info", b"in its own name", qos=1) is not None
    assert client.received("alpr/1/north-1/up/info").payload == b"in its own name"


def test_what_it_makes_stands_up_to_the_strictest_check(made: Path) -> None:
    for name, purpose in (("broker", "sslserver"), ("north-1", "sslclient"), ("ingest-1", "sslclient")):
        command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", "ca.pem", f"{name}.pem"]
        assert (
            subprocess.run(command, cwd=made, capture_output=True, text=True, check=True).stdout == f"{name}.pem: OK\n"
        )
    for secret in ("ca.key", "broker.key", "north-1.key", "passwords", "north-1.password"):
        assert (made / secret).stat().st_mode & 0o077 == 0, secret
