"""Whether a choice that waited has been overtaken: a newer one was made for the same thing since it was taken."""

from __future__ import annotations

from platefleet.agent.commands.journal import Journal, Written
from platefleet.protocol.codec import decode
from platefleet.protocol.messages import Command, Envelope

HISTORY = 128
SINCE = "desired since"
"""The name under which the journal has the version of the desired state in force."""
_NEVER_TAKEN = ("rejected", "expired", "cancelled")
_CHOOSES = {"activate": "artifact", "rollback": "artifact", "set-window": "window"}


def version_of(written: Written) -> int | None:
    """Return the version of the device's choices that a command made when it was taken; None: it makes none."""
    if not written.envelope or written.order.operation not in _CHOOSES:
        return None
    command = decode(Command, decode(Envelope, written.envelope).body)
    return (command.builds_on or 0) + 1


def newer(journal: Journal, written: Written) -> int | None:
    """Return the version of a newer choice for the same thing; None: there is none. Raises JournalError."""
    version = version_of(written)
    if version is None:
        return None
    desired = int(journal.meta(SINCE) or 0)
    if desired > version:
        return desired
    for other, _ in journal.history(HISTORY):
        theirs = version_of(other)
        if theirs is not None and theirs > version and _same(other, written) and other.life.state not in _NEVER_TAKEN:
            return theirs
    return None


def _same(one: Written, other: Written) -> bool:
    kinds = (_CHOOSES[one.order.operation], _CHOOSES[other.order.operation])
    return kinds[0] == kinds[1] and one.arguments.get("role") == other.arguments.get("role")
