"""Say, before the tests begin, what this machine lacks and which tests are skipped for it."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path


def missing() -> list[str]:
    """Return a line for each thing that is not here, with what is skipped without it."""
    lines = []
    if broker() is None:
        lines.append(
            "mosquitto is not installed: tests marked `broker` are skipped (Debian: apt-get install mosquitto)"
        )
    if shutil.which("node") is None:
        lines.append("node is not installed: the JavaScript example of the README is not run")
    if shutil.which("g++") is None:
        lines.append(
            "g++ is not installed: the arithmetic of the GPU's kernels is not tested (Debian: apt-get install g++)"
        )
    if importlib.util.find_spec("ultralytics") is None:
        lines.append(
            'ultralytics is not installed: tests marked `reference` are skipped (pip install "platefleet[torch]")'
        )
    if not os.environ.get("PLATEFLEET_PHOTOS"):
        lines.append(
            "PLATEFLEET_PHOTOS names no folder of labelled photos: reading is measured on the barrier photos only"
        )
    if not Path("/dev/nvidiactl").exists():
        lines.append("no CUDA machine: tests marked `gpu` are skipped")
    return lines


def broker() -> str | None:
    """Return the path of Mosquitto, which Debian puts beside root's programs, or None."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


if __name__ == "__main__":
    for line in missing():
        print(f"- {line}")
