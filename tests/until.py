"""Waiting for what happens on another thread or in another process, with an end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(happened: Callable[[], T], timeout_s: float = 10.0, every_s: float = 0.01) -> T:
    """Return the first truthy answer of `happened`, asked `every_s`; fail after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = happened()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"{happened} did not happen within {timeout_s} s"
        time.sleep(every_s)
