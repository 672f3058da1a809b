"""No extra is needed to import a module, and a missing one is a sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("onnx", "onnxruntime", "torch", "torchvision", "ultralytics", "tensorrt", "pycuda")


def run(program: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_no_module_of_models_imports_a_heavy_library() -> None:
    program = (
        "import importlib, pkgutil, sys, platefleet.models as package\n"
        "for module in pkgutil.walk_packages(package.__path__, 'platefleet.models.'):\n"
        "    importlib.import_module(module.name)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert run(program) == "[]"


@pytest.mark.parametrize(
    ("absent", "suffix", "sentence"),
    [
        ("onnxruntime", ".onnx", 'ONNX Runtime is not installed: pip install "platefleet[onnx]"'),
        ("ultralytics", ".pt", 'ultralytics is not installed: pip install "platefleet[torch]"'),
    ],
)
def test_a_missing_extra_is_one_sentence_with_its_install_line(
    absent: str, suffix: str, sentence: str, tmp_path: Path
) -> None:
    weights = tmp_path / f"model{suffix}"
    weights.write_bytes(b"anything")
    program = (
        "import hashlib, sys\nfrom pathlib import Path\n"
        "from platefleet.models.backends import open_detector\n"
        "from platefleet.models.errors import MissingExtra\n"
        "sys.modules[sys.argv[1]] = None\n"
        "path = Path(sys.argv[2])\n"
        "try:\n    open_detector(path, 416, 0.25, 0.45, sha256=hashlib.sha256(path.read_bytes()).hexdigest())\n"
        "except MissingExtra as error:\n    print(error)"
    )
    assert run(program, absent, str(weights)) == sentence


def test_a_missing_onnx_is_one_sentence_when_a_checkpoint_is_to_be_written(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from platefleet.models.errors import MissingExtra\nfrom platefleet.models.graft import graft\n"
        "sys.modules['onnx'] = None\n"
        "try:\n    graft(None, Path(sys.argv[1]))\nexcept MissingExtra as error:\n    print(error)"
    )
    assert run(program, str(tmp_path)) == 'onnx is not installed: pip install "platefleet[onnx]"'
