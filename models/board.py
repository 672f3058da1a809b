"""What a machine tells of heat, power and clocks: the kernel's files, and NVIDIA's tool where there is one."""

from __future__ import annotations

import contextlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

THERMAL = Path("/sys/class/thermal")
POWER = Path("/sys/bus/i2c/drivers/ina3221")
"""Jetson's power monitor."""
_ASK_S = 5.0


@dataclass(frozen=True, slots=True)
class Board:
    """One look at the machine; None for what it does not tell."""

    temperature_c: float | None = None
    power_w: float | None = None
    clock_mhz: float | None = None


def board() -> Board:
    """Return the machine as it is now: the GPU's numbers where nvidia-smi tells them, else the board's."""
    gpu = _gpu()
    if gpu is not None:
        return gpu
    mhz = getattr(psutil.cpu_freq(), "current", 0.0)  # containers tell none
    return Board(temperature_c(), power_w(), round(mhz, 1) or None)


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


def of_nvidia_smi(line: str) -> Board | None:
    """Return what a line `temperature, power, clock` says; a field that is no number is None.

    >>> of_nvidia_smi("41, 71.35, 1980"), of_nvidia_smi("47, [N/A], 1300").power_w
    (Board(temperature_c=41.0, power_w=71.35, clock_mhz=1980.0), None)
    """
    values = [_number(part) for part in line.split(",")]
    return Board(*values) if len(values) == 3 else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _gpu() -> Board | None:
    command = ["nvidia-smi", "--query-gpu=temperature.gpu,power.draw,clocks.sm", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run([*command, "--id=0"], capture_output=True, text=True, timeout=_ASK_S, check=False)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return of_nvidia_smi(done.stdout.strip()) if done.returncode == 0 else None
