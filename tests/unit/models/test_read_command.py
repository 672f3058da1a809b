"""`platefleet read`: what it says and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from platefleet.models.cli import app
from platefleet.models.weights import Materials
from platefleet.protocol.printable import printable


def read(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.stdout, done.stderr


def test_the_help_ends_with_an_example() -> None:
    assert "Example: platefleet read" in read("--help")[1]


def test_importing_the_command_line_is_cheap() -> None:
    program = (
        "import sys, platefleet.models.cli; print([n for n in ('cv2', 'numpy', 'onnxruntime') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_format_is_a_usage_error_that_names_the_known(tmp_path: Path) -> None:
    status, _, said = read(str(tmp_path), "--format", "mars")
    assert status == 2
    assert "mars" in said


def test_a_path_that_is_not_there_is_one_line_and_status_1(tmp_path: Path) -> None:
    status, out, said = read(str(tmp_path / "nowhere.jpg"))
    assert (status, out) == (1, "")
    assert said.count("\n") == 1
    assert "there is no such file or folder" in said


@pytest.mark.materials
def test_a_bad_file_is_one_line_and_the_others_are_still_read(materials: Materials, tmp_path: Path) -> None:
    bad = tmp_path / "bad\x1b[2J.jpg"
    bad.write_bytes(b"\xff\xd8\xff nonsense")
    status, out, said = read(str(bad), str(materials.photos[1]), str(materials.photos[1]), "--json")
    assert status == 1
    assert [plate["text"] for plate in json.loads(out)["plates"]] == ["51F86988"]
    assert said.count("\n") == 1
    assert "\x1b" not in said


@pytest.mark.materials
def test_without_json_there_is_a_table_with_the_plate_and_no_escapes_of_the_files(
    materials: Materials, tmp_path: Path
) -> None:
    odd = tmp_path / "[red]\x1b[2J.png"
    odd.write_bytes(materials.photos[1].read_bytes())
    status, out, _ = read(str(odd))
    assert status == 0
    assert "51F86988" in out
    assert "\x1b[2J" not in out
    assert "[red]" in out.replace("\n", "").replace(" ", "").replace("│", "") or "red" in out


@pytest.mark.materials
def test_annotated_pictures_of_one_name_do_not_replace_each_other(materials: Materials, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "car.png").write_bytes(materials.photos[1].read_bytes())
    status, _, _ = read(str(tmp_path / "a"), str(tmp_path / "b"), "--json", "--annotate", str(tmp_path / "seen"))
    assert status == 0
    assert sorted(path.name for path in (tmp_path / "seen").iterdir()) == ["car.jpg", "car~2.jpg"]


@pytest.fixture
def without_models(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: object) -> None:
        raise AssertionError("models are opened although nothing can come of it")

    monkeypatch.setattr("platefleet.models.cli._open", opened)


@pytest.mark.usefixtures("without_models")
@pytest.mark.parametrize("folder", ["file", "file/seen"])
def test_a_folder_that_cannot_be_written_is_one_line_before_anything_is_read(folder: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "car.jpg").touch()
    status, out, said = read(str(tmp_path / "car.jpg"), "--annotate", str(tmp_path / folder))
    assert (status, out) == (1, "")
    assert said.count("\n") == 1
    assert f"{folder}: cannot be written" in said


@pytest.mark.usefixtures("without_models")
def test_pictures_are_never_drawn_over_those_that_are_read(tmp_path: Path) -> None:
    (tmp_path / "car.jpg").write_bytes(b"the only copy")
    (tmp_path / "link").symlink_to(tmp_path)
    for folder in (tmp_path, tmp_path / "link"):
        status, _, said = read(str(tmp_path / "car.jpg"), "--annotate", str(folder))
        assert (status, said.count("\n")) == (1, 1)
        assert "holds car.jpg, which is to be read; name another folder" in said
    assert (tmp_path / "car.jpg").read_bytes() == b"the only copy"


@pytest.mark.materials
def test_a_link_in_the_annotated_folder_is_replaced_and_what_it_names_stays(
    materials: Materials, tmp_path: Path
) -> None:
    (tmp_path / "precious").write_bytes(b"the only copy")
    (tmp_path / "seen").mkdir()
    (tmp_path / "seen" / f"{materials.photos[1].stem}.jpg").symlink_to(tmp_path / "precious")
    assert read(str(materials.photos[1]), "--json", "--annotate", str(tmp_path / "seen"))[0] == 0
    assert (tmp_path / "precious").read_bytes() == b"the only copy"
    assert (tmp_path / "seen" / f"{materials.photos[1].stem}.jpg").read_bytes().startswith(b"\xff\xd8")


def test_what_could_steer_a_terminal_is_shown_as_its_escape() -> None:
    assert printable("a\x07\x9b\u202eb\udce4") == "a\\x07\\x9b\\u202eb\\udce4"


@pytest.mark.materials
def test_what_native_decoders_say_never_stands_beside_the_commands_own_line(
    materials: Materials, tmp_path: Path
) -> None:
    whole = materials.photos[1].read_bytes()
    garbled = tmp_path / "garbled.png"  # libpng has words for it
    garbled.write_bytes(whole[: len(whole) // 2] + bytes(200) + whole[len(whole) // 2 + 200 :])
    video = tmp_path / "video.mp4"  # FFmpeg too
    video.write_bytes(b"hello world" * 100)
    command = [sys.executable, "-m", "platefleet.deploy.cli", "read", "--json"]
    done = subprocess.run(
        [*command, str(garbled), str(video), str(materials.photos[1])], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1
    assert [line.split(": ")[:2] for line in done.stderr.splitlines()] == [
        ["platefleet", str(garbled)],
        ["platefleet", str(video)],
    ]
