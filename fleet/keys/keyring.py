"""Private keys in files: making one, and loading one to sign with.

A file says on its first line which key it holds, readable without the passphrase; under it stands PKCS #8 in PEM. That
the two belong together is checked when the key is loaded.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from platefleet.fleet.keys.errors import KeyringError
from platefleet.fleet.keys.pkcs8 import to_pem
from platefleet.protocol import envelope
from platefleet.protocol.durable import sync_folder
from platefleet.protocol.errors import ConfigError
from platefleet.protocol.messages import Envelope
from platefleet.protocol.messages.envelope import SignedType
from platefleet.protocol.messages.trust import KeyRole
from platefleet.protocol.trust import PublicKey, parse_line, public_key
from platefleet.protocol.trust.public_key import KeyKind

LIMIT_BYTES = 16 * 1024
"""A key's file has less than one; more is another file."""
SHORTEST_PASSPHRASE = 8
_ENCRYPTED, _PLAIN = "-----BEGIN ENCRYPTED PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----"
Passphrase = Callable[[str], bytes]
"""Asked only for a key that needs one; gets the key's name for the question."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key that is ready to sign. public: who its file says it is; warning: a sentence, or nothing."""

    public: PublicKey
    _key: Ed25519PrivateKey = field(repr=False)
    warning: str = ""

    def sign(self, type: SignedType, body: bytes) -> Envelope:  # noqa: A002  # the wire's word
        """Return the envelope of `body`. Raises ProtocolError for one that is empty or too large."""
        return envelope.sign(type, body, self._key)


def make(path: Path, kind: KeyKind, name: str, role: KeyRole | None, passphrase: bytes | None) -> PublicKey:
    """Make a key: the private half in `path` (mode 0600), the public one beside it in `….pub`.

    Never writes over a file. Raises KeyringError, ConfigError for a name that is none.
    """
    key = Ed25519PrivateKey.generate()
    public = public_key(key.public_key().public_bytes_raw(), kind, name, role)
    if passphrase is not None and len(passphrase) < SHORTEST_PASSPHRASE:
        raise KeyringError(
            f"{name}: a passphrase of {SHORTEST_PASSPHRASE} characters at least is wanted; take a longer one."
        )
    beside = public_path(path)
    for each in (path, beside):
        if each.exists():
            raise KeyringError(f"{each}: is there already and is not written over; name another file with --out.")
    line = f"{public.line()}\n".encode("ascii")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(path, line + to_pem(key, passphrase), 0o600)
        _write(beside, line, 0o644)
        sync_folder(path.parent)
    except OSError as error:
        raise KeyringError(f"{error.filename or path}: cannot be written ({error.strerror}).") from error
    return public


def load_signer(path: Path, passphrase: Passphrase) -> Signer:
    """Return the key of a file. Raises KeyringError."""
    text, mode = _read(path)
    public = told_by(text, str(path))
    begin = _begin_of_private(text)
    if begin is None:
        raise KeyringError(f"{path}: this is the public half; the private one is wanted, which ends in .pem.")
    warning = ""
    if mode & 0o077:
        if begin == _PLAIN:
            raise KeyringError(f"{path}: others may read this key, and it has no passphrase; `chmod 600 {path}`.")
        warning = f"{path}: others may read this file, and so guess at its passphrase; `chmod 600 {path}`."
    secret = passphrase(public.name) if begin == _ENCRYPTED else None
    try:
        key = load_pem_private_key(text[text.index(begin) :].encode("ascii"), secret)
    except (ValueError, TypeError) as error:
        why = "the passphrase is wrong, or the file is damaged" if secret is not None else "the file is damaged"
        raise KeyringError(f"{path}: {why}; try again, or take the copy of this key.") from error
    if not isinstance(key, Ed25519PrivateKey) or key.public_key().public_bytes_raw() != public.raw:
        raise KeyringError(f"{path}: holds another key than its first line says; take the copy of this key.")
    return Signer(public, key, warning)


def load_public(path: Path) -> PublicKey:
    """Return the public key of a `.pub` file, or of a private key's first line. Raises KeyringError."""
    return offered(path)[0]


def offered(path: Path) -> tuple[PublicKey, str]:
    """Return the public key that a person handed over, and a warning; empty: none. Raises KeyringError."""
    text = _read(path)[0]
    warning = f"{path}: is the private half, which its holder alone should have; its public half was taken."
    return told_by(text, str(path)), warning if _begin_of_private(text) else ""


def told_by(text: str, source: str) -> PublicKey:
    """Return the key that the first line of a file names. Raises KeyringError."""
    lines = text.splitlines() or [""]
    try:
        return parse_line(lines[0], source)
    except ConfigError as error:
        if lines[0] in (_ENCRYPTED, _PLAIN):
            raise KeyringError(f"{source}: does not say whose key it is; take one that `keys new` made.") from None
        raise KeyringError(str(error)) from None


def _begin_of_private(text: str) -> str | None:
    """Return the line at which the private half begins; None: there is only the public one."""
    return next((line for line in text.splitlines() if line in (_ENCRYPTED, _PLAIN)), None)


def public_path(path: Path) -> Path:
    """Return where the public half of a private key lies."""
    return path.with_name(f"{path.name.removesuffix('.pem')}.pub")


def _read(path: Path) -> tuple[str, int]:
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT_BYTES + 1)
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    except OSError as error:
        raise KeyringError(f"{path}: cannot be read ({error.strerror}); name a key's file.") from error
    try:
        return data[:LIMIT_BYTES].decode("ascii"), mode
    except UnicodeDecodeError:
        raise KeyringError(f"{path}: this is no key; a file that `keys new` made is wanted.") from None


def _write(path: Path, data: bytes, mode: int) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        written = 0
        while written < len(data):
            written += os.write(file, data[written:])
        os.fchmod(file, mode)
        os.fsync(file)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(file)
