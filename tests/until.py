"""Waiting for what happens on another thread or in another process, with an end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
BUSY = 3.0 if "PYTEST_XDIST_WORKER" in os.environ else 1.0
"""By how much longer than alone something may take: other tests run beside it (`pytest -n`)."""


def until(happened: Callable[[], T], timeout_s: float = 30.0, every_s: float = 0.01) -> T:
    """Return the first truthy answer of `happened`, asked `every_s`; fail after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = happened()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"{happened} did not happen within {timeout_s} s"
        time.sleep(every_s)
