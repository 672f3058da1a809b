"""What native decoders write to standard error by themselves, caught so that a command's own lines stand alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2
MOST_BYTES = 64 << 10
"""Bytes of one catch that are looked at; a damaged video can make a decoder talk without end."""


@contextmanager
def overheard() -> Iterator[list[str]]:
    """Catch what is written to the process's file descriptor 2; the list has its lines once the block is left.

    For a command line alone: another thread that logs meanwhile would be caught as well.
    """
    lines: list[str] = []
    sys.stderr.flush()
    caught, kept = os.memfd_create("overheard"), os.dup(STDERR)
    try:
        os.dup2(caught, STDERR)
        try:
            yield lines
        finally:
            os.dup2(kept, STDERR)
            said = os.pread(caught, MOST_BYTES, 0).decode("utf-8", "replace")
            lines += [line for line in map(str.strip, said.splitlines()) if line]
    finally:
        os.close(kept)
        os.close(caught)
