"""What a console believes of a command: statuses come late, twice and out of order, and none moves one backwards."""

from __future__ import annotations

from platefleet.protocol.commands.lifecycle import TERMINAL
from platefleet.protocol.messages.command import CommandStatus


def newer(known: CommandStatus | None, heard: CommandStatus) -> CommandStatus | None:
    """Return `heard` if it says more than what is known of the same command, else None.

    A command's statuses are numbered; a terminal one is the last whatever comes after it. A device that was set up anew
    has another install id and knows nothing of the command: that is told, unless the command was over.
    """
    if known is None:
        return heard
    if known.command != heard.command or known.state in TERMINAL:
        return None
    if known.install != heard.install:
        return heard if heard.state in TERMINAL else None
    return heard if heard.number > known.number else None
