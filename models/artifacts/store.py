"""The artifacts of a device in one folder: content-addressed, atomic, safe for several processes and at any power cut.

    <root>/lock
    <root>/<role>/sources/<sha256>.{pt,onnx}
    <root>/<role>/onnx/<sha256>-<size>.onnx
    <root>/<role>/built/<key>/{<sha256>.*, passport.json, measured-*.npz}
    <root>/<role>/active.json
    <root>/<role>/arriving/<sha256>.part   what is being fetched
    <root>/<role>/tmp/<random>/…          builds under way; whoever died in one left rubbish, which `prune` takes

A file is there under its digest or not at all. An artifact is what its passport says: a new model of the same key is
written beside the old one, and becomes the artifact when the passport is replaced. What is active is one small file.
Every change is made under the lock; reading needs none.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from platefleet.models.artifacts import passport as passports
from platefleet.models.artifacts.activation import Active
from platefleet.models.artifacts.passport import Passport, Role
from platefleet.models.errors import ArtifactError, WeightsError
from platefleet.models.fetching import digest_of
from platefleet.protocol.durable import replace_file, sync_folder

ROLES: tuple[Role, ...] = get_args(Role)
SOURCE_SUFFIXES = (".onnx", ".pt")
PASSPORT = "passport.json"
MEASURED = "measured-"
"""How the names of measurements beside an artifact begin; they go with the model that they were made of."""
ATTACHED_MOST = 4
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class ArtifactStore:
    """One device's artifacts. Every method raises ArtifactError and nothing else for a disk or a file that fails."""

    def __init__(self, root: Path) -> None:
        """Use the store at `root`, which is made when something is put into it."""
        self.root = root

    # Sources.

    def add_source(
        self, role: Role, path: Path, *, sha256: str | None = None, look: Callable[[Path], None] = lambda _copy: None
    ) -> str:
        """Copy weights into the store and return their digest; the same ones again change nothing.

        sha256: what they must have. A `.pt` is a pickle and runs what it says, so it needs one. look: called with the
        copy once its digest is right; what it raises keeps it out.
        """
        suffix = path.suffix.lower()
        if suffix not in SOURCE_SUFFIXES:
            raise ArtifactError(f"{path}: {suffix or 'no suffix'} names no kind of weights; give an .onnx or .pt file")
        if suffix == ".pt" and sha256 is None:
            raise ArtifactError(
                f"{path}: a .pt is a pickle and runs what it says; name its SHA-256 as its author tells it (--sha256)"
            )
        with self._border(path, "check the path"), self.staged(role) as folder:
            copy = folder / f"source{suffix}"
            shutil.copyfile(path, copy)
            digest = digest_of(copy)
            if sha256 is not None and digest != sha256.lower():
                raise ArtifactError(f"{path}: its SHA-256 is {digest}, not {sha256}; fetch it again")
            if any(each.stem == digest and each.suffix != suffix for each in self.sources(role)):
                raise ArtifactError(f"{path}: is a source already, under another suffix; use that one")
            look(copy)
            self._keep(copy, self.root / role / "sources" / f"{digest}{suffix}")
        return digest

    def take_source(self, role: Role, made: Path, sha256: str) -> None:
        """Move an ONNX file that lies on the store's own disk in among the sources, if its digest is right."""
        with self._border(made):
            if digest_of(made) != sha256:
                raise ArtifactError(f"{made}: is not the file of this digest; fetch it again")
            self._keep(made, self.root / role / "sources" / f"{sha256}.onnx")

    def sources(self, role: Role) -> tuple[Path, ...]:
        """Return the files of a role's sources."""
        with self._border(self.root / role):
            return tuple(sorted(p for p in (self.root / role / "sources").glob("*") if p.suffix in SOURCE_SUFFIXES))

    def source(self, role: Role, digest: str) -> Path:
        """Return the file of the source whose digest begins with `digest`."""
        found = [path for path in self.sources(role) if path.name.startswith(digest.lower())] if digest else []
        if len(found) != 1:
            told = "no such source" if not found else f"{len(found)} sources begin so"
            raise ArtifactError(f"{role}/{digest[:16]}: {told}; see `platefleet models list`")
        return found[0]

    def onnx(self, role: Role, digest: str, size: int) -> Path:
        """Return where the ONNX of a source at a size is kept; it may not be there yet (see `keep_onnx`)."""
        return self.root / role / "onnx" / f"{digest}-{size}.onnx"

    def sound_onnx(self, role: Role, digest: str, size: int) -> Path | None:
        """Return the ONNX of a source at a size if it is there, and what it was when something was built from it.

        One that no passport tells of is believed if it is its source; otherwise it is made again.
        """
        path = self.onnx(role, digest, size)
        if not path.exists():
            return None
        with self._border(path):
            found = digest_of(path)
        told = {each.onnx for each in self.passports(role) if (each.recipe.source, each.recipe.size) == (digest, size)}
        return path if found in told | {digest} else None

    def keep_onnx(self, role: Role, digest: str, size: int, made: Path) -> Path:
        """Move an exported ONNX into the store and return its place there."""
        place = self.onnx(role, digest, size)
        with self._border(place):
            self._keep(made, place)
        return place

    # Artifacts.

    @contextmanager
    def staged(self, role: Role) -> Iterator[Path]:
        """Give a folder on the store's own disk for something that is being made; it is removed afterwards."""
        folder = self.root / role / "tmp" / f"{os.getpid()}-{secrets.token_hex(4)}"
        with self._border(folder):
            folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def place(self, passport: Passport, folder: Path) -> None:
        """Make the files in `folder` that the passport names the artifact of its key, in place of what was there.

        The model is digested again: what stands in the store is what the passport says.
        """
        home = self.home(passport)
        with self._border(home), self.locked():
            home.mkdir(parents=True, exist_ok=True)
            for name, digest in passport.files.items():
                # Named by its digest, so it never lies under the name of an older model's file.
                if not name.startswith(digest) or digest_of(folder / name) != digest:
                    raise ArtifactError(f"{passport.title}: {name} is not what its passport says; build it again")
                self._keep(folder / name, home / name)
            replace_file(home / PASSPORT, passports.write(passport), 0o644)
            sync_folder(home.parent)
            for stale in home.iterdir():
                if stale.name != PASSPORT and stale.name not in passport.files:
                    stale.unlink(missing_ok=True)

    def home(self, passport: Passport) -> Path:
        """Return the folder of an artifact."""
        return self.root / passport.recipe.role / "built" / passport.key

    def attach(self, passport: Passport, name: str, content: bytes) -> Path:
        """Keep a measurement beside an artifact, the newest ATTACHED_MOST of them, and return its path."""
        home = self.home(passport)
        path = home / f"{MEASURED}{name}"
        with self._border(path), self.locked():
            replace_file(path, content, 0o644)
            known = sorted(home.glob(f"{MEASURED}*"), key=lambda each: each.stat().st_mtime_ns)
            for old in known[:-ATTACHED_MOST]:
                old.unlink(missing_ok=True)
        return path

    def model(self, passport: Passport) -> Path:
        """Return the path of an artifact's model. Raises ArtifactError if its bytes are not those of the passport."""
        path = self.home(passport) / passport.model
        with self._border(path):
            if digest_of(path) != passport.files[passport.model]:
                raise ArtifactError(f"{passport.title}: {path.name} is damaged; build it again")
        return path

    def passports(self, role: Role) -> tuple[Passport, ...]:
        """Return a role's artifacts by age; one whose passport cannot be read is left out, and `verify` tells of it."""
        with self._border(self.root / role):
            paths = list((self.root / role / "built").glob(f"*/{PASSPORT}"))
        found = [passport for path in paths if (passport := self._readable(path)) is not None]
        return tuple(sorted(found, key=lambda each: (each.made_utc_ns, each.key)))

    def passport(self, role: Role, key: str) -> Passport:
        """Return the passport of the artifact whose key begins with `key`."""
        found = [each for each in self.passports(role) if key and each.key.startswith(key.lower())]
        if len(found) != 1:
            told = "no such artifact" if not found else f"{len(found)} artifacts begin so"
            raise ArtifactError(f"{role}/{key[:16]}: {told}; see `platefleet models list`")
        return found[0]

    def update(self, role: Role, key: str, change: Callable[[Passport], Passport]) -> Passport:
        """Replace an artifact's passport by what `change` makes of it (a verdict, a latency), and return it."""
        with self.locked():
            changed = change(self.passport(role, key))
            path = self.home(changed) / PASSPORT
            with self._border(path):
                replace_file(path, passports.write(changed), 0o644)
        return changed

    # What is active.

    def active(self, role: Role) -> Active | None:
        """Return a role's choice, or None if none was made yet."""
        path = self.root / role / "active.json"
        with self._border(path):
            try:
                stored = json.loads(path.read_bytes())
                return Active(**stored)
            except FileNotFoundError:
                return None
            except (ValueError, TypeError) as error:
                raise ArtifactError(f"{path}: is damaged ({error}); activate an artifact to write it anew") from error

    def choose(self, role: Role, decide: Callable[[Active | None], Active]) -> Active:
        """Replace a role's choice by what `decide` makes of it, and return it. What `decide` raises changes nothing."""
        with self.locked():
            chosen = decide(self.active(role))
            path = self.root / role / "active.json"
            with self._border(path):
                replace_file(path, json.dumps(asdict(chosen)).encode(), 0o644)
        return chosen

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the store's lock, which ends with the process whatever happens to it. Not held while building."""
        with self._border(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            file = (self.root / "lock").open("a")
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def passport_in(self, home: Path) -> Passport:
        """Return the passport in an artifact's folder, whether or not it belongs there."""
        path = home / PASSPORT
        with self._border(path):
            return passports.read(path.read_bytes(), str(path))

    def _readable(self, path: Path) -> Passport | None:
        try:
            found = self.passport_in(path.parent)
        except ArtifactError:
            return None
        return found if found.key == path.parent.name else None

    def _keep(self, made: Path, place: Path) -> None:
        """Move a file to its place, durable before it has its name."""
        place.parent.mkdir(parents=True, exist_ok=True)
        with made.open("rb") as file:
            os.fsync(file.fileno())
        made.replace(place)
        sync_folder(place.parent)

    @contextmanager
    def _border(self, path: Path, where: str = "see `platefleet models list`") -> Iterator[None]:
        """Let nothing out but ArtifactError. where: what to do where something is not there."""
        try:
            yield
        except FileNotFoundError as error:
            raise ArtifactError(f"{error.filename or path}: is not there; {where}") from error
        except (IsADirectoryError, shutil.SpecialFileError) as error:
            raise ArtifactError(f"{path}: is no file; check the path") from error
        except OSError as error:
            remedy = "free some space" if error.errno in _DISK_FULL else "check the disk and its permissions"
            raise ArtifactError(f"{error.filename or path}: {error.strerror or error}; {remedy}") from error
        except WeightsError as error:
            raise ArtifactError(str(error)) from error
