"""Where a trust and its roots lie on an administrator's machine: what `keys` reads and writes, and the console reads.

`trust.msgpack` is the very envelope that the console publishes; `roots.pub` holds a line for each root key, as a
device's configuration does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from platefleet.fleet.keys.changes import Change, begun
from platefleet.fleet.keys.errors import KeyringError
from platefleet.fleet.keys.keyring import Signer
from platefleet.protocol.codec import encode
from platefleet.protocol.durable import replace_file
from platefleet.protocol.errors import ConfigError
from platefleet.protocol.messages import Trust
from platefleet.protocol.process_lock import ProcessLock, Taken
from platefleet.protocol.trust import Adopted, PublicKey, Refused, Roots, TrustState, adopt, roots
from platefleet.protocol.trust.roots import MOST
from platefleet.protocol.trust_file import TrustFile

TRUST_NAME, ROOTS_NAME = "trust.msgpack", "roots.pub"
LIMIT_BYTES = 64 * 1024


def config_folder(environ: Mapping[str, str]) -> Path:
    """Return the user's own folder: `platefleet` in XDG_CONFIG_HOME or ~/.config.

    >>> config_folder({"XDG_CONFIG_HOME": "/home/anna/settings"})
    PosixPath('/home/anna/settings/platefleet')
    """
    base = environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path("~/.config").expanduser()) / "platefleet"


@dataclass(frozen=True, slots=True)
class Place:
    """A trust file and a roots file."""

    trust: Path
    roots: Path

    def known_roots(self) -> Roots | None:
        """Return the roots, None where the file is not there. Raises KeyringError for one that cannot be used."""
        try:
            with self.roots.open("rb") as file:
                data = file.read(LIMIT_BYTES)
            return roots([line for line in data.decode("ascii").splitlines() if line.strip()], str(self.roots))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeyringError(f"{self.roots}: cannot be read ({error.strerror}).") from error
        except UnicodeDecodeError:
            raise KeyringError(f"{self.roots}: this is no list of root keys; put a good copy back.") from None
        except ConfigError as error:
            raise KeyringError(str(error)) from None

    def state(self) -> TrustState:
        """Return the trust, verified by the roots; without a file, nobody is trusted. Raises KeyringError."""
        known = self.known_roots()
        if known is None:
            if self.trust.exists():
                raise KeyringError(f"{self.trust}: {_no_roots(self.roots)}")
            return TrustState()
        file = TrustFile(self.trust, known, set_aside=False)
        state = file.load()
        if file.problems:
            raise KeyringError(file.problems[0])
        return state

    def free_for_root(self, name: str) -> None:
        """Raise KeyringError if a root of this name is believed already, or as many as may be."""
        known = self.known_roots()
        named = () if known is None else known.named
        if any(each.name == name for each in named):
            raise KeyringError(f"{name}: a root of this name is in {self.roots} already; take another name.")
        if len(named) >= MOST:
            raise KeyringError(f"{self.roots}: at most {MOST} root keys are taken; remove one that is not in use.")

    def believe(self, new: Sequence[PublicKey]) -> Roots | None:
        """Add root keys to the roots file and return all of them. Raises KeyringError."""
        known = self.known_roots()
        named = () if known is None else known.named
        for key in new:
            if key.kind != "root":
                raise KeyringError(f"{key.name}: is an operator's key, not a root's; name it without --root.")
            if any(each.id == key.id for each in named):
                continue
            self.free_for_root(key.name)
            named = (*named, key)
            self._write(self.roots, "".join(f"{each.line()}\n" for each in named).encode("ascii"), 0o644)
        return Roots(named) if named else None

    def sign(self, trust: Trust, signer: Signer) -> Adopted:
        """Sign the next trust and write it, if it follows on the one that is there. Raises KeyringError."""
        known = self.known_roots()
        if known is None:
            raise KeyringError(f"{self.trust}: {_no_roots(self.roots)}")
        if signer.public.kind != "root" or signer.public.id not in known.keys:
            names = ", ".join(each.name for each in known.named)
            raise KeyringError(f"{signer.public.name}: only a root key signs a trust; known here are {names}.")
        data = encode(signer.sign("trust", encode(trust)))
        state = adopt(self.state(), data, known, trust.issued_at_ns)
        if isinstance(state, Refused):
            raise KeyringError(f"{state.says}.")
        said = TrustFile(self.trust, known).keep(state)
        if said or state.adopted is None:
            raise KeyringError(f"{said}.")
        return state.adopted

    def change(self, signer: Signer, now_ns: int, days: int, how: Callable[[Change], Change]) -> tuple[Adopted, Change]:
        """Change the trust by one version: read, change, sign and write, by one process at a time."""
        with self._alone():
            before = self.state().adopted
            change = how(begun(None if before is None else before.trust, now_ns))
            return self.sign(change.trust(days), signer), change

    @contextmanager
    def _alone(self) -> Iterator[None]:
        path = self.trust.with_name(f".{self.trust.name}.lock")
        try:
            lock = ProcessLock(path)
        except Taken as taken:
            raise KeyringError(f"{self.trust}: {taken} is changing it; wait until that is done.") from taken
        except OSError as error:
            raise KeyringError(f"{path}: cannot be written ({error.strerror}).") from error
        try:
            yield
        finally:
            lock.release()

    def _write(self, path: Path, data: bytes, mode: int) -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(path, data, mode)
        except OSError as error:
            raise KeyringError(f"{path}: cannot be written ({error.strerror}).") from error


def _no_roots(path: Path) -> str:
    return f"{path} is not there, so no root key is known; name one with `platefleet keys trust --root FILE.pub`."
