"""Who may command devices: the keys, their holders' names and roles, and until when; said by a root key alone."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from platefleet.protocol.ids import NAME_PATTERN
from platefleet.protocol.messages.base import Message, Nanoseconds, Part, Sequence
from platefleet.protocol.messages.envelope import SIGNED_LIMIT_BYTES, KeyId

KeyRole = Literal["operator", "administrator"]
"""Whoever is an administrator may all that an operator may. The console service holds no key and has no role."""
OperatorName = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
"""A person's name in logs and statuses; printable, so that it can stand in a file name and a terminal."""
PublicBytes = Annotated[bytes, Field(min_length=32, max_length=32)]
"""A raw Ed25519 public key (RFC 8032, section 5.1.5)."""
KEYS_LIMIT = 64
REVOKED_LIMIT = 256


class TrustedKey(Part):
    """A key that may sign commands, from `not_before_ns` on and before `not_after_ns` (UTC).

    A person may have several at once: while one is replaced, the old one and the new one.
    """

    key: PublicBytes
    name: OperatorName
    role: KeyRole
    not_before_ns: Nanoseconds
    not_after_ns: Nanoseconds


class RevokedKey(Part):
    """A key of which nothing is taken any more, whenever it was signed and whatever the clock says.

    revoked_at_ns: when somebody said so, for people.
    """

    key: KeyId
    revoked_at_ns: Nanoseconds


class Trust(Message):
    """The trusted keys; body of an envelope of type `trust`. A higher `trust_version` replaces all that was said.

    trust_version: rises with every change; a device never goes back to a lower one. ends_at_ns: from then on no key is
    trusted, so that a newer version that somebody keeps back is missed by all; at most 90 days after `issued_at_ns`.
    """

    LIMIT_BYTES: ClassVar[int] = SIGNED_LIMIT_BYTES

    trust_version: Sequence
    issued_at_ns: Nanoseconds
    ends_at_ns: Nanoseconds
    keys: Annotated[tuple[TrustedKey, ...], Field(max_length=KEYS_LIMIT)] = ()
    revoked: Annotated[tuple[RevokedKey, ...], Field(max_length=REVOKED_LIMIT)] = ()
