"""Who is behind a key, and may it command now? And with that: what was signed, by whom."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from platefleet.protocol import envelope as signed
from platefleet.protocol.codec import decode
from platefleet.protocol.errors import ProtocolError, SignatureError
from platefleet.protocol.messages import Envelope
from platefleet.protocol.messages.envelope import SignedType
from platefleet.protocol.messages.trust import KeyRole, TrustedKey
from platefleet.protocol.moments import utc_text
from platefleet.protocol.trust.adopt import untimely
from platefleet.protocol.trust.refusal import Reason, Refused
from platefleet.protocol.trust.state import Adopted, TrustState

RANK: dict[KeyRole, int] = {"operator": 1, "administrator": 2}


@dataclass(frozen=True, slots=True)
class Operator:
    """A person by the key that signed: nothing of this is read from what was signed."""

    name: str
    role: KeyRole
    key: str

    def may(self, needed: KeyRole) -> bool:
        """Return whether the role is at least the one that is needed.

        >>> Operator("anna", "administrator", "").may("operator"), Operator("bert", "operator", "").may("administrator")
        (True, False)
        """
        return RANK[self.role] >= RANK[needed]


@dataclass(frozen=True, slots=True)
class Opened:
    """What was signed, exactly as it was signed, and by whom."""

    body: bytes
    operator: Operator


def authorize(state: TrustState, key: str, now_ns: int | None) -> Operator | Refused:
    """Return who holds the key of this id, if it may sign commands now, or why not.

    now_ns: UTC; None while the clock cannot be believed: then CLOCK is the reason, unless no clock could help.
    """
    found = _known(state, key)
    return found if isinstance(found, Refused) else _judged(found, key, now_ns)


def is_revoked(state: TrustState, key: str) -> bool:
    """Return whether the trust in force takes this key back: what waits by its word must not begin any more."""
    return state.adopted is not None and state.adopted.revoked_at_ns(key) is not None


def open_signed(state: TrustState, envelope: bytes, type: SignedType, now_ns: int | None) -> Opened | Refused:  # noqa: A002  # the wire's word
    """Return what an encoded envelope of `type` holds and who signed it, if that key may sign now, or why not.

    The signature is judged before the time, so that `Refused.verified` tells whom an answer is owed: a person that the
    trust names, or nobody.
    """
    try:
        made = decode(Envelope, envelope)
    except ProtocolError as error:
        return Refused(Reason.NO_MESSAGE, f"a signed {type} cannot be read: {error}")
    if made.type != type:
        return Refused(Reason.TYPE, f"a signed {made.type} came where only a {type} is taken; it is ignored")
    found = _known(state, made.key)
    if isinstance(found, Refused):
        return found
    try:
        body = signed.open(made, type, {made.key: Ed25519PublicKey.from_public_bytes(found.trusted.key)})
    except SignatureError as error:
        return Refused(Reason.SIGNATURE, str(error))
    judged = _judged(found, made.key, now_ns)
    if isinstance(judged, Refused):
        return Refused(judged.reason, judged.says, verified=True)
    return Opened(body, judged)


@dataclass(frozen=True, slots=True)
class _Found:
    trusted: TrustedKey
    adopted: Adopted


def _known(state: TrustState, key: str) -> _Found | Refused:
    """Return the key as the trust in force names it; what it may is not judged."""
    adopted = state.adopted
    if adopted is None:
        return Refused(Reason.NO_TRUST, "no trust has come to this device yet; the console publishes it")
    trusted = adopted.find(key)
    if trusted is not None:
        return _Found(trusted, adopted)
    version = adopted.trust.trust_version
    says = f"key {key} is not in trust {version}; sign with one that is, or add it with `platefleet keys trust`"
    return _revoked(adopted, key) or Refused(Reason.UNKNOWN_KEY, says)


def _judged(found: _Found, key: str, now_ns: int | None) -> Operator | Refused:
    trusted, adopted = found.trusted, found.adopted
    refused = _revoked(adopted, key)
    if refused is not None:
        return refused
    if now_ns is None:
        return Refused(Reason.CLOCK, "this device's clock is not set yet, so nobody knows whether the key is valid now")
    refused = untimely(adopted.trust, now_ns)
    if refused is not None:
        return Refused(refused.reason, refused.says)
    if now_ns < trusted.not_before_ns:
        says = f"the key of {trusted.name} is valid only from {utc_text(trusted.not_before_ns)}; sign again then"
        return Refused(Reason.KEY_EARLY, says)
    if now_ns >= trusted.not_after_ns:
        ended = utc_text(trusted.not_after_ns)
        return Refused(Reason.KEY_ENDED, f"the key of {trusted.name} ended at {ended}; sign with a newer one")
    return Operator(trusted.name, trusted.role, key)


def _revoked(adopted: Adopted, key: str) -> Refused | None:
    revoked_at_ns = adopted.revoked_at_ns(key)
    if revoked_at_ns is None:
        return None
    says = f"key {key} was revoked at {utc_text(revoked_at_ns)}; nothing that it signed is taken"
    return Refused(Reason.REVOKED, says)
