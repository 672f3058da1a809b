"""What the agent asks the machine it runs on: temperature, power, memory, processor, disk."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
from pathlib import Path

import psutil

from platefleet.protocol.messages import Hardware

THERMAL = Path("/sys/class/thermal")
POWER = Path("/sys/bus/i2c/drivers/ina3221")
"""Jetson's power monitor."""
MODEL = Path("/proc/device-tree/model")
MOST_NAME = 64


def temperature_c(thermal: Path = THERMAL) -> float | None:
    """Return the hottest thermal zone in °C, None where there is none that says something believable."""
    found = []
    for zone in sorted(thermal.glob("thermal_zone*/temp")):
        with contextlib.suppress(OSError, ValueError):  # a zone of a part that is switched off cannot be read
            found.append(int(zone.read_text(encoding="ascii")) / 1000)
    return max((value for value in found if -40 < value < 150), default=None)


def power_w(monitor: Path = POWER) -> float | None:
    """Return what the board draws by its power monitor's first rail, in watts; None where there is none."""
    for voltage in sorted(monitor.glob("*/hwmon/hwmon*/in1_input")):
        with contextlib.suppress(OSError, ValueError):
            current = voltage.with_name("curr1_input")
            return int(voltage.read_text()) * int(current.read_text()) / 1e6
    return None


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
