"""Commands that are to be sent now, and the note that they were."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, or_, select, update

from platefleet.fleet.console.sending import next_send
from platefleet.fleet.console.tables import command

_SENT = update(command).where(command.c.id == bindparam("of"), command.c.cancel.is_(None))
_CANCEL_SENT = update(command).where(command.c.id == bindparam("of"), command.c.cancel == bindparam("sent_cancel"))


@dataclass(frozen=True, slots=True)
class Due:
    """A command that is to be sent now; cancel: the bytes of its cancel, sent before it.

    envelope: empty for a command that was not signed here, of which only the cancel can be sent.
    """

    id: str
    device: str
    envelope: bytes
    cancel: bytes | None
    sends: int
    answered: bool
    not_after_ns: int


def due_at(connection: Connection, now_ns: int, most: int) -> list[Due]:
    """Return what is to be sent, what waits longest first."""
    query = (
        select(command)
        .where(
            command.c.open,
            command.c.next_ns <= now_ns,
            or_(func.length(command.c.envelope) > 0, command.c.cancel.is_not(None)),
        )
        .order_by(command.c.next_ns, command.c.id)
        .limit(most)
    )
    return [
        Due(
            row.id,
            row.device,
            bytes(row.envelope),
            None if row.cancel is None else bytes(row.cancel),
            row.sends,
            row.number > 0 and row.cancel is None,
            row.not_after_ns,
        )
        for row in connection.execute(query).all()
    ]


def note_sent(connection: Connection, sent: Iterable[Due], now_ns: int) -> None:
    """Note when each is to be sent again, in one statement for all. A cancel that came meanwhile stays due."""
    commands: list[dict[str, Any]] = []
    cancels: list[dict[str, Any]] = []
    for each in sent:
        sends = each.sends + 1
        row = {"of": each.id, "sends": sends, "next_ns": next_send(sends, now_ns, answered=each.answered)}
        if each.cancel is None:
            commands.append(row)
        else:
            cancels.append({**row, "sent_cancel": each.cancel})
    for statement, rows in ((_SENT, commands), (_CANCEL_SENT, cancels)):
        if rows:
            connection.execute(statement, rows)
