"""Files that are replaced as a whole or not at all, crash or not."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

KEEP_SIZE = 1
"""`FALLOC_FL_KEEP_SIZE` of Linux: the file does not grow, its blocks do."""


def replace_file(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write `data` beside `path`, make it durable, and put it in its place. Raises OSError; then `path` is as it was.

    mode: of the new file; an existing one's mode and, where this user may, its owner are kept.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        before = path.stat()
    except FileNotFoundError:
        before = None
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        written = 0
        while written < len(data):
            written += os.write(file, data[written:])
        os.fchmod(file, mode if before is None else before.st_mode & 0o7777)
        if before is not None and os.geteuid() == 0:
            os.fchown(file, before.st_uid, before.st_gid)
        os.fsync(file)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    finally:
        os.close(file)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def reserve(file: int, offset: int, length: int) -> bool:
    """Give an open file blocks beyond its end without making it longer; return whether the file system did.

    They last until the file is cut, across restarts too: what is written there cannot fail for want of space.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    allocate = getattr(libc, "fallocate64", None)
    if allocate is None:  # not Linux with glibc
        return False
    result: int = allocate(file, KEEP_SIZE, ctypes.c_int64(offset), ctypes.c_int64(length))
    return result == 0
