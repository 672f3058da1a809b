"""The vehicle model's checkpoint, made from its ONNX, says what the ONNX says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from platefleet.models.backends import open_detector
from platefleet.models.detections import Region

pytestmark = [pytest.mark.materials, pytest.mark.reference]


def test_the_checkpoint_finds_what_the_export_finds(
    vehicle_weights: Path, barrier_photos: tuple[Path, ...], tmp_path: Path
) -> None:
    pytest.importorskip("ultralytics")
    from tests.gpu.checkpoint_from_onnx import checkpoint  # noqa: PLC0415 - needs torch

    made = tmp_path / "vehicle.pt"
    checkpoint(vehicle_weights, made)
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    theirs = open_detector(vehicle_weights, 640, 0.1, 0.7)
    ours = open_detector(made, 640, 0.1, 0.7, sha256=digest)
    assert ours.classes == theirs.classes
    for photo in barrier_photos[:3]:
        frame = np.asarray(cv2.imread(str(photo)), np.uint8)
        a, b = (detector.detect(frame, [Region.whole(frame)])[0] for detector in (ours, theirs))
        assert len(a) == len(b) > 0
        np.testing.assert_allclose(a.boxes, b.boxes, atol=0.02)
        np.testing.assert_allclose(a.confidences, b.confidences, atol=1e-4)
        np.testing.assert_array_equal(a.classes, b.classes)
