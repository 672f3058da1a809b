"""Looking after a store: whether every file is what its name says, and what may go."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from platefleet.models.artifacts.arriving import abandoned
from platefleet.models.artifacts.passport import Passport, Role
from platefleet.models.artifacts.store import MEASURED, PASSPORT, ROLES, ArtifactStore
from platefleet.models.errors import ArtifactError, WeightsError
from platefleet.models.fetching import sha256_of

UNDECIDED_DAYS = 60.0
"""As long as the agent keeps a frame of its own: what they have not decided by then was not looked at again."""
OPEN = ("undecided", "unmeasured")
DAY_NS = 86_400 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One file or artifact that was looked at. said: empty if all is well."""

    what: str
    said: str = ""


def verify(store: ArtifactStore) -> Iterator[Finding]:
    """Read every file of the store again and compare it with its name or its passport; tell each as it is known."""
    for role in ROLES:
        for path in store.sources(role):
            yield Finding(f"{role}/sources/{path.name[:16]}", _by_name(path))
        for path in sorted((store.root / role / "onnx").glob("*.onnx")):
            yield Finding(f"{role}/onnx/{path.name[:16]}", _exported(store, role, path))
        for path in sorted((store.root / role / "built").glob("*")):
            yield Finding(f"{role}/built/{path.name[:16]}", _artifact(store, role, path))
        yield Finding(f"{role}/active", _active(store, role))


def _by_name(path: Path) -> str:
    try:
        with path.open("rb") as file:
            found = sha256_of(file)
    except OSError as error:
        return f"cannot be read ({error.strerror}); check the disk"
    return "" if found == path.stem else "is damaged: its digest is not its name; add it again"


def _exported(store: ArtifactStore, role: Role, path: Path) -> str:
    source, _, size = path.stem.partition("-")
    try:
        sound = size.isdecimal() and store.sound_onnx(role, source, int(size)) is not None
    except ArtifactError as error:
        return str(error)
    return "" if sound else "is not what was built from; prune it, and the next build makes it again"


def _artifact(store: ArtifactStore, role: Role, home: Path) -> str:
    try:
        if PASSPORT not in os.listdir(home):
            return "has no passport: its build was cut off; prune it"
        store.passport_in(home)  # one that cannot be read is no artifact to anybody else
        store.model(store.passport(role, home.name))
    except ArtifactError as error:
        return str(error)
    except OSError as error:
        return f"cannot be read ({error.strerror}); check the disk and its permissions"
    return ""


def _active(store: ArtifactStore, role: Role) -> str:
    try:
        active = store.active(role)
        if active is not None:
            store.model(store.passport(role, active.key))
    except (ArtifactError, WeightsError) as error:
        return str(error)
    return ""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed, or would be; spared: artifacts that are kept only because they may still be decided."""

    removed: tuple[Path, ...]
    spared: tuple[Passport, ...]


def prune(
    store: ArtifactStore,
    keep: Collection[str] = (),
    *,
    dry_run: bool = False,
    undecided_days: float = UNDECIDED_DAYS,
    now_utc_ns: Callable[[], int] = time.time_ns,
) -> Pruned:
    """Remove what nothing needs any more.

    Kept are the active artifact of each role, the one before it, those whose keys stand in `keep`, baselines, what is
    not decided yet and was made less than `undecided_days` ago, and the sources and ONNX files that a kept artifact was
    made from. Builds under way are not touched: a folder in `tmp` goes only if its process is gone.
    """
    removed: list[Path] = []
    spared: list[Passport] = []
    oldest_ns = now_utc_ns() - int(undecided_days * DAY_NS)
    with store.locked():
        for role in ROLES:
            wanted = set(keep) | _chosen(store, role)
            young = [
                each
                for each in store.passports(role)
                if each.verdict.judged in OPEN and each.made_utc_ns > oldest_ns and each.key not in wanted
            ]
            spared += young
            removed += _stale(store, role, wanted | {each.key for each in young})
        for path in () if dry_run else removed:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    return Pruned(tuple(removed), tuple(spared))


def _chosen(store: ArtifactStore, role: Role) -> set[str]:
    active = store.active(role)
    return {active.key, active.previous or ""} if active else set()


def _stale(store: ArtifactStore, role: Role, wanted: set[str]) -> Iterator[Path]:
    home = store.root / role
    kept = []
    for passport in store.passports(role):
        if passport.key in wanted or passport.verdict.judged == "baseline":
            kept.append(passport)
        else:
            yield store.home(passport)
    for passport in kept:
        yield from (path for path in sorted(store.home(passport).iterdir()) if not _belongs(path, passport))
    yield from (path for path in sorted((home / "built").glob("*")) if not (path / PASSPORT).exists())
    needed = {passport.recipe.source for passport in kept}
    if kept:  # without a kept artifact nothing says which source is wanted, so none goes
        files = (*store.sources(role), *sorted((home / "onnx").glob("*.onnx")))
        yield from (path for path in files if path.name[:64] not in needed)
    for path in sorted((home / "onnx").glob("*.onnx")):
        if (not kept or path.name[:64] in needed) and _exported(store, role, path):
            yield path
    for path in sorted((home / "tmp").glob("*")):
        if not Path("/proc", path.name.partition("-")[0]).exists():
            yield path
    yield from abandoned(home / "arriving")
    yield from sorted(home.glob(".*.new"))  # a replacement that was cut off; the lock says that none is under way


def _belongs(path: Path, passport: Passport) -> bool:
    return path.name == PASSPORT or path.name in passport.files or path.name.startswith(MEASURED)
