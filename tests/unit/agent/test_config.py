"""The settings file: everything that is wrong is told at once, a line each; the environment counts more; no secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from platefleet.agent.config import ConfigProblems, load, password_of
from platefleet.agent.settings.cameras import RtspCamera
from platefleet.agent.settings.tree import Settings
from platefleet.protocol.errors import ConfigError

GOOD = """
device = "gate-north"
[broker]
host = "broker.example"
[[lanes]]
name = "entry"
[lanes.camera]
kind = "rtsp"
url = "rtsp://10.0.0.9/live"
"""
LANE = '[[lanes]]\nname = "{name}"\n{more}\n[lanes.camera]\nkind = "v4l2"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "agent.toml"
    path.write_text(text, encoding="utf-8")
    return path


def settings(folder: Path, text: str = GOOD, **environ: str) -> Settings:
    return load(written(folder, text), environ)


def problems(folder: Path, text: str, **environ: str) -> list[str]:
    path = written(folder, text)
    with pytest.raises(ConfigProblems) as raised:
        load(path, environ)
    return [problem.removeprefix(f"{path}: ") for problem in raised.value.problems]


def top(more: str) -> str:
    return 'device = "d"\n' + more + '\n[broker]\nhost = "h"\n' + LANE.format(name="a", more="")


def lane(more: str) -> str:
    return 'device = "d"\n[broker]\nhost = "h"\n' + LANE.format(name="a", more=more)


def camera(lines: str) -> str:
    return 'device = "d"\n[broker]\nhost = "h"\n[[lanes]]\nname = "a"\n[lanes.camera]\n' + lines


def section(lines: str) -> str:
    return lane("") + lines


TABLE = [
    ("an unknown key", section("[broker2]\n"), "broker2: there is no such key; did you mean `broker`?"),
    (
        "a misspelt key",
        'device = "d"\n[broker]\nhost = "h"\nprot = 1\n' + LANE.format(name="a", more=""),
        "broker.prot: there is no such key; did you mean `port`?",
    ),
    (
        "a key of another unit",
        camera('kind = "v4l2"\nstall_timeout_ms = 5000\n'),
        "lanes[0].camera.stall_timeout_ms: there is no such key; did you mean `stall_timeout_s`?",
    ),
    (
        "a number with its unit",
        camera('kind = "v4l2"\nstall_timeout_s = "5 s"\n'),
        "lanes[0].camera.stall_timeout_s: '5 s' cannot be used; a number of seconds would be right",
    ),
    (
        "a truth that is none",
        section('[clock]\nassume_synced = "perhaps"\n'),
        "clock.assume_synced: 'perhaps' cannot be used; true or false would be right",
    ),
    (
        "one lane in single brackets",
        'device = "d"\n[broker]\nhost = "h"\n[lanes]\nname = "a"\n',
        "lanes: a table cannot be used; a list, [ ] or [[lanes]] above each table, would be right",
    ),
    (
        "a path that is a number",
        section("[outbox]\nfile = 5\n"),
        "outbox.file: 5 cannot be used; a text in quotes would be right",
    ),
    (
        "a confidence above 1",
        section("[models]\nplate_confidence = 1.5\n"),
        "models.plate_confidence: 1.5 cannot be used; it should be less than or equal to 1",
    ),
    (
        "a size that no model has",
        section("[models]\nplate_size = 400\n"),
        "models.plate_size: 400 cannot be used; it should be a multiple of 32",
    ),
    (
        "thresholds the wrong way round",
        section("[passes]\nleast_minimum = 0.8\nsettled_minimum = 0.5\n"),
        "passes: least_minimum (0.8) is above settled_minimum (0.5); lower the first or raise the other",
    ),
    (
        "a polygon of two points",
        lane("polygon = [[0.1, 0.1], [0.9, 0.9]]"),
        "lanes[0]: polygon has 2 different corners; at least 3 enclose a lane",
    ),
    (
        "a polygon in pixels where fractions belong",
        lane("polygon = [[10, 0.1], [0.9, 0.9], [0.2, 0.9]]"),
        "lanes[0].polygon[0][0]: 10 cannot be used; it should be less than or equal to 1",
    ),
    (
        "pixels without the picture's size",
        lane("polygon_px = [[10, 10], [90, 10], [50, 90]]"),
        "lanes[0]: polygon_px and picture_px belong together; give both or neither",
    ),
    (
        "pixels beyond the picture",
        lane("polygon_px = [[10, 10], [90, 10], [50, 90]]\npicture_px = [80, 60]"),
        "lanes[0]: polygon_px reaches beyond picture_px (80x60); measure both in one picture",
    ),
    (
        "two lanes of one name",
        lane("") + LANE.format(name="a", more=""),
        "lanes: two lanes are called a; give each lane a name of its own",
    ),
    (
        "no lane",
        'device = "d"\nlanes = []\n[broker]\nhost = "h"\n',
        "lanes: there is no lane; add a table [[lanes]] for each camera",
    ),
    (
        "a kind of camera that does not exist",
        camera('kind = "rtps"\n'),
        "lanes[0].camera: kind is 'rtps'; one of 'rtsp', 'file', 'folder', 'v4l2', 'gstreamer' would be right",
    ),
    ("no kind", camera('url = "rtsp://h/"\n'), "lanes[0].camera: kind is missing; set it"),
    ("no url", camera('kind = "rtsp"\n'), "lanes[0].camera.url: missing; this key has to be set"),
    (
        "an address that is none",
        camera('kind = "rtsp"\nurl = "user:secret@10.0.0.9"\n'),
        "lanes[0].camera.url: an address such as rtsp://10.0.0.9:554/live would be right",
    ),
    (
        "a pipeline without a sink",
        camera('kind = "gstreamer"\npipeline = "videotestsrc"\n'),
        "lanes[0].camera.pipeline: a pipeline that ends in `… ! video/x-raw,format=BGR ! appsink drop=true` ",
    ),
    (
        "an id that could steer a topic",
        lane("").replace('device = "d"', 'device = "d/+"'),
        "device: 'd/+' cannot be used; letters, digits and . _ - (at most 64, no space) would be right",
    ),
    (
        "a format that nobody knows",
        lane('format = "atlantis"'),
        "lanes[0].format: 'atlantis' is not known; one of ",
    ),
    (
        "a pattern that is none",
        section('[formats]\nmine = ["AA-999"]\n'),
        "formats: mine: 'AA-999' is no pattern; ",
    ),
    (
        "a password in the file",
        'device = "d"\n[broker]\nhost = "h"\nusername = "u"\npassword = "hunter2"\n' + LANE.format(name="a", more=""),
        "broker.password: stands in the file; name a file by broker.password_file or set PLATEFLEET_BROKER__PASSWORD",
    ),
    (
        "half a certificate",
        section("[broker.tls]\nca_file = 'agent.toml'\ncert_file = 'agent.toml'\n"),
        "broker.tls: cert_file and key_file belong together; give both or neither",
    ),
    (
        "crops that fit in no record",
        section("[crops]\nplate_bytes = 98304\nvehicle_bytes = 98304\n"),
        "crops: plate_bytes and vehicle_bytes together are above 122880; a record holds no more",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_wrong_setting_is_told_with_its_key_and_what_would_be_right(tmp_path: Path, text: str, sentence: str) -> None:
    (only,) = problems(tmp_path, text)
    assert only == sentence or (sentence.endswith(" ") and only.startswith(sentence))


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = lane("").replace('host = "h"', "port = 0") + "[models]\nvehicle = 'no.onnx'\n[health]\ninterval_s = 0.0\n"
    assert problems(tmp_path, text, PLATEFLEET_LANES__7__NAME="x") == [
        "PLATEFLEET_LANES__7__NAME: names no place in the settings; lists have places 0, 1, …, without a gap",
        "broker.host: missing; this key has to be set",
        "broker.port: 0 cannot be used; it should be greater than or equal to 1",
        f"models.vehicle: 'no.onnx' cannot be used: there is no such file ({tmp_path / 'no.onnx'}); check the path",
        "health.interval_s: 0.0 cannot be used; it should be greater than or equal to 1",
    ]


def test_toml_that_is_none_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no TOML in UTF-8 \(.*line 3"):
        load(written(tmp_path, 'device = "d"\n[broker]\nhost = \n'), {})


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(ConfigError, match=r"/nowhere.toml: cannot be read \(No such file"):
        load(Path("/nowhere.toml"), {})


def test_the_environment_counts_more_than_the_file(tmp_path: Path) -> None:
    read = settings(
        tmp_path,
        PLATEFLEET_DEVICE="gate-south",
        PLATEFLEET_BROKER__PORT="8883",
        PLATEFLEET_LANES__0__FORMAT="eu",
        PLATEFLEET_LANES__0__POLYGON="[[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]",
        PLATEFLEET_CLOCK__ASSUME_SYNCED="true",
        PLATEFLEET_CACHE="/elsewhere",
        HOME="/root",
    )
    assert (read.device, read.broker.port, read.lanes[0].format) == ("gate-south", 8883, "eu")
    assert read.lanes[0].corners() == ((0.1, 0.1), (0.9, 0.1), (0.5, 0.9))
    assert read.clock.assume_synced


def test_a_variable_with_one_underscore_too_few_is_told(tmp_path: Path) -> None:
    assert problems(tmp_path, GOOD, PLATEFLEET_BROKER_PORT="1") == [
        "PLATEFLEET_BROKER_PORT: names no setting; between table and key stand two underscores"
    ]


def test_a_lane_can_come_from_the_environment_alone(tmp_path: Path) -> None:
    variables = {
        "PLATEFLEET_LANES__1__NAME": "exit",
        "PLATEFLEET_LANES__1__CAMERA__KIND": "v4l2",
        "PLATEFLEET_LANES__1__CAMERA__DEVICE": "/dev/video7",
    }
    assert [lane.name for lane in settings(tmp_path, **variables).lanes] == ["entry", "exit"]


def test_passwords_come_from_a_file_or_the_environment_and_are_never_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    by_file = settings(tmp_path, PLATEFLEET_BROKER__USERNAME="u", PLATEFLEET_BROKER__PASSWORD_FILE="secret")
    by_variable = settings(tmp_path, PLATEFLEET_BROKER__USERNAME="u", PLATEFLEET_BROKER__PASSWORD="98321")
    assert password_of(by_file) == "hunter2"
    assert password_of(by_variable) == "98321"
    assert "98321" not in repr(by_variable)
    assert "98321" not in by_variable.model_dump_json()


def test_no_problem_shows_a_secret(tmp_path: Path) -> None:
    text = camera('kind = "rtsp"\nurl = "rtsp//u:hunter2@10.0.0.9"\npassword = 5\n')
    assert not any("hunter2" in problem for problem in problems(tmp_path, text))
    assert not any("987" in problem for problem in problems(tmp_path, GOOD, PLATEFLEET_BROKER__PASSWORD="987"))


def test_a_cameras_password_is_read_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("old")
    read = settings(tmp_path, PLATEFLEET_LANES__0__CAMERA__PASSWORD_FILE="secret")
    (tmp_path / "secret").write_text("new\n")
    shown = read.lanes[0].camera
    assert isinstance(shown, RtspCamera)
    assert shown.options() == {
        "kind": "rtsp",
        "url": "rtsp://10.0.0.9/live",
        "username": None,
        "password": "new",
    }


def test_relative_paths_are_taken_from_the_files_folder(tmp_path: Path) -> None:
    read = settings(tmp_path, camera('kind = "file"\npath = "clips/a.mp4"\n'))
    assert read.lanes[0].camera.options()["path"] == str(tmp_path / "clips" / "a.mp4")


def test_a_polygon_in_pixels_becomes_fractions(tmp_path: Path) -> None:
    read = settings(tmp_path, lane("polygon_px = [[0, 0], [320, 0], [160, 120]]\npicture_px = [640, 480]"))
    assert read.lanes[0].corners() == ((0.0, 0.0), (0.5, 0.0), (0.25, 0.25))
