"""A user without root's rights, for tests of what a folder's or a file's mode refuses."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def unprivileged() -> Iterator[None]:
    """Act as `nobody` where the tests run as root; elsewhere as oneself. Import before what is to be imported."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def open_folder() -> Iterator[Path]:
    """Yield a new folder, removed at the end, that every user reaches: pytest's own is closed to all but one."""
    with tempfile.TemporaryDirectory(prefix="platefleet-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)
