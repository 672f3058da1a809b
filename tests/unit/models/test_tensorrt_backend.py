"""What an engine is refused for before TensorRT is loaded; what runs one is tested in `tests/gpu`."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from platefleet.models.backends import open_detector
from platefleet.models.errors import MissingExtra, PlanMismatch, WeightsError


@pytest.mark.parametrize("suffix", [".engine", ".plan"])
def test_an_engine_without_its_digest_is_not_opened(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"ftrt" + bytes(60))
    with pytest.raises(WeightsError, match="pin its SHA-256"):
        open_detector(path, 416, 0.25, 0.7, names=("plate",))


def test_an_engine_of_another_digest_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "model.engine"
    path.write_bytes(b"ftrt" + bytes(60))
    with pytest.raises(WeightsError, match="not the pinned"):
        open_detector(path, 416, 0.25, 0.7, names=("plate",), sha256="0" * 64)


@pytest.mark.parametrize("data", [b"", b"ftrt", b"\x7fELF" + bytes(60), b'\x08\0\0\0{"a": 1', b'\x08\0\0\0{"a": 1}'])
def test_what_is_no_plan_is_refused_by_its_header(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.engine"
    path.write_bytes(data)
    with pytest.raises(PlanMismatch):
        open_detector(path, 416, 0.25, 0.7, names=("plate",), sha256=hashlib.sha256(data).hexdigest())


def test_without_tensorrt_it_is_one_sentence_with_its_install_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    path = tmp_path / "model.engine"
    data = b"ftrt" + bytes(20) + bytes([8, 6, 0, 0]) + bytes(60)
    path.write_bytes(data)
    with pytest.raises(MissingExtra, match=r'pip install "platefleet\[tensorrt\]"'):
        open_detector(path, 416, 0.25, 0.7, names=("plate",), sha256=hashlib.sha256(data).hexdigest())
