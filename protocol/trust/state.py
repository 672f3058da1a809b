"""What a program believes about who may command: the newest verified trust, and how far versions had risen."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from platefleet.protocol.messages.trust import Trust, TrustedKey


@dataclass(frozen=True, slots=True)
class Floor:
    """The highest version that was ever adopted, what it said, and by which root. Nothing below is taken.

    digest: SHA-256 of the body, by which the very same version is taken again when its bytes are lost.
    root: a floor ends with its root: who no longer configures a stolen root key is not bound by what it signed.
    """

    version: int
    digest: str
    root: str


@dataclass(frozen=True, slots=True)
class Adopted:
    """A verified trust: the envelope exactly as it came, to be stored and forwarded so; what it says; who signed it."""

    envelope: bytes
    trust: Trust
    floor: Floor

    def find(self, key: str) -> TrustedKey | None:
        """Return the trusted key of this id."""
        return next((each for each in self.trust.keys if id_of(each) == key), None)

    def revoked_at_ns(self, key: str) -> int | None:
        """Return when the key of this id was revoked; None if it was not."""
        return next((each.revoked_at_ns for each in self.trust.revoked if each.key == key), None)


@dataclass(frozen=True, slots=True)
class TrustState:
    """The newest verified trust, if there is one, and the floor, which outlives a trust whose bytes were lost."""

    adopted: Adopted | None = None
    floor: Floor | None = None

    @property
    def version(self) -> int:
        """Return the version in force, 0 without one: what a device reports as `trust_version`."""
        return 0 if self.adopted is None else self.adopted.trust.trust_version

    @property
    def issued_at_ns(self) -> int:
        """Return when the trust in force was issued: a clock that says less is behind."""
        return 0 if self.adopted is None else self.adopted.trust.issued_at_ns


def id_of(key: TrustedKey) -> str:
    """Return the id by which envelopes name a trusted key; `envelope.key_id` of it."""
    return hashlib.sha256(key.key).hexdigest()[:32]
