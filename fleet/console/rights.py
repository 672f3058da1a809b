"""Whether devices would take what a key signs: asked of the published trust before anything is sent. Pure.

Devices judge for themselves; this only spares an operator the wait for their refusal.
"""

from __future__ import annotations

from platefleet.fleet.keys.keyring import Signer
from platefleet.protocol.codec import decode
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.messages import Envelope, Trust
from platefleet.protocol.messages.trust import KeyRole
from platefleet.protocol.trust.authorize import Operator


def refusal(trust: bytes | None, signer: Signer, needed: KeyRole, what: str, now_ns: int) -> str:
    """Return why devices would refuse it; empty: they would not, or no trust says so. trust: the newest envelope."""
    told = _opened(trust)
    if told is None:
        return ""
    name, id_ = signer.public.name, signer.public.id
    if any(each.key == id_ for each in told.revoked):
        return f"{name}: this key was revoked; take the new one."
    mine = next((each for each in told.keys if each.key == signer.public.raw), None)
    if mine is None:
        return f"{name}: the published trust does not know this key; `platefleet keys trust`, then `console trust`."
    if not mine.not_before_ns <= now_ns < mine.not_after_ns:
        return f"{name}: this key is not trusted now; `platefleet keys show` says when it is."
    if not Operator(mine.name, mine.role, id_).may(needed):
        return f"{name}: is an {mine.role}, and {what} takes an {needed}."
    return ""


def _opened(envelope: bytes | None) -> Trust | None:
    """Return the trust; None for none, or for what a newer release signed."""
    try:
        return None if envelope is None else decode(Trust, decode(Envelope, envelope).body)
    except ProtocolError:
        return None
