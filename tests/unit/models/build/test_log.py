"""What a builder's log is taken to say. The lines were seen with TensorRT 8.6.0, or are quoted in NVIDIA's forums."""

from __future__ import annotations

import pytest

from platefleet.models.build.log import LINES_KEPT, BuilderLog
from platefleet.models.build.network import _failure
from platefleet.models.errors import BuildDeferred, BuildError

SUBNORMAL = "- 55 weights are affected by this issue: Detected subnormal FP16 values."
SKIPPED = "Tactic Device request: 2016MB Available: 1017MB. Device memory is insufficient to use tactic."
SKIPPED_TOO = "Skipping tactic 3 due to insufficient memory on requested size of 2016 detected for tactic 0x3e8."
NO_MEMORY = "1: [defaultAllocator.cpp::allocate::19] Error Code 1: Cuda Runtime (out of memory)"
NO_NODE = "10: Could not find any implementation for node {ForeignNode[/model.22/Constant_9_output_0.../model.22/Sub]}."
NO_CACHE = "myelinCache.h::deserializeFromBuffer::73: The timing cache will not be used!"


def a_log(*lines: tuple[str, str]) -> BuilderLog:
    log = BuilderLog()
    for severity, line in lines:
        log.add(severity, line)
    return log


def test_a_tactic_without_memory_is_a_slower_engine_not_a_failed_build() -> None:
    log = a_log(("WARNING", SKIPPED), ("WARNING", SKIPPED_TOO))
    assert (log.skipped_tactics, log.warnings, log.short_of_memory) == (2, 2, False)


@pytest.mark.parametrize("line", [NO_MEMORY, NO_NODE])
def test_a_build_that_ran_out_of_memory_is_tried_again_later(line: str) -> None:
    failure = _failure(a_log(("WARNING", SUBNORMAL), ("ERROR", line)))
    assert isinstance(failure, BuildDeferred)
    assert line[:40] in str(failure)


def test_any_other_failure_is_final_and_gives_the_last_error() -> None:
    failure = _failure(
        a_log(("ERROR", "first"), ("INTERNAL_ERROR", "Assertion failed:\n  shape"), ("WARNING", "later"))
    )
    assert not isinstance(failure, BuildDeferred)
    assert isinstance(failure, BuildError)
    assert "Assertion failed: shape" in str(failure)


def test_warnings_are_counted_and_kept_and_chatter_is_neither() -> None:
    log = a_log(("WARNING", SUBNORMAL), ("INFO", "Total Activation Memory: 7319040"), ("VERBOSE", "CASK_STATIC"))
    assert (log.warnings, log.errors, list(log.lines)) == (1, 0, [f"WARNING: {SUBNORMAL}"])


def test_a_refused_timing_cache_is_noted() -> None:
    assert a_log(("WARNING", NO_CACHE)).without_timing_cache
    assert not a_log(("INFO", "Timing cache disabled. Turning it on will improve builder speed.")).without_timing_cache


def test_lines_are_bounded_and_counts_are_not() -> None:
    log = a_log(*[("WARNING", SUBNORMAL)] * (LINES_KEPT + 50))
    assert (len(log.lines), log.warnings) == (LINES_KEPT, LINES_KEPT + 50)


def test_who_listens_hears_what_is_kept() -> None:
    heard: list[tuple[str, str]] = []
    log = BuilderLog(lambda severity, line: heard.append((severity, line)))
    log.add("VERBOSE", "chatter")
    log.add("ERROR", NO_MEMORY)
    assert heard == [("ERROR", NO_MEMORY)]
