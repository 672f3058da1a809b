"""Work that may hang, crash or run out of memory, in a process of its own that is watched and can be killed.

The child is spawned, never forked; it has the lowest priority for processor and disk, ends with its parent whatever
happens to it, and tells its progress. What it raises of ours arrives as it was; how it dies is one sentence.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import logging
import multiprocessing
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

import psutil

from platefleet.models import errors
from platefleet.models.errors import BuildDeferred, BuildError
from platefleet.protocol.errors import ModelError, PlatefleetError

LOG = logging.getLogger(__name__)
T = TypeVar("T")
POLL_S = 0.2
END_S = 5.0
"""How long a killed child may take to be gone."""
_PR_SET_PDEATHSIG = 1
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_OUT_OF_MEMORY = ("out of memory", "cannot allocate memory", "bad_alloc", "outofmemory")

Tell = Callable[[str, "float | None"], None]
"""Takes the step that is being done and how much of it, 0-1, or None where nobody knows."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a child may use. memory_bytes: of its own; None: unbounded. deadline_s: from its start, pauses left out.

    paused: asked five times a second; while it says so the child and what it started stand still, memory kept.
    """

    deadline_s: float = 3600.0
    memory_bytes: int | None = None
    paused: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it. peak_memory_bytes: the most that was seen, every 0.2 s."""

    result: Any
    seconds: float
    peak_memory_bytes: int


def run_in_child(
    work: Callable[..., T],
    *args: object,
    what: str,
    bounds: Bounds | None = None,
    tell: Tell = lambda _step, _share: None,
    stopping: Callable[[], bool] = lambda: False,
    idle: bool = False,
) -> Done:
    """Call `work(tell, *args)` in a child and return what it returned.

    work: a function of a module, with arguments that can be pickled. what: for sentences, as "plate/int8". stopping:
    asked five times a second; the child is then killed and BuildError raised. idle: it gets only what the processor has
    left; beside others that take all of it, it does not go on. Raises BuildDeferred where memory was
    short, BuildError for a deadline or a crash, and the child's own error where it is one of ours.
    """
    bounds = bounds or Bounds()
    packed = pickle.dumps((work, args))  # what it needs is loaded after it has made itself small
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=_child, args=(theirs, os.getpid(), packed, idle), name=f"build {what}", daemon=True
    )
    began = time.monotonic()
    process.start()
    theirs.close()
    peak, still_since = 0, None
    try:
        while True:
            try:
                heard = ours.recv() if ours.poll(POLL_S) else None
            except (EOFError, OSError):
                process.join(END_S)
                raise _died(what, process.exitcode) from None
            peak = max(peak, _memory(process.pid))
            match heard:
                case ("done", result):
                    return Done(result, time.monotonic() - began, peak)
                case ("failed", str(name), str(message)):
                    raise _theirs(what, name, message)
                case ("told", str(step), share):
                    tell(step, share)
            if stopping():
                raise BuildError(f"{what}: was stopped before it was done")
            now = time.monotonic()
            if bounds.paused() != (still_since is not None):
                began += 0.0 if still_since is None else now - still_since
                _let(process.pid, run=still_since is not None)
                still_since = now if still_since is None else None
            if still_since is not None:
                continue
            if time.monotonic() - began > bounds.deadline_s:
                raise BuildError(f"{what}: was not done within {bounds.deadline_s:.0f} s; give it more time")
            if bounds.memory_bytes is not None and peak > bounds.memory_bytes:
                raise BuildDeferred(
                    f"{what}: needs more than {bounds.memory_bytes >> 20} MB of memory; "
                    "it is tried again at a quieter time"
                )
    finally:
        _end(process)
        ours.close()


def _end(process: Any) -> None:
    """Kill the child and what it started; nothing of it is left behind."""
    with contextlib.suppress(psutil.Error):
        for each in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                each.kill()
    if process.is_alive():
        process.kill()
    process.join(END_S)
    if process.exitcode is None:
        LOG.error("a build's process %s does not end; it holds what it has", process.pid)
        return
    process.close()


def _let(pid: int | None, *, run: bool) -> None:
    """Let a child and what it started run, or stand still."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                each.resume() if run else each.suspend()


def _memory(pid: int | None) -> int:
    with contextlib.suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


def _died(what: str, exitcode: int | None) -> BuildError:
    if exitcode == -signal.SIGKILL:
        return BuildDeferred(f"{what}: was killed, most likely for want of memory; it is tried again at a quieter time")
    how = f"by {signal.Signals(-exitcode).name}" if exitcode is not None and exitcode < 0 else f"with status {exitcode}"
    return BuildError(f"{what}: its process ended {how} without a word; see the log above")


def _theirs(what: str, name: str, message: str) -> PlatefleetError:
    """Return the child's error: of the same class where it is one of ours, and deferred where memory was short."""
    if name == "MemoryError" or any(each in message.lower() for each in _OUT_OF_MEMORY):
        return BuildDeferred(f"{what}: ran out of memory ({message[:200]}); it is tried again at a quieter time")
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, ModelError):
        return kind(message)
    return BuildError(f"{what}: {name}: {message[:400]}")


# In the child.


def _child(pipe: Connection, parent: int, packed: bytes, idle: bool) -> None:
    _modestly(parent, idle=idle)

    def tell(step: str, share: float | None) -> None:
        pipe.send(("told", step, share))

    try:
        work, args = pickle.loads(packed)  # noqa: S301 - of our own parent
        result = work(tell, *args)
    except BaseException as error:  # noqa: BLE001 - told to the parent as what it is; there is nobody else here
        if isinstance(error, OSError) and error.errno in _DISK_FULL:
            error = BuildError(f"{error.filename or 'the store'}: the disk is full; free some space and build again")
        if not isinstance(error, PlatefleetError):
            traceback.print_exc(file=sys.stderr)
        pipe.send(("failed", type(error).__name__, str(error)))
    else:
        pipe.send(("done", result))
    finally:
        pipe.close()


def _modestly(parent: int, *, idle: bool) -> None:
    """Take the lowest priority, end with the parent, and leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it ended before we asked to be told
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, 19)  # not 19 more than the agent's, which may be above the usual
    if idle:
        with contextlib.suppress(OSError, AttributeError):  # niceness alone lets the barrier's threads wait for a slice
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")  # it goes before the barrier does
    with contextlib.suppress(psutil.Error, OSError, AttributeError):
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)
