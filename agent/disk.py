"""Where the outbox lies on the disk, and whether that can be used."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from platefleet.agent.machine import free_bytes
from platefleet.agent.settings.tree import Settings
from platefleet.protocol.errors import ConfigError


def outbox_file(settings: Settings, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the outbox's file: as set, or named after the device in the folder for a program's state.

    That is systemd's STATE_DIRECTORY, else `platefleet` in XDG_STATE_HOME or ~/.local/state.
    """
    if settings.outbox.file is not None:
        return settings.outbox.file
    return state_folder(environ) / f"{settings.device}.outbox"


def state_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder for what must outlive the program.

    >>> state_folder({"STATE_DIRECTORY": "/var/lib/platefleet"}), state_folder({"XDG_STATE_HOME": "/home/me/state"})
    (PosixPath('/var/lib/platefleet'), PosixPath('/home/me/state/platefleet'))
    """
    # systemd names several folders with colons between them; the XDG specification wants relative paths ignored.
    if own := environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(own)
    base = environ.get("XDG_STATE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path("~/.local/state").expanduser()) / "platefleet"


def there(folder: Path) -> Path:
    """Return the nearest folder that exists, from `folder` upwards."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def look_at_outbox(path: Path, least_bytes: int) -> str:
    """Return how the outbox at `path` is, changing nothing. Raises ConfigError if it could not be kept there."""
    folder = there(path.parent)
    where = f"{path}: its folder {folder}"
    if not folder.is_dir():
        raise ConfigError(f"{where} is no folder; name another file by outbox.file")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"{where} cannot be written ({error.strerror}); check its owner, or name another file by outbox.file"
        ) from error
    free = free_bytes(folder) or 0
    if free < least_bytes:
        raise ConfigError(f"{where} has {free >> 20} MB free, less than {least_bytes >> 20}; make room")
    beside = kept_beside(path)
    kept = f"; {beside} damaged kept beside, see {path.name}.broken-*" if beside else ""
    return f"{path}, {_state(path)}, {free >> 20} MB free{kept}"


def kept_beside(path: Path) -> int:
    """Return how many damaged databases were kept beside the outbox."""
    return sum(not each.name.endswith(("-wal", "-shm")) for each in path.parent.glob(f"{path.name}.broken-*"))


def _state(path: Path) -> str:
    """Return what stands in the file. Raises ConfigError for one that is no database."""
    if not path.exists():
        return "not yet made"
    if not path.is_file() or not os.access(path, os.R_OK | os.W_OK):
        raise ConfigError(f"{path}: is no file that can be read and written; check its owner")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=1)) as database:
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            return "in use"
        raise ConfigError(
            f"{path}: cannot be opened ({error}); the agent keeps it beside and begins a new one"
        ) from error
    return f"{path.stat().st_size >> 10} KB"
