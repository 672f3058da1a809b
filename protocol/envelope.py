"""Signing and opening envelopes: Ed25519 over `platefleet/1/<type>`, a zero byte and exactly the bytes that are sent.

The type is part of what is signed, so that no signature made for one kind of message is good for another; the zero
byte ends it, so that no type and body can be cut differently. Who a key is, what it may do and whether a message is too
old or comes a second time is not judged here.

>>> from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
>>> key = Ed25519PrivateKey.from_private_bytes(bytes(32))
>>> signed = sign("command", b"restart", key)
>>> open(signed, "command", {key_id(key.public_key()): key.public_key()})
b'restart'
>>> open(signed, "desired", {key_id(key.public_key()): key.public_key()})
Traceback (most recent call last):
platefleet.protocol.errors.SignatureError: an envelope of a command came where only desired is taken; it is ignored
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from platefleet.protocol.errors import Oversized, ProtocolError, SignatureError
from platefleet.protocol.messages.envelope import SIGNED_LIMIT_BYTES, Envelope, SignedType


def key_id(key: Ed25519PublicKey) -> str:
    """Return the id of a public key: the first 16 bytes of its SHA-256, as 32 hexadecimal digits."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:32]


def signed_bytes(type: SignedType, body: bytes) -> bytes:  # noqa: A002  # the wire's word
    r"""Return what the signature is over.

    >>> signed_bytes("trust", b"x")
    b'platefleet/1/trust\x00x'
    """
    return b"platefleet/1/" + type.encode("ascii") + b"\0" + body


def sign(type: SignedType, body: bytes, key: Ed25519PrivateKey) -> Envelope:  # noqa: A002  # the wire's word
    """Return the envelope of `body`. Raises Oversized for a body above 128 KiB, ProtocolError for an empty one."""
    if not body:
        raise ProtocolError(f"{type}: there is nothing to sign")
    if len(body) > SIGNED_LIMIT_BYTES:
        raise Oversized(f"{type}: {len(body)} bytes to sign, at most {SIGNED_LIMIT_BYTES} are taken")
    return Envelope(type=type, key=key_id(key.public_key()), signature=key.sign(signed_bytes(type, body)), body=body)


def open(envelope: Envelope, type: SignedType, keys: Mapping[str, Ed25519PublicKey]) -> bytes:  # noqa: A001, A002
    """Return the body, exactly as it was signed as a `type` by one of `keys` (by `key_id`).

    Raises SignatureError for another type, a key that is not among them, and a signature that does not fit.
    """
    if envelope.type != type:
        raise SignatureError(f"an envelope of a {envelope.type} came where only {type} is taken; it is ignored")
    key = keys.get(envelope.key)
    if key is None:
        raise SignatureError(f"{type}: key {envelope.key} is not trusted for it; sign with one that is, or trust it")
    if key_id(key) != envelope.key:
        raise SignatureError(f"{type}: the trusted key under {envelope.key} is another one; repair the trusted keys")
    try:
        key.verify(envelope.signature, signed_bytes(type, envelope.body))
    except InvalidSignature:
        raise SignatureError(
            f"{type}: the signature by key {envelope.key} does not fit what it signs; it was changed on its way"
        ) from None
    return envelope.body
