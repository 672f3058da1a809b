"""Is this trust message the new truth? Only with a root's signature, never below the version that was seen.

Time is judged where it is known. Without it a message is adopted by its version alone, and `authorize` judges the time
of each use: nobody commands by a trust that has ended.
"""

from __future__ import annotations

import hashlib

from platefleet.protocol import envelope as signed
from platefleet.protocol.codec import decode
from platefleet.protocol.errors import ProtocolError, SignatureError
from platefleet.protocol.messages import Envelope, Trust
from platefleet.protocol.moments import DAY_NS, utc_text
from platefleet.protocol.trust.public_key import is_weak
from platefleet.protocol.trust.refusal import Reason, Refused
from platefleet.protocol.trust.roots import Roots
from platefleet.protocol.trust.state import Adopted, Floor, TrustState

LONGEST_NS = 90 * DAY_NS
"""A revocation that somebody keeps from a device takes effect by itself after as long at the latest."""
EARLY_NS = DAY_NS
"""How far a trust may be issued ahead of one's own clock; beyond, one of both is wrong."""


def adopt(state: TrustState, envelope: bytes, roots: Roots, now_ns: int | None) -> TrustState | Refused:
    """Return the state with the trust in `envelope` adopted, the very same state if it says nothing new, or why not.

    envelope: an encoded `Envelope`, as it came; an empty one (a retained message that was deleted) says nothing.
    now_ns: UTC, None while the clock cannot be believed.
    """
    if not envelope:
        return state
    opened = verify(envelope, roots)
    if isinstance(opened, Refused):
        return opened
    adopted = state.adopted
    if adopted is not None and (adopted.floor.version, adopted.floor.digest) == (
        opened.floor.version,
        opened.floor.digest,
    ):
        return state
    refused = _version(state, opened) or unfit(opened.trust) or untimely(opened.trust, now_ns)
    return TrustState(opened, opened.floor) if refused is None else refused


def verify(envelope: bytes, roots: Roots) -> Adopted | Refused:
    """Return the trust in an encoded envelope if a root key signed it; its version and times are not judged."""
    try:
        made = decode(Envelope, envelope)
    except ProtocolError as error:
        return Refused(Reason.NO_MESSAGE, f"a trust message cannot be read: {error}")
    if made.type != "trust":
        return Refused(Reason.TYPE, f"a signed {made.type} came where only a trust is taken; it is ignored")
    if made.key not in roots.keys:
        names = ", ".join(root.name for root in roots.named)
        return Refused(Reason.NO_ROOT, f"a trust by key {made.key}, which is no configured root ({names}), is ignored")
    try:
        body = signed.open(made, "trust", roots.keys)
    except SignatureError as error:
        return Refused(Reason.SIGNATURE, str(error))
    try:
        trust = decode(Trust, body)
    except ProtocolError as error:
        return Refused(Reason.NO_MESSAGE, f"what root key {made.key} signed cannot be read: {error}", verified=True)
    return Adopted(envelope, trust, Floor(trust.trust_version, hashlib.sha256(body).hexdigest(), made.key))


def unfit(trust: Trust) -> Refused | None:
    """Return why a trust can be in force at no time at all: it ends too late, or a key in it is unfit."""
    version = trust.trust_version
    if not 0 < trust.ends_at_ns - trust.issued_at_ns <= LONGEST_NS:
        return Refused(
            Reason.TOO_LONG,
            f"trust {version} is to hold from {utc_text(trust.issued_at_ns)} to {utc_text(trust.ends_at_ns)}; "
            f"at most {LONGEST_NS // DAY_NS} days are taken, sign one that ends earlier",
            verified=True,
        )
    for at, each in enumerate(trust.keys):
        if is_weak(each.key):
            says = f"trust {version} names for {each.name} a key under which anybody can sign; make one with `keys new`"
            return Refused(Reason.UNFIT, says, verified=True)
        if any(each.key == other.key for other in trust.keys[:at]):
            says = f"trust {version} names one key twice, of {each.name}; which role it has cannot be told"
            return Refused(Reason.UNFIT, says, verified=True)
    return None


def untimely(trust: Trust, now_ns: int | None) -> Refused | None:
    """Return why a trust is not in force now; None if it is, or if nobody knows what time it is."""
    version = trust.trust_version
    if now_ns is None:
        return None
    if now_ns >= trust.ends_at_ns:
        says = f"trust {version} ended at {utc_text(trust.ends_at_ns)}; renew it with `platefleet keys trust`"
        return Refused(Reason.TRUST_ENDED, says, verified=True)
    if now_ns < trust.issued_at_ns - EARLY_NS:
        says = (
            f"trust {version} was issued at {utc_text(trust.issued_at_ns)}, but here it is {utc_text(now_ns)}; "
            "correct the clock that is wrong"
        )
        return Refused(Reason.TRUST_EARLY, says, verified=True)
    return None


def _version(state: TrustState, new: Adopted) -> Refused | None:
    floor = state.floor
    if floor is None or new.floor.version > floor.version:
        return None
    version = new.floor.version
    if version < floor.version:
        says = f"trust {version} is older than {floor.version}, which this device has seen; it is ignored"
        return Refused(Reason.OLDER, says, verified=True)
    if new.floor.digest != floor.digest:
        says = (
            f"two different messages were signed as trust {version} (by {floor.root} and {new.floor.root}): a root key "
            "may be in wrong hands; find out who signed, and sign a higher version"
        )
        return Refused(Reason.CLASH, says, verified=True)
    return None
