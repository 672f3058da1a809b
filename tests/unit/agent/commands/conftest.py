"""A device that is being commanded, stopped after each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commanded import Commanded


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Commanded]:
    device = Commanded(tmp_path).start()
    yield device
    device.stop()
