"""The 18 barrier photos with the pinned weights, and the command that reads them by hand."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from platefleet.models.bench import reading
from platefleet.models.boxes import iou
from platefleet.models.cli import app
from platefleet.models.weights import Materials
from tests.barrier_plates import PLATES

pytestmark = pytest.mark.materials

Lines = dict[str, dict[str, object]]


def truth(label: Path) -> NDArray[np.float32]:
    """The label's bounds in pixels: four corners as shares of 380x285."""
    corners = np.array(label.read_text().split()[1:], np.float32).reshape(4, 2) * np.float32([380, 285])
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])


@pytest.fixture(scope="module")
def lines(materials: Materials, tmp_path_factory: pytest.TempPathFactory) -> Lines:
    """What `platefleet read --json --annotate` says of each photo, by name."""
    folder = tmp_path_factory.mktemp("seen")
    done = CliRunner().invoke(app, [str(materials.photos[0].parent), "--json", "--annotate", str(folder)])
    assert done.exit_code == 0, done.output
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert {path.stem for path in folder.iterdir()} == set(PLATES)
    picture = cv2.imread(str(folder / "carlong_0008.jpg"))
    assert picture is not None
    assert picture.shape == (285, 380, 3)
    return {Path(line["file"]).stem: line for line in told}


def test_every_plate_is_located(lines: Lines, materials: Materials) -> None:
    overlaps = {}
    for label in materials.labels:
        plates = np.float32([plate["box"] for plate in lines[label.stem]["plates"]])  # type: ignore[attr-defined]
        overlaps[label.stem] = float(iou(plates.reshape(-1, 4), truth(label)[None]).max(initial=0))
    assert len(overlaps) == 18
    assert {name: overlap for name, overlap in overlaps.items() if overlap < 0.5} == {}


def test_every_plate_is_read(lines: Lines) -> None:
    texts = {name: [plate["text"] for plate in line["plates"]] for name, line in lines.items()}  # type: ignore[attr-defined]
    assert texts == {name: [text] for name, text in PLATES.items()}


def test_a_line_has_exactly_the_documented_keys(lines: Lines) -> None:
    for line in lines.values():
        assert list(line) == ["file", "frame", "vehicles", "plates", "ms"]
        for vehicle in line["vehicles"]:  # type: ignore[attr-defined]
            assert list(vehicle) == ["box", "class", "confidence"]
        for plate in line["plates"]:  # type: ignore[attr-defined]
            assert list(plate) == ["box", "confidence", "text", "text_confidence", "characters", "vehicle"]
            assert all(list(character) == ["text", "confidence"] for character in plate["characters"])
            assert plate["vehicle"] is None or plate["vehicle"] < len(line["vehicles"])  # type: ignore[arg-type]
        assert list(line["ms"]) == ["vehicle", "plate", "read", "total"]  # type: ignore[call-overload]


def test_the_bench_counts_labelled_photos(materials: Materials, tmp_path: Path) -> None:
    for photo, label in list(zip(materials.photos, materials.labels, strict=True))[:4]:
        x1, y1, x2, y2 = truth(label)
        (tmp_path / photo.name).write_bytes(photo.read_bytes())
        row = f"{photo.name}\t{x1:.0f}\t{y1:.0f}\t{x2 - x1:.0f}\t{y2 - y1:.0f}\t{PLATES[photo.stem]}\n"
        (tmp_path / f"{photo.stem}.txt").write_text(row)
    ours, *others = reading.rows(tmp_path)
    assert [ours[key] for key in ("photos", "located 0.3", "located 0.5", "read", "read with format")] == [4] * 5
    assert ours["ratio"] > 1
    assert ours["confusion"]["errors"] == []
    assert "SimpleLPR" in others[0]["system"]
