"""The agent at the real Mosquitto: what it tells of itself and of cars, with a broker that comes late or refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from platefleet.agent.check import broker as check_broker
from platefleet.agent.knock import knock
from platefleet.protocol.codec import decode
from platefleet.protocol.delivery.frame import open_body, thaw
from platefleet.protocol.errors import SessionError
from platefleet.protocol.messages import Health, Info, LivePlate, PlateEvent, Presence
from platefleet.protocol.session import Connected, Received, Tls
from tests.broker.test_tls import Authority
from tests.mosquitto import MakeMosquitto, Mosquitto
from tests.painted_lane import TEXT, a_camera, a_visit, an_agent, folder_of, painted, plates, settings_of
from tests.sessions import Listen
from tests.until import BUSY, until

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(a_visit(), tmp_path_factory.mktemp("visit") / "pictures")


class Heard:
    """Everything that a listener received, by the last word of its topic."""

    def __init__(self, listen: Listen, mosquitto: Mosquitto) -> None:
        self._listening = listen("watcher", mosquitto.broker, "alpr/1/gate-north/up/#")
        self._listening.wait_for(Connected)

    def of(self, kind: str) -> list[Received]:
        self._listening.drain(0.02)
        return [
            event
            for event in self._listening.events
            if isinstance(event, Received) and event.topic.endswith(f"/{kind}")
        ]


def test_a_broker_that_is_away_at_the_start_gets_everything_once_it_is_there(
    mosquitto: Mosquitto, listen: Listen, visit: Path
) -> None:
    mosquitto.stop()
    agent, outbox = an_agent(settings_of(a_camera(visit)), broker=mosquitto.broker)
    agent.start()
    try:
        assert agent.wait_over(20)
        until(lambda: any("broker: " in problem for problem in agent.health().problems))
        read = plates(outbox)
        assert {event.text for event in read} == {TEXT}
        mosquitto.start()
        heard = Heard(listen, mosquitto)
        until(lambda: heard.of("presence") and heard.of("info") and heard.of("health"))
        info = decode(Info, heard.of("info")[-1].payload)
        assert (info.device, info.kind, info.lanes) == ("gate-north", "agent", ("entry",))
        assert decode(Presence, heard.of("presence")[-1].payload).state == "online"
        until(lambda: not agent.health().problems or not any("broker" in p for p in agent.health().problems))
        assert plates(outbox) == read  # nothing was lost while nobody heard it
    finally:
        agent.stop()
    until(lambda: decode(Presence, heard.of("presence")[-1].payload).state == "stopped")


def test_a_car_that_stands_is_told_live_and_again_with_a_new_age(
    mosquitto: Mosquitto, listen: Listen, tmp_path: Path
) -> None:
    frames = [painted(top) for top in (-110, -110, *range(-90, 91, 12))] + [painted(90)] * 60
    camera = a_camera(folder_of(frames, tmp_path), real_time=True, every_frame=False)
    heard = Heard(listen, mosquitto)
    agent, _ = an_agent(settings_of(camera), broker=mosquitto.broker)
    agent.start()
    try:
        until(lambda: len(heard.of("plate")) >= 2)
    finally:
        agent.stop()
    live = [decode(LivePlate, event.payload) for event in heard.of("plate")]
    first, again = thaw(live[0].record), thaw(live[1].record)
    event = open_body(first)
    assert isinstance(event, PlateEvent)
    assert (event.text, event.final) == (TEXT, False)
    assert first == again  # the same record, not a second one
    assert all(message.age_ms < 500 * BUSY for message in live[:2])  # seen again just now


def test_health_comes_with_the_connection_and_then_at_its_interval(
    mosquitto: Mosquitto, listen: Listen, visit: Path
) -> None:
    heard = Heard(listen, mosquitto)
    settings = settings_of(a_camera(visit, loop=True, real_time=True), health={"interval_s": 1.0})
    agent, _ = an_agent(settings, broker=mosquitto.broker)
    agent.start()
    try:
        until(lambda: len(heard.of("health")) >= 3)
    finally:
        agent.stop()
    health = decode(Health, heard.of("health")[-1].payload)
    assert (health.cameras[0].lane, health.cameras[0].state) == ("entry", "running")
    assert health.uptime_ms > 1000


def test_a_refused_password_is_told_in_health_and_the_cars_are_kept(make_mosquitto: MakeMosquitto, visit: Path) -> None:
    mosquitto = make_mosquitto(users={"gate-north": "right"})
    agent, outbox = an_agent(
        settings_of(a_camera(visit)), broker=replace(mosquitto.broker, username="gate-north", password="wrong")
    )
    agent.start()
    try:
        assert agent.wait_over(20)
        until(lambda: any("broker: " in p and "wrong" not in p for p in agent.health().problems))
        assert plates(outbox)
    finally:
        agent.stop()


def test_knocking_tells_who_is_let_in_and_leaves_nothing_behind(make_mosquitto: MakeMosquitto, listen: Listen) -> None:
    mosquitto = make_mosquitto(users={"gate-north": "right", "guard": "guard"})
    good = replace(mosquitto.broker, username="gate-north", password="right")
    knock("gate-north.check", good, 5.0)
    with pytest.raises(SessionError, match=r"refuses: .*; check broker.username and the password"):
        knock("gate-north.check", replace(good, password="wrong"), 5.0)
    listener = listen("guard", replace(mosquitto.broker, username="guard", password="guard"), "#")
    listener.wait_for(Connected)
    seen = [event for event in listener.drain(0.3) if isinstance(event, Received)]
    assert not [event for event in seen if "gate-north" in event.topic]


def test_knocking_over_tls_checks_the_brokers_certificate(make_mosquitto: MakeMosquitto, tmp_path: Path) -> None:
    authority, other = Authority.make(tmp_path / "ca"), Authority.make(tmp_path / "other")
    mosquitto = make_mosquitto(tls=(authority.ca, *authority.issue("broker", "localhost", "127.0.0.1")))
    certificate, key = authority.issue("gate-north")
    reached = replace(mosquitto.broker, host="localhost")
    knock("gate-north", replace(reached, tls=Tls(authority.ca, certificate, key)), 5.0)
    with pytest.raises(SessionError, match=r"no authority in .*; name the CA of the broker in broker.tls.ca_file"):
        knock("gate-north", replace(reached, tls=Tls(other.ca, certificate, key)), 5.0)


def test_the_check_of_the_broker_is_one_sentence(mosquitto: Mosquitto) -> None:
    settings = settings_of({"kind": "v4l2"}, broker={"host": "127.0.0.1", "port": mosquitto.port})
    assert check_broker(settings) == f"127.0.0.1:{mosquitto.port} lets anybody in"
    mosquitto.stop()
    with pytest.raises(SessionError, match=r"Connection refused; check broker.host and that the broker runs"):
        check_broker(settings)


@pytest.mark.materials
@pytest.mark.usefixtures("materials")
def test_the_command_stops_within_two_seconds_of_a_signal(mosquitto: Mosquitto, visit: Path, tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(
        f'device = "gate-north"\n[broker]\nhost = "127.0.0.1"\nport = {mosquitto.port}\n'
        f'[outbox]\nfile = "device.outbox"\n'
        f'[[lanes]]\nname = "entry"\n[lanes.camera]\nkind = "folder"\npath = "{visit}"\nloop = true\n'
    )
    command = [sys.executable, "-m", "platefleet.deploy.cli", "agent", "run", "--config", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ}) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "camera runs" in line:
                break
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        status = process.wait(10)
        took_s = time.monotonic() - began
        lines += process.stderr.readlines()
    assert status == 0, "".join(lines)
    assert took_s < 2.0 * BUSY
    assert "agent gate-north stopped" in "".join(lines)
    assert "Traceback" not in "".join(lines)
