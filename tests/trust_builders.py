"""Keys, trusts and commands for tests; each names only what matters in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from platefleet.protocol.codec import encode
from platefleet.protocol.envelope import key_id, sign
from platefleet.protocol.messages import RevokedKey, Trust, TrustedKey
from platefleet.protocol.messages.envelope import SignedType
from platefleet.protocol.messages.trust import KeyRole
from platefleet.protocol.moments import DAY_NS
from platefleet.protocol.trust import Refused, Roots, TrustState, adopt, public_key

T0 = 1_795_000_000_000_000_000
DAY = DAY_NS


def a_key(name: str) -> Ed25519PrivateKey:
    """Return the key of this name: always the same."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def id_of(name: str) -> str:
    return key_id(a_key(name).public_key())


VAULT, SAFE, STRANGER = a_key("vault"), a_key("safe"), a_key("stranger")
ROOTS = Roots(
    tuple(
        public_key(key.public_key().public_bytes_raw(), "root", name)
        for key, name in ((VAULT, "vault"), (SAFE, "safe"))
    )
)


def trusted(
    name: str = "anna", *, role: KeyRole = "operator", key: str = "", since: int = T0 - DAY, until: int = T0 + 400 * DAY
) -> TrustedKey:
    raw = a_key(key or name).public_key().public_bytes_raw()
    return TrustedKey(key=raw, name=name, role=role, not_before_ns=since, not_after_ns=until)


def a_trust(
    version: int = 1,
    *keys: TrustedKey,
    revoked: Iterable[str] = (),
    issued: int = T0,
    days: float = 90,
) -> Trust:
    return Trust(
        trust_version=version,
        issued_at_ns=issued,
        ends_at_ns=issued + int(days * DAY),
        keys=keys,
        revoked=tuple(RevokedKey(key=id_of(name), revoked_at_ns=issued) for name in revoked),
    )


def told(trust: Trust, root: Ed25519PrivateKey = VAULT, kind: SignedType = "trust") -> bytes:
    """Return the bytes of the envelope."""
    return encode(sign(kind, encode(trust), root))


def adopted(trust: Trust, state: TrustState | None = None, now: int | None = None) -> TrustState:
    """Return the state that has adopted `trust`, or fail with the refusal."""
    judged = adopt(state or TrustState(), told(trust), ROOTS, trust.issued_at_ns if now is None else now)
    assert not isinstance(judged, Refused), judged
    return judged


def ordered(name: str = "anna", body: bytes = b"a command", kind: SignedType = "command") -> bytes:
    """Return the bytes of an envelope that the key of this name signed."""
    return encode(sign(kind, body, a_key(name)))
