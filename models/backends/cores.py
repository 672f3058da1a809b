"""How many threads a forward pass on the CPU should have."""

from __future__ import annotations

import os

import psutil


def usable_cores() -> int:
    """Return the physical cores this process may run on, at least 1.

    Two threads of one core share its vector units, so a network gains nothing from the second.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    logical, physical = psutil.cpu_count() or allowed, psutil.cpu_count(logical=False) or allowed
    return max(1, min(allowed * physical // logical if physical < logical else allowed, physical))
