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
    if postgresql() is None:
        lines.append(
            "postgresql is not installed: tests of the store on it are skipped (Debian: apt-get install postgresql)"
        )
    if faketime() is None:
        lines.append(
            "libfaketime is not installed: rounds of faults step no wall clocks (Debian: apt-get install faketime)"
        )
    if shutil.which("node") is None:
        lines.append("node is not installed: the JavaScript example of the README is not run")
    if shutil.which("g++") is None:
        lines.append(
            "g++ is not installed: the arithmetic of the GPU's kernels is not tested (Debian: apt-get install g++)"
        )
    if shutil.which("systemd-analyze") is None:
        lines.append("systemd is not installed: its units are not verified (Debian: apt-get install systemd)")
    if nginx() is None:
        lines.append(
            "nginx is not installed: tests fetch models from another server (Debian: apt-get install nginx-light)"
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


def faketime() -> Path | None:
    """Return the library that lets a program's wall clock be stepped, or None."""
    return next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


def broker() -> str | None:
    """Return the path of Mosquitto, which Debian puts beside root's programs, or None."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def nginx() -> str | None:
    """Return the path of nginx, which Debian puts beside root's programs, or None."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def postgresql() -> Path | None:
    """Return the folder of PostgreSQL's programs, which Debian keeps by version, or None."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return versions[-1].parent if versions else None


if __name__ == "__main__":
    for line in missing():
        print(f"- {line}")
