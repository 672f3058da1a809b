"""What people ask of the console's database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, Select, or_, select

from platefleet.fleet.console.database import ConsoleDatabase
from platefleet.fleet.console.known import known_of
from platefleet.fleet.console.tables import command, desired, device, status, trust
from platefleet.models.operations import operations
from platefleet.models.operations.reading import result_of
from platefleet.protocol.codec import decode
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.messages import CommandStatus
from platefleet.protocol.messages.desired import Role


class Asked:
    """Reads; changes nothing. Any thread and any program may use one."""

    def __init__(self, database: ConsoleDatabase) -> None:
        self._database = database

    def devices(self) -> list[Row[Any]]:
        """Return every device that is not retired, in order."""
        known = or_(device.c.kind != "", device.c.enrolled_ns.is_not(None))
        return self._rows(select(device).where(device.c.retired_ns.is_(None), known).order_by(device.c.device))

    def device(self, name: str) -> Row[Any] | None:
        """Return one device."""
        rows = self._rows(select(device).where(device.c.device == name))
        return rows[0] if rows else None

    def commands(self, ids: Sequence[str]) -> list[Row[Any]]:
        """Return commands by id, in the order of their ids."""
        return self._rows(select(command).where(command.c.id.in_(ids)).order_by(command.c.id))

    def history(self, *, device_: str | None = None, open_: bool | None = None, most: int = 50) -> list[Row[Any]]:
        """Return the newest commands, newest first."""
        query = select(command).order_by(command.c.issued_ns.desc(), command.c.id.desc()).limit(most)
        if device_ is not None:
            query = query.where(command.c.device == device_)
        if open_ is not None:
            query = query.where(command.c.open == open_)
        return self._rows(query)

    def statuses(self, id_: str) -> list[tuple[int, CommandStatus]]:
        """Return all that was heard of a command, in order, and when."""
        rows = self._rows(select(status).where(status.c.command == id_).order_by(status.c.number))
        return [(row.heard_ns, decode(CommandStatus, bytes(row.body))) for row in rows]

    def desired(self, name: str) -> Row[Any] | None:
        """Return what is desired of a device."""
        rows = self._rows(select(desired).where(desired.c.device == name))
        return rows[0] if rows else None

    def artifact_keys(self) -> dict[Role, list[str]]:
        """Return the keys of artifacts that devices spoke of, by role: those that serve, and those they built."""
        found: dict[Role, list[str]] = {}
        for row in self.devices():
            info = known_of(row).info
            for role, key in ({} if info is None or info.reported is None else info.reported.active).items():
                found.setdefault(role, []).append(key)
        built = select(status.c.body).join(command, command.c.id == status.c.command)
        for row in self._rows(built.where(command.c.operation == "build", command.c.state == "succeeded")):
            for role, key in _built(bytes(row.body)):
                found.setdefault(role, []).append(key)
        return found

    def by_prefix(self, prefix: str) -> list[str]:
        """Return the ids of commands that begin or end so, at most three."""
        found = or_(command.c.id.startswith(prefix, autoescape=True), command.c.id.endswith(prefix, autoescape=True))
        return [row.id for row in self._rows(select(command.c.id).where(found).limit(3))]

    def _rows(self, query: Select[Any]) -> list[Row[Any]]:
        with self._database.begin() as connection:
            return list(connection.execute(query).all())

    def trust_ends(self) -> int | None:
        """Return when the newest published trust ends, UTC nanoseconds; None: none was published."""
        rows = self._rows(select(trust.c.ends_ns).order_by(trust.c.version.desc()).limit(1))
        return int(rows[0].ends_ns) if rows else None


def _built(body: bytes) -> Iterator[tuple[Role, str]]:
    """Yield role and key of the artifact that a status tells of, if it does."""
    try:
        told = decode(CommandStatus, body)
        if told.result is not None:
            passport = result_of(operations()["build"], told.result).passport
            yield passport["role"], passport["key"]
    except (ProtocolError, KeyError):
        return  # of another release
