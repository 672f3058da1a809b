"""`platefleet agent check` and what stands behind it: one finding a line, status 1 if one fails."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from platefleet.agent.check import Finding, artifact, camera, check, clock, disk
from platefleet.agent.cli import app
from platefleet.agent.knock import connect_packet, knock
from platefleet.agent.settings.lanes import Lane
from platefleet.models.artifacts.activation import activated
from platefleet.models.artifacts.passport import Recipe, Verdict
from platefleet.models.artifacts.store import ROLES, ArtifactStore
from platefleet.protocol.errors import CameraError, ConfigError, SessionError
from platefleet.protocol.session import Broker
from tests.artifact_stores import placed
from tests.camera_servers import serving
from tests.painted_lane import a_visit, folder_of, settings_of
from tests.painted_models import as_artifact, painted_model
from tests.switched_agent import a_store


def a_lane(**camera: object) -> Lane:
    return Lane.model_validate({"name": "entry", "camera": camera}, context={"folder": "/"})


def test_its_help_says_that_it_may_download_weights() -> None:
    said = " ".join(CliRunner().invoke(app, ["check", "--help"]).stdout.split())
    assert "pinned weights which the cache lacks are downloaded into it" in said


def test_a_camera_that_works_is_told_with_its_size_and_rate(tmp_path: Path) -> None:
    folder_of(a_visit()[:3], tmp_path)
    assert camera(a_lane(kind="folder", path=str(tmp_path), fps=5.0)) == "320x240 pixels, 5 frames/s"


def test_a_camera_that_does_not_work_is_told_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=r"there is no such file; check the camera's path"):
        camera(a_lane(kind="file", path=str(tmp_path / "no.mp4")))
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(CameraError, match=r"none of its 1 pictures can be read|ended before it showed a frame"):
        camera(a_lane(kind="folder", path=str(tmp_path)))


def test_a_camera_that_never_answers_is_given_up() -> None:
    with serving(lambda server, connection, _: server.stopped.wait(30)) as server:
        url = f"rtsp://user:secret@127.0.0.1:{server.port}/live"
        with pytest.raises(CameraError, match=r"no frame within 0.6 s; check the camera and its network"):
            camera(a_lane(kind="rtsp", url=url, open_timeout_s=0.5, stall_timeout_s=0.1))


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"", "it closed the connection without an answer"),
        (b"HTTP/1.0 400 Bad Request\r\n", "what answers is no MQTT broker; check broker.port"),
        (bytes([0x20, 3, 0, 0x86]), "refuses: user name or password is wrong; check broker.username and the password"),
        (bytes([0x20, 2, 0, 0x01]), "refuses: it does not speak MQTT 5"),
        (bytes([0x20, 3, 0, 0xEE]), "refuses: reason code 0xEE"),
    ],
)
def test_each_answer_of_a_broker_has_its_sentence(answer: bytes, sentence: str) -> None:
    def serve(_: object, connection: socket.socket, __: int) -> None:
        connection.recv(1024)
        connection.sendall(answer)
        connection.close()

    with serving(serve) as server, pytest.raises(SessionError) as raised:
        knock("d", Broker("127.0.0.1", server.port), 2.0)
    assert sentence in str(raised.value)


def test_a_broker_that_says_nothing_is_given_up() -> None:
    silent = serving(lambda server, connection, _: server.stopped.wait(30))
    with silent as server, pytest.raises(SessionError, match=r"timed out"):
        knock("d", Broker("127.0.0.1", server.port), 0.3)


def test_connect_carries_user_and_password_and_a_long_length() -> None:
    packet = connect_packet("c" * 64, "u" * 64, "p" * 64)
    assert packet[:3] == bytes([0x10, 0xD1, 0x01])  # 209 bytes follow
    assert packet[10] == 0xC2
    assert packet.endswith(b"\x00\x40" + b"p" * 64)


def test_a_disk_without_room_is_told() -> None:
    assert "MB free, writable" in disk(settings_of({"kind": "v4l2"}))
    with pytest.raises(ConfigError, match=r"MB free, less than"):
        disk(settings_of({"kind": "v4l2"}, health={"disk_least_bytes": 1 << 60}))


def test_settings_that_cannot_be_used_end_the_check_with_a_line_each(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text('device = "d"\nlanes = []\n[broker]\nport = 0\n')
    findings = list(check(path, {}))
    assert [finding.ok for finding in findings] == [False] * 3
    assert findings[0] == Finding("config", False, f"{path}: broker.host: missing; this key has to be set")


def test_an_artifact_that_is_active_is_opened_and_nothing_is_written(tmp_path: Path) -> None:
    store, first = a_store(tmp_path)
    before = {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()}
    found = artifact(store, "plate")
    assert found == Finding("artifact plate", True, f"{first.title} opens and runs (accepted)")
    second = as_artifact(store, "plate", painted_model(tmp_path / "second.onnx", 2, "license_plate", confidence=0.8))
    assert {path: path.read_bytes() for path in before} == before
    store.choose("plate", lambda now: activated(now, second))
    assert artifact(store, "plate").said.endswith("on trial: a restart now goes back to what ran before")


def test_a_role_without_an_artifact_is_served_by_the_configured_weights(tmp_path: Path) -> None:
    found = artifact(ArtifactStore(tmp_path / "nowhere"), "reader")
    assert (found.ok, found.said.split(";")[0]) == (True, "none is active, the configured weights serve")
    assert not (tmp_path / "nowhere").exists()


def test_an_artifact_that_does_not_open_is_a_note_that_says_what_to_do(tmp_path: Path) -> None:
    store, first = a_store(tmp_path)
    engine = Recipe(role="vehicle", source="ab" * 32, format="tensorrt", precision="fp16", size=640)
    (tmp_path / "model.engine").write_bytes(b"no engine")
    plan = placed(store, engine, tmp_path / "model.engine", verdict=Verdict(judged="accepted"))
    store.choose("vehicle", lambda now: activated(now, plan))
    (store.home(first) / first.model).write_bytes(b"rotten")
    (store.root / "reader").mkdir()
    (store.root / "reader" / "active.json").write_bytes(b"{")
    said = {}
    for role in ROLES:
        found = artifact(store, role)
        assert (found.ok, found.needed) == (False, False)
        assert found.said.endswith("; until then the configured weights serve")
        said[role] = found.said
    assert "is damaged; build it again" in said["plate"]
    without = "TensorRT is not installed on this device; activate an onnx artifact"
    assert without in said["vehicle"] or "does not begin like a TensorRT engine" in said["vehicle"]
    assert "is damaged (" in said["reader"]
    assert "activate an artifact to write it anew" in said["reader"]


def test_the_check_tells_of_every_role_where_a_store_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = ("camera", "broker", "models", "outbox", "disk")
    for look in looks:  # each is tried above, and takes seconds
        monkeypatch.setattr(f"platefleet.agent.check.{look}", lambda *_: "fine")
    path = tmp_path / "agent.toml"
    path.write_text(
        'device = "d"\n[broker]\nhost = "h"\n[[lanes]]\nname = "entry"\n[lanes.camera]\nkind = "v4l2"\n'
        f'[models]\nstore = "{tmp_path / "artifacts"}"\n'
    )
    told = [finding.what for finding in check(path, {})]
    assert told[:5] == ["config", "camera entry", "broker", "models", "artifact vehicle"]
    assert told[5:7] == ["artifact plate", "artifact reader"]


Invoke = Callable[..., tuple[int, str]]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Invoke:
    findings = [Finding("config", True, "fine"), Finding("camera entry", False, "no \x1b[31mroute")]
    monkeypatch.setattr("platefleet.agent.check.check", lambda *_: iter(findings))

    def run(*options: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["check", "--config", "agent.toml", *options])
        return result.exit_code, result.stdout

    return run


def test_the_command_prints_a_line_each_and_fails_if_one_does(invoke: Invoke) -> None:
    status, text = invoke()
    assert status == 1
    assert text.splitlines() == ["ok    config: fine", "FAIL  camera entry: no \\x1b[31mroute"]


def test_the_command_prints_json_lines(invoke: Invoke) -> None:
    status, text = invoke("--json")
    assert status == 1
    assert [json.loads(line) for line in text.splitlines()] == [
        {"what": "config", "ok": True, "said": "fine", "needed": True},
        {"what": "camera entry", "ok": False, "said": "no \x1b[31mroute", "needed": True},
    ]


def test_a_clock_that_is_not_synchronised_is_a_note_and_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platefleet.agent.check.clock_state", lambda *_, **__: "unsynced")
    told = clock(settings_of({"kind": "v4l2"}))
    assert (told.ok, told.needed) == (False, False)
    monkeypatch.setattr("platefleet.agent.check.check", lambda *_: iter([told]))
    result = CliRunner().invoke(app, ["check", "--config", "agent.toml"])
    assert result.exit_code == 0
    assert result.stdout.startswith("note  clock: not synchronised; set up NTP")
