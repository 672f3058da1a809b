"""What this machine is, as far as an artifact depends on it. Nothing here needs a GPU library to be importable."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import platform
import re
import subprocess
from pathlib import Path

from platefleet.models.artifacts.passport import Machine

L4T = Path("/etc/nv_tegra_release")
"""JetPack's release: `# R36 (release), REVISION: 3.0, …`."""
MODEL = Path("/proc/device-tree/model")
_ASK_S = 5.0


def machine() -> Machine:
    """Return what this machine is. What is not there, or does not answer within five seconds, is None."""
    name, capability, driver = _gpu()
    return Machine(
        cpu=_cpu(),
        gpu=name or _jetson(),
        compute_capability=capability,
        tensorrt=_release("tensorrt") or _by_import("tensorrt"),
        cuda=driver,
        l4t=_l4t(),
        power_mode=_power_mode(),
        onnxruntime=_release("onnxruntime") or _release("onnxruntime-gpu"),
    )


def l4t_of(text: str) -> str | None:
    """Return the release in the first line of `/etc/nv_tegra_release`.

    >>> l4t_of("# R36 (release), REVISION: 3.0, GCID: 36191598, BOARD: generic")
    '36.3.0'
    """
    found = re.match(r"# R(\d+) \(release\), REVISION: ([\d.]+)", text)
    return f"{found[1]}.{found[2]}" if found else None


def _release(package: str) -> str | None:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    return None


def _by_import(module: str) -> str | None:
    """Return the release that a module itself names: some of NVIDIA's installations leave no metadata behind."""
    if importlib.util.find_spec(module) is None:
        return None
    with contextlib.suppress(Exception):  # it is there and cannot be loaded: as good as not there
        return str(importlib.import_module(module).__version__)
    return None


def _gpu() -> tuple[str | None, str | None, str | None]:
    """Return name, compute capability and driver of the first GPU, as nvidia-smi tells them."""
    said = _said("nvidia-smi", "--query-gpu=name,compute_cap,driver_version", "--format=csv,noheader", "--id=0")
    parts = [part.strip() for part in said.split(",")]
    if len(parts) != 3:
        return None, None, None
    return parts[0], parts[1], f"driver {parts[2]}"


def _jetson() -> str | None:
    """Return the board's name where it is a Jetson, whose nvidia-smi (if any) tells little."""
    if not L4T.exists():
        return None
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return MODEL.read_text(encoding="utf-8").strip("\0\n ") or None
    return None


def _l4t() -> str | None:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return l4t_of(L4T.read_text(encoding="utf-8"))
    return None


def _power_mode() -> str | None:
    said = _said("nvpmodel", "-q")
    found = re.search(r"NV Power Mode: (\S+)", said)
    return found[1] if found else None


def _cpu() -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine() or "unknown"


def _said(*command: str) -> str:
    """Return what a program prints, or nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_S, check=False)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return done.stdout if done.returncode == 0 else ""
