"""What TensorRT's builder says while it builds, counted: a slower engine is otherwise chosen without a word."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Any

LINES_KEPT = 400
"""The latest lines; a verbose build writes tens of thousands."""

_SKIPPED = re.compile(r"Skipping tactic|Tactic Device request", re.IGNORECASE)
_FALLBACK = re.compile(
    r"fall(ing)? ?back|running .* in FP32|precision .* (is|was) not (supported|obeyed)|No implementation .* obeys"
    r"|Missing scale and zero-point",
    re.IGNORECASE,
)
_MEMORY = re.compile(
    r"out of memory|insufficient memory|OutOfMemory|cudaErrorMemoryAllocation|could not find any implementation"
    r"|not enough memory",
    re.IGNORECASE,
)
_WITHOUT_CACHE = re.compile(r"timing cache will not be used", re.IGNORECASE)


class BuilderLog:
    """Lines of a TensorRT logger: the latest kept, all counted. For one build or one engine."""

    def __init__(self, hear: Callable[[str, str], None] | None = None) -> None:
        """hear: called with (severity, line) for every line kept, such as to show it."""
        self._hear = hear
        self.lines: deque[str] = deque(maxlen=LINES_KEPT)
        self.skipped_tactics = self.fallbacks = self.warnings = self.errors = 0
        self.short_of_memory = self.without_timing_cache = False
        self.last_error = ""

    def add(self, severity: str, line: str) -> None:
        """Take one line. severity: TensorRT's name of it, as "WARNING"; INFO and VERBOSE are counted, not kept.

        >>> log = BuilderLog()
        >>> log.add("WARNING", "Tactic Device request: 2016MB Available: 1017MB. Skipping tactic 3")
        >>> log.skipped_tactics, log.warnings, log.short_of_memory
        (1, 1, False)
        """
        if _SKIPPED.search(line):
            self.skipped_tactics += 1  # memory for one tactic, not for the build
        elif _MEMORY.search(line):
            self.short_of_memory = True
        if _FALLBACK.search(line):
            self.fallbacks += 1
        if _WITHOUT_CACHE.search(line):
            self.without_timing_cache = True
        if severity in ("VERBOSE", "INFO"):
            return
        if severity == "WARNING":
            self.warnings += 1
        else:
            self.errors += 1
            self.last_error = " ".join(line.split())[:300]
        self.lines.append(f"{severity}: {line}")
        if self._hear is not None:
            self._hear(severity, line)

    def logger(self, trt: Any) -> Any:
        """Return a logger for TensorRT that writes here; the caller keeps it as long as what was made with it."""
        log = self

        class Logger(trt.ILogger):  # type: ignore[misc]  # the class comes from the installed TensorRT
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            def log(self, severity: Any, msg: str) -> None:
                log.add(str(severity.name), msg)

        return Logger()
