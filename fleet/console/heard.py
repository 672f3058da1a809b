"""What a device said of a command, into the console's tables; in the caller's transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from platefleet.fleet.console.sending import next_send
from platefleet.fleet.console.tables import command, device, status
from platefleet.fleet.store.project import text
from platefleet.protocol.codec import decode, encode
from platefleet.protocol.commands.lifecycle import TERMINAL
from platefleet.protocol.commands.seen import newer
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.messages import CommandStatus, Info

MISSED_NS = 120 * 1_000_000_000
"""A status may be so long on its way behind an info that does not have its command any more."""
PENDING = "pending"
"""A command of which no status came yet."""

# Made once: to make them costs as much as to run them, and a thousand devices tell three statuses of one order.
_COMMAND = select(command).where(command.c.id == bindparam("of")).with_for_update()
_MOVE = (
    update(command)
    .where(command.c.id == bindparam("of"))
    .values(
        fraction=None,
        **{
            column: bindparam(f"new_{column}")
            for column in ("state", "number", "reason", "step", "updated_ns", "open", "next_ns")
        },
    )
)
_STATUS = select(status.c.body).where(status.c.command == bindparam("of"), status.c.number == bindparam("nr"))
_TOLD = insert(status)
_TOLD_ANEW = (
    update(status)
    .where(status.c.command == bindparam("of"), status.c.number == bindparam("nr"))
    .values(heard_ns=bindparam("new_heard_ns"), body=bindparam("new_body"))
)
_CHOICES = (
    update(device)
    .where(device.c.device == bindparam("of"), device.c.choices < bindparam("most"))
    .values(choices=bindparam("most"))
)


def insertion(connection: Connection, table: Table) -> Any:
    """Return an insert that can say what happens where such a row stands already: another program may write too."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def known(connection: Connection, name: str) -> Row[Any]:
    """Return a device's row, locked until the transaction ends; made now if it is heard of for the first time."""
    query = select(device).where(device.c.device == name).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        connection.execute(insertion(connection, device).values(device=name).on_conflict_do_nothing())
        row = connection.execute(query).one()
    return row


def heard_status(connection: Connection, device_: str, heard: CommandStatus, now_ns: int) -> int:
    """Take a status; return 1 if it said something new, else 0. None moves a command backwards."""
    # Locked: an operator who cancels it at this moment wants it sent at once, and not when this one read it to be.
    row = connection.execute(_COMMAND, {"of": heard.command}).one_or_none()
    if row is None:
        row = _own(connection, device_, heard, now_ns)
    elif row.device != device_ or _void(connection, row, heard):
        return 0
    elif row.number > 0 and not row.open and heard.state not in TERMINAL:
        return 0  # it is over here, be it because the device was set up anew: what comes late opens nothing again
    elif row.number > 0:
        known = connection.execute(_STATUS, {"of": row.id, "nr": row.number}).scalar()
        try:
            if newer(None if known is None else decode(CommandStatus, bytes(known)), heard) is None:
                return 0
        except ProtocolError:  # written by a newer release of the console: what is heard now can at least be read
            pass
    why = "" if heard.why is None else heard.why.says
    moved = {
        "of": heard.command,
        "new_state": heard.state,
        "new_number": heard.number,
        "new_reason": text(heard.reason or why),
        "new_step": None if heard.step is None else text(heard.step),
        "new_updated_ns": now_ns,
        "new_open": heard.state not in TERMINAL,
        "new_next_ns": next_send(1, now_ns, answered=True) if row.cancel is None else row.next_ns,
    }
    connection.execute(_MOVE, moved)
    body = encode(heard)
    if connection.execute(_STATUS, {"of": heard.command, "nr": heard.number}).one_or_none() is None:
        told = {"command": heard.command, "number": heard.number, "heard_ns": now_ns, "body": body}
        connection.execute(_TOLD, told)
    else:  # of another install, which begins to count anew: what is believed is what is kept
        told = {"of": heard.command, "nr": heard.number, "new_heard_ns": now_ns, "new_body": body}
        connection.execute(_TOLD_ANEW, told)
    if heard.choices > 0:
        connection.execute(_CHOICES, {"of": device_, "most": heard.choices})
    return 1


def _own(connection: Connection, device_: str, heard: CommandStatus, now_ns: int) -> Row[Any]:
    """Take a command that was not signed here: the device gave it to itself, or an older database was put back."""
    row = {
        "id": heard.command,
        "device": device_,
        "install": heard.install,
        "operation": heard.operation,
        "arguments": "{}",
        "operator": text(heard.operator),
        "issued_ns": heard.at.utc_ns,
        "not_after_ns": heard.at.utc_ns,
        "envelope": b"",
        "state": PENDING,
        "updated_ns": now_ns,
        "open": True,
        "next_ns": 0,
    }
    connection.execute(insert(command), row)
    return connection.execute(select(command).where(command.c.id == heard.command)).one()


def _void(connection: Connection, row: Row[Any], heard: CommandStatus) -> bool:
    """Return whether a status was told by a device that was set up anew since: what it had begun, nobody ends."""
    if heard.state in TERMINAL or row.open:
        return False
    install = connection.execute(select(device.c.install).where(device.c.device == row.device)).scalar()
    return bool(install) and install != heard.install


def reconcile(connection: Connection, info: Info, now_ns: int) -> int:
    """End what a device gave itself and has open no more, its last status having been missed; return how many.

    Only those that were not signed here: what an operator signed is asked for again until its end is heard.
    """
    changed = connection.execute(
        update(command)
        .where(
            command.c.device == info.device,
            command.c.open,
            func.length(command.c.envelope) == 0,
            command.c.updated_ns < now_ns - MISSED_NS,
            command.c.id.not_in(info.commands),
        )
        .values(
            state="expired", open=False, updated_ns=now_ns, reason="it ended while nobody listened here; ask the store"
        )
    )
    return changed.rowcount
