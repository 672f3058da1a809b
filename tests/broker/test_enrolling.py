"""A device enrolled in one step connects to the broker as `deploy/broker` sets it up, and a retired one does not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from platefleet.agent.config import load as load_agent
from platefleet.fleet.cli import app
from platefleet.fleet.console.enrolling import with_access
from platefleet.fleet.gate.settings import load as load_gate
from platefleet.protocol import topics
from platefleet.protocol.session import Broker, Connected, Refused
from tests.authority import Authority
from tests.mosquitto import MakeMosquitto, Mosquitto
from tests.sessions import Listen, Listening
from tests.trust_builders import ROOTS

pytestmark = pytest.mark.broker
DEPLOYED = Path("deploy/broker")
OURS = {"listener", "cafile", "certfile", "keyfile", "tls_version", "allow_anonymous", "password_file", "acl_file"}


def subscribed(listen: Listen, broker: Broker, name: str, *filters: str) -> Listening:
    """Connect, and wait until what is subscribed to would be heard: what one says of oneself comes back."""
    client = listen(name, broker, *filters, topics.health(name))
    client.wait_for(Connected, timeout_s=30)
    assert client.session.publish(topics.health(name), b"subscribed", qos=1) is not None
    client.received(topics.health(name), timeout_s=30)
    return client


class Place:
    """Where an administrator of the broker sits."""

    def __init__(self, folder: Path, mosquitto: Mosquitto) -> None:
        self.folder, self.mosquitto, self.home = folder, mosquitto, mosquitto._folder
        (folder / "roots.pub").write_text("".join(f"{root.line()}\n" for root in ROOTS.named))
        (folder / "ca.pem").write_bytes(Authority.make(folder / "authority").ca.read_bytes())
        self.environment = {
            "PLATEFLEET_CONSOLE_DATABASE": f"sqlite:///{folder}/console.db",
            "PLATEFLEET_BROKER_PASSWORDS": str(self.home / "passwords"),
            "PLATEFLEET_BROKER_ACL": str(self.home / "acl"),
            "PLATEFLEET_ROOTS": str(folder / "roots.pub"),
        }

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, list(words), env=self.environment)

    def enroll(self, name: str, *more: str) -> Path:
        done = self.run("enroll", name, "--broker", "broker.example", "--out", str(self.folder / "out"), *more)
        assert done.exit_code == 0, (done.exception, done.stderr)
        return self.folder / "out" / name

    def refused(self, *words: str) -> str:
        done = self.run(*words)
        assert done.exit_code == 1, done.stdout
        return str(done.exception)

    def reload(self) -> None:
        self.mosquitto.reload((self.home / "acl").read_text())

    def reached(self, home: Path) -> Broker:
        """How a device reaches the broker with what is in its folder."""
        (kept,) = home.glob("*.password")
        password = kept.read_text().removesuffix("\n")
        return replace(self.mosquitto.broker, username=home.name, password=password)


@pytest.fixture
def place(make_mosquitto: MakeMosquitto, tmp_path: Path) -> Place:
    lines = [line for line in (DEPLOYED / "mosquitto.conf").read_text().splitlines() if line and line[0] != "#"]
    kept = [line for line in lines if line.split()[0] not in {*OURS, "set_tcp_nodelay", "persistence"}]
    mosquitto = make_mosquitto(users={"console": "console's"}, acl=(DEPLOYED / "acl").read_text(), lines=tuple(kept))
    return Place(tmp_path, mosquitto)


def test_an_enrolled_device_is_let_in_heard_and_commanded_until_it_is_retired(place: Place, listen: Listen) -> None:
    home = place.enroll("north-7", "--site", "north")
    place.reload()
    command = topics.command("north-7")
    device = subscribed(listen, place.reached(home), "north-7", command)
    known = replace(place.mosquitto.broker, username="console", password="console's")
    console = subscribed(listen, known, "console", topics.info("north-7"))
    assert device.session.publish(topics.info("north-7"), b"here", qos=1) is not None
    console.received(topics.info("north-7"))
    assert console.session.publish(command, b"do", qos=1) is not None
    device.received(command)

    assert place.run("retire", "north-7").exit_code == 0
    place.reload()
    place.mosquitto.kill()  # who is connected stays so until the connection ends
    place.mosquitto.start()
    device.wait_for(Refused, timeout_s=30)
    assert "north-7" not in (place.home / "passwords").read_text()


def test_a_gate_hears_and_answers_the_devices_that_it_serves(place: Place, listen: Listen) -> None:
    north, gate = place.enroll("north-7"), place.enroll("gate-7", "--serves", "north-7")
    place.enroll("south-7")
    place.reload()
    plates = [f"alpr/1/{name}/up/plate" for name in ("north-7", "south-7")]
    heard = subscribed(listen, place.reached(gate), "gate-7", *plates)
    device = subscribed(listen, place.reached(north), "north-7", "alpr/1/north-7/down/beat")
    assert device.session.publish(plates[0], b"a plate", qos=1) is not None
    heard.received(plates[0])
    assert heard.session.publish("alpr/1/north-7/down/beat", b"a beat", qos=1) is not None
    device.received("alpr/1/north-7/down/beat")
    before = (place.home / "acl").read_text()
    assert with_access(before, "gate-7", ()) == (DEPLOYED / "acl").read_text()


def test_what_is_written_for_a_device_can_be_used_as_it_is(place: Place) -> None:
    home = place.enroll("north-7", "--ca", str(place.folder / "ca.pem"), "--zone", "Europe/Berlin")
    settings = load_agent(home / "agent.toml", {})
    assert (settings.device, settings.broker.host, settings.broker.port) == ("north-7", "broker.example", 8883)
    assert settings.commands.window.zone == "Europe/Berlin"
    assert list(settings.commands.roots) == [root.line() for root in ROOTS.named]
    assert (home / "ca.pem").read_text() == (place.folder / "ca.pem").read_text()
    assert (home / "broker.password").stat().st_mode & 0o777 == 0o600
    gate = load_gate(place.enroll("gate-7", "--serves", "north-7", "--serves", "south-7") / "gate.toml")
    assert [lane.device for lane in gate.lanes] == ["north-7", "south-7"]


def test_a_device_that_is_enrolled_keeps_its_password_unless_another_is_asked_for(place: Place) -> None:
    home = place.enroll("north-7")
    first = (home / "broker.password").read_text()
    again = ("enroll", "north-7", "--broker", "broker.example", "--out", str(place.folder / "out"))
    assert "is enrolled already" in place.refused(*again)
    assert (home / "broker.password").read_text() == first
    place.enroll("north-7", "--again")
    assert (home / "broker.password").read_text() != first
    assert (place.home / "passwords").read_text().count("north-7:") == 1


def test_a_name_that_no_device_may_have_is_refused_and_nothing_is_written(place: Place) -> None:
    before = (place.home / "passwords").read_text(), (place.home / "acl").read_text()
    to = ("--broker", "b", "--out", str(place.folder / "out"))
    assert "gives this name its own rights" in place.refused("enroll", "console", "--again", *to)
    assert "gives this name its own rights" in place.refused("retire", "ingest-1")
    assert "a/b" in place.refused("enroll", "a/b", *to)
    for no_host in ("", "mqtt://broker.example:1883"):
        assert "is no host" in place.refused("enroll", "north-9", "--broker", no_host)
    assert "a:b" in place.refused("enroll", "a:b", *to)
    assert "'Mars' is no time zone" in place.refused("enroll", "north-7", "--zone", "Mars", *to)
    place.environment["PLATEFLEET_ROOTS"] = str(place.folder / "none")
    assert "there are no root keys" in place.refused("enroll", "north-7", *to)
    assert ((place.home / "passwords").read_text(), (place.home / "acl").read_text()) == before
    assert not (place.folder / "out").exists()
    devices = place.run("devices", "--json").stdout
    assert [json.loads(line) for line in devices.splitlines()] == []


def test_files_that_cannot_be_written_are_named(place: Place) -> None:
    to = ("--broker", "b", "--out", str(place.folder / "out"))
    place.environment["PLATEFLEET_BROKER_PASSWORDS"] = str(place.folder / "roots.pub" / "passwords")
    assert "passwords: cannot be" in place.refused("enroll", "north-7", *to)
    place.environment["PLATEFLEET_BROKER_PASSWORDS"] = str(place.home)
    assert f"{place.home}: cannot be read" in place.refused("enroll", "north-7", *to)
    place.environment["PLATEFLEET_BROKER_PASSWORDS"] = str(place.home / "passwords")
    to = ("--broker", "b", "--out", str(place.folder / "roots.pub"))
    assert "cannot be written" in place.refused("enroll", "north-7", *to)
    assert "north-7" not in (place.home / "passwords").read_text()
