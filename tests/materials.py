"""The pinned weights and barrier photos, fetched once into the user's cache (PLATEFLEET_CACHE names another).

Tests that use them carry the marker `materials`. They are skipped only where PLATEFLEET_OFFLINE forbids fetching what
the cache lacks: a network that fails, or another digest, fails the test.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from platefleet.models.errors import WeightsError
from platefleet.models.fetching import offline
from platefleet.models.weights import Materials
from platefleet.models.weights import materials as fetched


@pytest.fixture(scope="session")
def materials() -> Materials:
    """All of them."""
    try:
        return fetched(photos=True)
    except WeightsError as error:
        if offline():
            pytest.skip(str(error))
        raise


@pytest.fixture(scope="session")
def vehicle_weights(materials: Materials) -> Path:
    """YOLOv8n of COCO, ONNX, 640 pixels, batch 1."""
    return materials.vehicle


@pytest.fixture(scope="session")
def plate_weights(materials: Materials) -> Path:
    """YOLOv8n of plates, ONNX, any size and batch."""
    return materials.plate


@pytest.fixture(scope="session")
def plate_checkpoint(materials: Materials) -> Path:
    """The checkpoint that the plate weights come from, a `.pt`."""
    return materials.checkpoint


@pytest.fixture(scope="session")
def reader_weights(materials: Materials) -> Path:
    """PP-OCRv6 small, ONNX."""
    return materials.reader


@pytest.fixture(scope="session")
def barrier_photos(materials: Materials) -> tuple[Path, ...]:
    """18 PNG by name; the label of each, four corners, is in `materials.labels` at the same place."""
    return materials.photos
