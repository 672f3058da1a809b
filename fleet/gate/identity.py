"""Is this gate alone under its name? Decided from its own presence, without I/O.

The session backs off when another machine turns up; this holds the barrier still in the meantime. Somebody else was
here if our presence shows an incarnation that our journal does not know, and is gone when none has shown for a while.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from platefleet.protocol.clock import SECOND_NS

QUIET_NS = 30 * SECOND_NS
"""Longer than a machine that was pushed off the broker takes to come back (backoff 15 s at most) and be heard."""
REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class Identity:
    """known: incarnations of this machine. stranger: the last of another, if any. heard_mono_ns: when it showed."""

    known: tuple[str, ...] = ()
    stranger: str = ""
    heard_mono_ns: int = 0


def ours(identity: Identity, incarnation: str) -> Identity:
    """Return the state with one more incarnation of this machine."""
    return replace(identity, known=(*identity.known, incarnation)[-REMEMBERED:])


def heard(identity: Identity, incarnation: str, state: str, mono_ns: int) -> Identity:
    """Take what our own presence says.

    `lost` proves nothing: our own connecting makes the broker publish the will of whom it pushed off. `stopped` is said
    by the other machine itself.
    """
    if not incarnation or incarnation in identity.known:
        return identity
    if state == "stopped":
        return replace(identity, stranger="") if identity.stranger == incarnation else identity
    return replace(identity, stranger=incarnation, heard_mono_ns=mono_ns)


def held(identity: Identity, mono_ns: int) -> str:
    """Return why the gate may not act, or nothing.

    >>> held(heard(Identity(("a",)), "b", "online", 0), QUIET_NS - 1)
    'another machine acts under the name of this gate (its incarnation is b); stop one of them'
    """
    if identity.stranger and mono_ns - identity.heard_mono_ns < QUIET_NS:
        shown = identity.stranger[:32]
        return f"another machine acts under the name of this gate (its incarnation is {shown}); stop one of them"
    return ""
