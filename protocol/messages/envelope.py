"""What only the holder of a key may say: the bytes of a message and a signature over exactly them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from platefleet.protocol.messages.base import Message

SignedType = Literal["command", "cancel", "desired", "trust"]
KeyId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""The first 16 bytes of the SHA-256 of the raw public key, as hexadecimal digits: a key cannot bear another's id."""
SIGNED_LIMIT_BYTES = 128 * 1024


class Envelope(Message):
    """A signed message: `down/command`, `down/desired`, `trust`. Stored and forwarded as it is, never re-encoded.

    signature: Ed25519 (RFC 8032) over `platefleet/1/`, the type, a zero byte and exactly the bytes of `body`.
    key: which key signed; who that is and what it may do is looked up in the trust, never read here.
    """

    type: SignedType
    key: KeyId
    signature: Annotated[bytes, Field(min_length=64, max_length=64)]
    body: Annotated[bytes, Field(min_length=1, max_length=SIGNED_LIMIT_BYTES)]
