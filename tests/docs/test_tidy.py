"""How the source must read, held mechanically."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("protocol", "models", "agent", "fleet", "deploy")
SOURCES = sorted(path for part in PARTS for path in (ROOT / part).rglob("*.py"))
PURE = re.compile(
    r"(decide|match|coverage|next|age|vote|track|verdict|geometry|ctc|nms|decode|letterbox|formats|frame)\.py$"
)
"""Files of decisions: they may not know a clock, a thread or a socket."""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_one_subject_and_at_most_300_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300
    assert path.stem not in {"utils", "util", "helpers", "misc", "common"}


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if PURE.search(p.name)], ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_decision_knows_no_clock_no_thread_and_no_socket(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in (node.names if isinstance(node, ast.Import) else [ast.alias(node.module or "")])
    }
    assert not imported & {"time", "datetime", "threading", "socket", "random", "os", "subprocess", "queue"}


def test_nothing_is_swallowed() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                bare = node.type is None
                silent = len(node.body) == 1 and isinstance(node.body[0], ast.Pass)
                broad = isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}
                assert not bare, f"{path}:{node.lineno}"
                assert not (silent and broad), f"{path}:{node.lineno}"


def test_nothing_tracked_is_large_a_model_or_a_video() -> None:
    tracked = (
        subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    )
    for name in filter(None, tracked):
        path = ROOT / name
        assert path.suffix not in {".pt", ".onnx", ".engine", ".plan", ".mp4", ".avi", ".whl"}, name
        if path.is_file():
            assert path.stat().st_size <= 1 << 20, name
