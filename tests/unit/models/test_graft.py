from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from platefleet.models.backends.onnx import open_session
from platefleet.models.checkpoint import Checkpoint, read_checkpoint
from platefleet.models.detections import Region
from platefleet.models.errors import WeightsError
from platefleet.models.graft import graft
from platefleet.models.letterbox import letterbox

MOST_PIXELS = 1e-3
MOST_CONFIDENCE = 1e-5
"""Float32 networks of 8 GFLOP computed in another order; measured 2.5e-4 pixels and 5e-7."""


def run(session: Any, blob: np.ndarray) -> np.ndarray:
    output: np.ndarray = session.run(None, {"images": blob})[0]
    return output


@pytest.mark.materials
@pytest.mark.reference
def test_the_written_model_equals_ultralytics_forward_pass_of_the_checkpoint(
    plate_checkpoint: Path, plate_weights: Path, barrier_photos: tuple[Path, ...]
) -> None:
    torch = pytest.importorskip("torch")
    network = pytest.importorskip("ultralytics.models").YOLO(str(plate_checkpoint)).model.float().eval().fuse()
    session = open_session(plate_weights)
    loaded = cv2.imread(str(barrier_photos[0]))
    assert loaded is not None
    photo = loaded.astype(np.uint8, copy=False)
    random = np.random.default_rng(7)
    blobs = [
        letterbox(photo, [Region.whole(photo)], 640),
        letterbox(photo, [Region.whole(photo), Region(100, 90, 300, 200), Region(0, 0, 7, 280)], 416),
        random.random((2, 3, 320, 640), dtype=np.float32),
        random.random((1, 3, 32, 32), dtype=np.float32),
        np.zeros((1, 3, 96, 64), np.float32),
    ]
    worst = np.zeros(2)
    for blob in blobs:
        with torch.inference_mode():
            theirs = network(torch.from_numpy(blob.copy()))[0].numpy()
        difference = np.abs(run(session, blob) - theirs)
        worst = np.maximum(worst, [difference[:, :4].max(), difference[:, 4:].max()])
    print("largest difference, pixels and confidence:", worst.tolist())
    assert worst[0] < MOST_PIXELS
    assert worst[1] < MOST_CONFIDENCE


@pytest.mark.materials
def test_the_familys_own_weights_give_its_own_outputs_for_any_batch(vehicle_weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "free.onnx"
    path.write_bytes(graft(None, vehicle_weights))
    fixed, free = open_session(vehicle_weights), open_session(path)
    blob = np.random.default_rng(3).random((2, 3, 640, 640), dtype=np.float32)
    both = run(free, blob)
    for index in range(2):
        np.testing.assert_allclose(both[index : index + 1], run(fixed, blob[index : index + 1]), atol=1e-3)
    assert run(free, blob[:, :, :416, :416]).shape == (2, 84, 3549)


@pytest.mark.materials
def test_a_checkpoint_of_another_family_is_refused(plate_checkpoint: Path, vehicle_weights: Path) -> None:
    network = read_checkpoint(plate_checkpoint)
    fewer = Checkpoint({path: held for path, held in network.modules.items() if path != "model.4.cv1.conv"}, ("a",))
    with pytest.raises(WeightsError, match="another family"):
        graft(fewer, vehicle_weights)


@pytest.mark.materials
def test_what_is_no_model_of_the_family_is_refused(
    plate_checkpoint: Path, reader_weights: Path, tmp_path: Path
) -> None:
    network = read_checkpoint(plate_checkpoint)
    with pytest.raises(WeightsError, match="not YOLOv8"):
        graft(network, reader_weights)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\xff" * 100)
    with pytest.raises(WeightsError, match="not an ONNX model"):
        graft(network, broken)
    with pytest.raises(WeightsError, match="not an ONNX model"):
        graft(network, tmp_path / "none.onnx")
