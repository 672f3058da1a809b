"""A public key as one line of text: for a file beside the private half, and for a configuration.

>>> line = "platefleet-operator-key 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo= anna administrator"
>>> parse_line(line)
PublicKey(kind='operator', name='anna', role='administrator', id='21fe31dfa154a261626bf854046fd227')
>>> parse_line(line).line() == line
True
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Literal, get_args

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from platefleet.protocol.envelope import key_id
from platefleet.protocol.errors import ConfigError
from platefleet.protocol.ids import NAME_PATTERN
from platefleet.protocol.messages.trust import KeyRole

KeyKind = Literal["root", "operator"]
LINE_LIMIT = 256
_SMALL_ORDER = frozenset(
    bytes.fromhex(low)[:31]
    for low in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)
"""The points of order 1, 2, 4 and 8 in every encoding (source: libsodium, `ge25519_has_small_order`), compared without
the last byte: to meet one by chance is as likely as guessing a key. Under them anybody can sign."""


def is_weak(raw: bytes) -> bool:
    """Return whether signatures under this raw public key prove nothing."""
    return raw[:31] in _SMALL_ORDER


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key with what its holder asks to be. Only the trust says what a key really may."""

    kind: KeyKind
    name: str
    role: KeyRole | None
    id: str
    raw: bytes = field(repr=False)

    @property
    def key(self) -> Ed25519PublicKey:
        """Return the key to verify with."""
        return Ed25519PublicKey.from_public_bytes(self.raw)

    def line(self) -> str:
        """Return the one line, without a line end."""
        parts = [f"platefleet-{self.kind}-key", base64.b64encode(self.raw).decode("ascii"), self.name]
        return " ".join([*parts, self.role] if self.role else parts)


def public_key(raw: bytes, kind: KeyKind, name: str, role: KeyRole | None = None) -> PublicKey:
    """Return the key of 32 raw bytes. Raises ConfigError for one that proves nothing, and for a name that is none."""
    if len(raw) != 32 or is_weak(raw):
        raise ConfigError(
            f"{name[:64]!a}: these bytes are no public key that proves anything; make one with `keys new`."
        )
    return PublicKey(kind, checked_name(name), role, key_id(Ed25519PublicKey.from_public_bytes(raw)), raw)


def checked_name(name: str) -> str:
    """Return `name` if it can name a key. Raises ConfigError otherwise."""
    if not re.fullmatch(NAME_PATTERN.removesuffix("$"), name):
        raise ConfigError(f"{name[:64]!a} cannot name a key; 1 to 64 of A-Z a-z 0-9 . _ - would be right.")
    return name


def parse_line(text: str, source: str = "the public key") -> PublicKey:
    """Return the key of one line. Raises ConfigError that begins with `source`."""
    line = text.strip()
    if line.startswith("-----BEGIN") and "PRIVATE KEY" in line.splitlines()[0]:
        raise ConfigError(
            f"{source}: this is a private key, which nobody else may see; the file ending in .pub is wanted."
        )
    parts = line.split(" ") if len(line) <= LINE_LIMIT else []
    match parts:
        case ["platefleet-root-key", data, name]:
            return _parsed(data, "root", name, None, source)
        case ["platefleet-operator-key", data, name, ("operator" | "administrator") as role]:
            return _parsed(data, "operator", name, role, source)
        case ["platefleet-operator-key", _, _, role]:
            raise ConfigError(f"{source}: {role[:40]!a} is no role; {' or '.join(get_args(KeyRole))} would be right.")
    raise ConfigError(
        f"{source}: this is no public key; a line that begins with platefleet-root-key or -operator-key is."
    )


def _parsed(data: str, kind: KeyKind, name: str, role: KeyRole | None, source: str) -> PublicKey:
    try:
        raw = base64.b64decode(data.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if base64.b64encode(raw).decode("ascii") != data or len(raw) != 32:
        raise ConfigError(f"{source}: the key in it is not the base64 of 32 bytes; copy the whole line again.")
    try:
        return public_key(raw, kind, name, role)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None
