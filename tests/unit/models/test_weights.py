from __future__ import annotations

import json
from pathlib import Path

import pytest

from platefleet.models import weights
from platefleet.models.weights import Materials, grafted

pytestmark = pytest.mark.materials


def test_the_materials_are_three_models_and_eighteen_photos_with_labels(materials: Materials) -> None:
    assert all(path.is_file() for path in (materials.vehicle, materials.plate, materials.reader, materials.checkpoint))
    assert len(materials.photos) == 18
    assert [photo.stem for photo in materials.photos] == [label.stem for label in materials.labels]


def test_photos_are_fetched_only_if_asked(materials: Materials) -> None:
    folder = materials.vehicle.parent.parent
    assert weights.materials(folder, photos=False).photos == ()


def test_a_derived_model_is_written_once_with_what_it_came_from(materials: Materials, tmp_path: Path) -> None:
    said: list[str] = []
    path = grafted(materials.checkpoint, materials.vehicle, tmp_path, said.append)
    first = path.stat().st_mtime_ns
    passport = json.loads(path.with_suffix(".json").read_text())
    assert set(passport["from"]) == {"checkpoint", "family", "graft"}
    assert grafted(materials.checkpoint, materials.vehicle, tmp_path, said.append) == path
    assert path.stat().st_mtime_ns == first
    assert said == ["writing plate.pt as ONNX"]


def test_a_derived_model_that_was_damaged_is_made_again(materials: Materials, tmp_path: Path) -> None:
    path = grafted(materials.checkpoint, materials.vehicle, tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    path.with_suffix(".json").write_text("not json")
    assert grafted(materials.checkpoint, materials.vehicle, tmp_path).read_bytes() == whole
