"""What is handed in wrongly, or fails on the way: one sentence each, and what is active stays as it is."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
import onnx
import psutil
import pytest
from onnx import TensorProto, helper

from platefleet.models.artifacts.passport import Passport
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.errors import ArtifactError
from tests.painted_lane import painted
from tests.painted_models import SIZE, as_artifact, painted_model
from tests.switched_agent import a_store
from tests.unit.models.commands.test_commands import run, told
from tests.until import until

BUILD = ("build", "--role", "plate", "--size", str(SIZE), "--batch", "1")


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """A store in which an artifact is active."""
    return a_store(tmp_path)[0]


def refused(store: ArtifactStore, *arguments: str) -> str:
    """Run a command that must come to nothing: one sentence, the choice and every artifact as before."""
    kept = {path: path.read_bytes() for path in store.root.rglob("*.json")}
    status, out, said = run(store, *arguments)
    assert (status, out) == (1, ""), said
    assert "\n" not in said
    assert {path: path.read_bytes() for path in store.root.rglob("*.json")} == kept
    assert [each for role in ("plate",) for each in (store.root / role / "tmp").glob("*")] == []
    assert run(store, "verify")[0] == 0
    return said


def changed(path: Path, **sides: int) -> Path:
    """Write the painted model with another opset, or with its output turned or cut to boxes that are final."""
    model = onnx.load(painted_model(path, 2, "license_plate"))
    if "opset" in sides:
        model.opset_import[0].version = sides["opset"]
    else:
        (output,) = model.graph.output
        model.graph.node.append(helper.make_node("Transpose", [output.name], ["turned"], perm=[0, 2, 1]))
        model.graph.output.remove(output)
        model.graph.output.append(helper.make_tensor_value_info("turned", TensorProto.FLOAT, [1, 1, 5]))
    if "columns" in sides:
        model.graph.node.append(helper.make_node("Pad", ["turned", "more"], ["final"]))
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.int64([0, 0, 0, 0, 0, 1]), "more"))
        model.graph.output.pop()
        model.graph.output.append(helper.make_tensor_value_info("final", TensorProto.FLOAT, [1, 1, sides["columns"]]))
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("sides", "sentence"),
    [
        ({"opset": 99}, "of ONNX opset 99, which ONNX Runtime "),
        ({}, "puts out 1 rows, not a box and 1 classes; export it as YOLOv8 has it"),
        ({"columns": 6}, "not a YOLOv8 or YOLO11 detector without built-in suppression; export it so"),
    ],
)
def test_an_onnx_of_another_opset_or_output_layout_is_told_when_it_is_built(
    store: ArtifactStore, tmp_path: Path, sides: dict[str, int], sentence: str
) -> None:
    told(store, "add", str(changed(tmp_path / "other.onnx", **sides)), "--role", "plate")
    assert sentence in refused(store, *BUILD)


def test_a_file_that_is_no_onnx_or_not_all_of_one_does_not_enter(store: ArtifactStore, tmp_path: Path) -> None:
    for content in (b"hello\n", b""):
        (tmp_path / "text.onnx").write_bytes(content)
        assert "text.onnx: is no ONNX model" in refused(store, "add", str(tmp_path / "text.onnx"), "--role", "plate")
    model = onnx.load(painted_model(tmp_path / "own.onnx", 2, "license_plate"))
    onnx.save(model, tmp_path / "parted.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    said = refused(store, "add", str(tmp_path / "parted.onnx"), "--role", "plate")
    assert "some of its weights lie in another file; export it into one" in said
    assert store.sources("plate") == ()


def test_a_text_that_is_called_pt_does_not_enter_nor_an_onnx_under_that_name(
    store: ArtifactStore, tmp_path: Path
) -> None:
    onnx_file = painted_model(tmp_path / "own.onnx", 2, "license_plate")
    for content in (b"no checkpoint", onnx_file.read_bytes()):
        (tmp_path / "plates.pt").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        said = refused(store, "add", str(tmp_path / "plates.pt"), "--role", "plate", "--sha256", digest)
        assert "plates.pt: is no checkpoint of PyTorch" in said


def test_one_source_is_not_kept_twice(store: ArtifactStore, tmp_path: Path) -> None:
    path = painted_model(tmp_path / "own.onnx", 2, "license_plate")
    told(store, "add", str(path), "--role", "plate")
    twin = path.rename(tmp_path / "own.pt")
    digest = hashlib.sha256(twin.read_bytes()).hexdigest()
    with pytest.raises(ArtifactError, match="is a source already, under another suffix"):
        store.add_source("plate", twin, sha256=digest)
    assert len(store.sources("plate")) == 1


def test_a_folder_is_no_file_of_weights(store: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()
    said = refused(store, "add", str(tmp_path / "folder.onnx"), "--role", "plate")
    assert "folder.onnx: is no file; check the path" in said


WITHOUT_ROOTS_RIGHTS = ("setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search")


def test_a_store_that_may_not_be_read_is_told(store: ArtifactStore) -> None:
    (store.root / "plate").chmod(0)
    prefix = WITHOUT_ROOTS_RIGHTS if os.geteuid() == 0 else ()  # root may read everything
    program = (sys.executable, "-m", "platefleet.deploy.cli", "models")
    try:
        for command in ("list", "verify"):
            asked = [*prefix, *program, command, "--store", str(store.root)]
            done = subprocess.run(asked, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stdout) == (1, ""), done.stderr
            assert "check the disk and its permissions" in done.stderr
            assert done.stderr.count("\n") == 1
    finally:
        (store.root / "plate").chmod(0o755)


def test_a_source_is_not_taken_for_an_artifact(store: ArtifactStore, tmp_path: Path) -> None:
    path = painted_model(tmp_path / "own.onnx", 2, "license_plate")
    digest = told(store, "add", str(path), "--role", "plate")["source"]
    remedy = f"what runs is built from one: `platefleet models build --role plate --source {digest[:8]}`"
    for command in ("show", "activate"):
        assert f"is a source of plate, and {remedy}" in refused(store, command, digest[:12])


def test_a_checkpoint_of_another_digest_does_not_enter(store: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "plates.pt").write_bytes(b"other weights")
    said = refused(store, "add", str(tmp_path / "plates.pt"), "--role", "plate", "--sha256", "ab" * 32)
    assert "its SHA-256 is " in said
    assert said.endswith("fetch it again")
    assert store.sources("plate") == ()


@pytest.mark.reference
def test_a_pt_that_is_no_checkpoint_is_told_when_it_is_built(store: ArtifactStore, tmp_path: Path) -> None:
    content = b"PK\x03\x04 and no checkpoint"
    (tmp_path / "plates.pt").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    told(store, "add", str(tmp_path / "plates.pt"), "--role", "plate", "--sha256", digest)
    said = refused(store, *BUILD)
    assert "ultralytics cannot export it" in said
    assert said.endswith("is it a detector?")


def a_picture(folder: Path, label: str | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / "a.png"), painted(90))
    if label is not None:
        (folder / "a.txt").write_text(label)
    return folder


def test_without_a_single_calibration_photo_int8_is_not_built(store: ArtifactStore, tmp_path: Path) -> None:
    told(store, "add", str(painted_model(tmp_path / "own.onnx", 2, "license_plate")), "--role", "plate")
    (tmp_path / "none").mkdir()
    said = refused(store, *BUILD, "--precision", "int8", "--calibration", str(tmp_path / "none"))
    assert said.endswith("none: holds no pictures; evaluation and calibration need some")
    assert "needs frames to calibrate on" in refused(store, *BUILD, "--precision", "int8")


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        ("7 0.5 0.5 0.2 0.2", "its labels name no plate that the model knows (license_plate)"),
        ("0 0.5 0.5 20 20", "a.txt, line 1: no label; `class cx cy w h` in shares of the picture would be right"),
        ("plate 0.5 0.5 0.2 0.2", "a.txt, line 1: no label"),
        ("", "labels that name nothing at all; do they belong to these pictures?"),
    ],
)
def test_labels_that_do_not_match_judge_nothing(
    store: ArtifactStore, tmp_path: Path, label: str, sentence: str
) -> None:
    told(store, "add", str(painted_model(tmp_path / "own.onnx", 2, "license_plate")), "--role", "plate")
    built = told(store, *BUILD)
    frames = a_picture(tmp_path / "frames", label)
    store.update("plate", built["key"], lambda each: each.model_copy(update={"opening": None}))
    assert sentence in refused_but_for_the_note(store, built["key"], frames)


def refused_but_for_the_note(store: ArtifactStore, key: str, frames: Path) -> str:
    """As `refused`; what opening it took is noted in its passport, whatever comes of the evaluation."""
    before, active = store.passport("plate", key), store.active("plate")
    status, out, said = run(store, "evaluate", key, "--frames", str(frames))
    assert (status, out, "\n" in said) == (1, "", False)
    assert store.passport("plate", key).model_copy(update={"opening": None}) == before
    assert store.active("plate") == active
    return said


def children() -> list[psutil.Process]:
    """The processes that builds and warm runs were started in."""
    found = []
    for each in psutil.Process().children():
        with suppress(psutil.Error):  # it ended in between
            if "spawn_main" in " ".join(each.cmdline()):
                found.append(each)
    return found


@contextmanager
def to_the_child(number: int) -> Iterator[None]:
    """Send a signal to the process that is started inside, as soon as there is one."""
    sender = threading.Thread(target=lambda: until(children, 60.0)[0].send_signal(number))
    sender.start()
    yield
    sender.join()


def test_a_build_whose_child_is_killed_is_put_off(store: ArtifactStore, tmp_path: Path) -> None:
    told(store, "add", str(painted_model(tmp_path / "own.onnx", 2, "license_plate")), "--role", "plate")
    with to_the_child(signal.SIGKILL):
        said = refused(store, *BUILD)
    assert said.startswith("plate/onnx/fp32: was killed, most likely for want of memory")
    assert told(store, *BUILD)["verdict"]["judged"] == "baseline"  # the next one goes through


def test_a_build_whose_child_hangs_ends_at_its_deadline(store: ArtifactStore, tmp_path: Path) -> None:
    told(store, "add", str(painted_model(tmp_path / "own.onnx", 2, "license_plate")), "--role", "plate")
    with to_the_child(signal.SIGSTOP):
        said = refused(store, *BUILD, "--deadline-s", "2")
    assert said == "plate/onnx/fp32: was not done within 2 s; give it more time"
    assert children() == []


def a_second(store: ArtifactStore, folder: Path) -> Passport:
    return as_artifact(store, "plate", painted_model(folder / "second.onnx", 2, "license_plate", confidence=0.8))


def test_an_artifact_whose_run_in_a_child_is_killed_is_not_activated(store: ArtifactStore, tmp_path: Path) -> None:
    second = a_second(store, tmp_path)
    with to_the_child(signal.SIGKILL):
        said = refused(store, "activate", second.key)
    assert said.startswith(f"{second.title}: was killed, most likely for want of memory")
    assert said.endswith("and was not loaded")
    assert told(store, "activate", second.key)["confirmed"] is False
