"""What the agent asks the machine it runs on: memory, processor, disk."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
from pathlib import Path

import psutil

from platefleet.protocol.messages import Hardware

MODEL = Path("/proc/device-tree/model")
MOST_NAME = 64


def memory_bytes() -> int:
    """Return what this process and its decoders hold in memory."""
    process = psutil.Process()
    total = int(process.memory_info().rss)
    for child in process.children():
        with contextlib.suppress(psutil.Error):  # it ended in between
            total += int(child.memory_info().rss)
    return total


def free_bytes(folder: Path) -> int | None:
    """Return the free space where `folder` lies; None where it cannot be asked."""
    with contextlib.suppress(OSError):
        return shutil.disk_usage(folder).free
    return None


def hardware() -> Hardware:
    """Return the machine."""
    model = platform.node()
    with contextlib.suppress(OSError, UnicodeDecodeError):
        model = MODEL.read_text(encoding="utf-8").strip("\0\n ")
    return Hardware(
        model=(model or "unknown")[:MOST_NAME],
        cpu=(_cpu() or platform.machine() or "unknown")[:MOST_NAME],
        cores=os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
    )


def _cpu() -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return ""
