"""Sources that come over the network: one process at a time for each file, and what broke off is kept to go on from."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from platefleet.models.artifacts.https import Wanted, checked_url, drop, fetch
from platefleet.models.artifacts.passport import Role
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.errors import ArtifactError

_PICKLES = (b"PK", b"\x80")
"""How torch's checkpoints begin, a zip or a bare pickle: no ONNX does (it is a protobuf, whose first field is 1)."""


def fetch_source(
    store: ArtifactStore,
    role: Role,
    wanted: Wanted,
    *,
    progress: Callable[[int, int], None] = lambda _done, _size: None,
    stopping: Callable[[], bool] = lambda: False,
) -> bool:
    """Fetch an ONNX source into the store; return False if it was there already, and nobody was asked.

    Raises ArtifactError; what has arrived until then is kept, and the next call goes on from it.
    """
    checked_url(wanted)
    if any(path.stem == wanted.sha256 for path in store.sources(role)):
        return False
    folder = store.root / role / "arriving"
    with _alone(folder / f"{wanted.sha256}.lock", wanted.url):
        part = folder / f"{wanted.sha256}.part"
        fetch(wanted, part, progress=progress, stopping=stopping)
        with part.open("rb") as file:
            head = file.read(2)
        if head.startswith(_PICKLES):
            drop(part)
            raise ArtifactError(
                f"{wanted.url}: is a checkpoint and no ONNX; a .pt enters by hand (models add --sha256)"
            )
        store.take_source(role, part, wanted.sha256)
        drop(part)
    return True


def abandoned(folder: Path) -> Iterator[Path]:
    """Yield what has arrived and is fetched by nobody now."""
    for lock in sorted(folder.glob("*.lock")):
        with lock.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
        yield from (each for each in sorted(folder.glob(f"{lock.stem}.*")))


@contextmanager
def _alone(lock: Path, url: str) -> Iterator[None]:
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("a")
    except OSError as error:
        raise ArtifactError(f"{lock}: cannot be written ({error.strerror}); check the disk") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not lock.samefile(f"/proc/self/fd/{file.fileno()}"):
                raise BlockingIOError  # it was cleared away between opening and locking it
        except (BlockingIOError, FileNotFoundError) as error:
            raise ArtifactError(f"{url}: is being fetched by another process; wait for it") from error
        yield
        lock.unlink(missing_ok=True)
