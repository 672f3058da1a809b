"""What is asked of the builder, and what is refused before TensorRT is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from platefleet.models.acceptance.dataset import load_dataset
from platefleet.models.artifacts.passport import Recipe
from platefleet.models.build.engine import TACTIC_SOURCES, build_engine, options_of, squares
from platefleet.models.build.network import EngineOptions
from platefleet.models.errors import BuildError
from platefleet.models.tensorrt_release import check_release
from platefleet.protocol.errors import ModelError


def a_recipe(**changes: object) -> Recipe:
    return Recipe.model_validate(
        {"role": "plate", "source": "0" * 64, "format": "tensorrt", "precision": "fp16", "size": 416, **changes}
    )


def test_a_fixed_batch_is_least_usual_and_most_at_once() -> None:
    assert options_of(a_recipe(batch=4)).batches == (4, 4, 4)
    assert options_of(a_recipe(batch=None)).batches == (1, 3, 8)


def test_fp32_rounds_to_tf32_only_when_asked() -> None:
    assert not options_of(a_recipe(precision="fp32")).tf32
    assert options_of(a_recipe(precision="fp32", tf32=True)).tf32


def test_tactic_sources_come_from_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TACTIC_SOURCES, raising=False)
    assert options_of(a_recipe()).tactic_sources is None
    monkeypatch.setenv(TACTIC_SOURCES, "EDGE_MASK_CONVOLUTIONS, JIT_CONVOLUTIONS")
    assert options_of(a_recipe()).tactic_sources == ("EDGE_MASK_CONVOLUTIONS", "JIT_CONVOLUTIONS")


@pytest.mark.parametrize("batches", [{"batch": 0}, {"batch": None, "usual": 9, "most": 8}, {"batch": None, "usual": 0}])
def test_batches_that_contradict_each_other_are_refused(batches: dict[str, int | None]) -> None:
    with pytest.raises(ValueError, match="batch"):
        EngineOptions("fp16", (3, 416, 416), **batches)  # type: ignore[arg-type]  # keywords of EngineOptions


@pytest.mark.parametrize("role", ["vehicle", "plate"])
def test_int8_without_frames_is_refused_and_nothing_is_made(role: str, tmp_path: Path) -> None:
    made = tmp_path / "made.engine"
    with pytest.raises(BuildError, match="needs frames to calibrate on"):
        build_engine(tmp_path / "none.onnx", made, a_recipe(role=role, precision="int8"))
    assert not made.exists()


def test_calibration_batches_are_full_and_letterboxed(tmp_path: Path) -> None:
    for number in range(7):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((30, 60, 3), 10 * number, np.uint8))
    batches = list(squares(load_dataset(tmp_path), 416, 3))
    assert [batch.shape for batch in batches] == [(3, 3, 416, 416)] * 2
    np.testing.assert_allclose(batches[1][2, :, 208, 208], 50 / 255, rtol=1e-6)


def test_fewer_frames_than_a_calibration_batch_are_repeated_to_fill_one(tmp_path: Path) -> None:
    for number in range(2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((416, 416, 3), 10 * number, np.uint8))
    (batch,) = squares(load_dataset(tmp_path), 416, 3)
    np.testing.assert_allclose(batch[:, 0, 208, 208], np.float32([0, 10, 0]) / 255, rtol=1e-6)


@pytest.mark.parametrize(
    ("version", "says"),
    [("11.0.0.1", "8.5 to 10"), ("12.1", "8.5 to 10"), ("8.4.3", "came with 8.5"), ("7.1.3", "8.5")],
)
def test_a_release_outside_8_5_to_10_is_refused(version: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        check_release(version)


@pytest.mark.parametrize("version", ["8.5.2.2", "8.6.0", "9.3.0", "10.3.0", "10.16.1.11"])
def test_releases_8_5_to_10_are_taken(version: str) -> None:
    check_release(version)
