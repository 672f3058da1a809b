"""Every change of the console's database, each in one transaction: what was signed, sent, heard."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, bindparam, delete, insert, not_, select, update

from platefleet.fleet.console.database import ConsoleDatabase
from platefleet.fleet.console.due import Due, due_at, note_sent
from platefleet.fleet.console.heard import PENDING, heard_status, insertion, known, reconcile
from platefleet.fleet.console.tables import alarm, command, desired, device, status, trust
from platefleet.protocol.codec import encode
from platefleet.protocol.messages import Command, CommandStatus, Desired, Health, Info, Presence, Progress
from platefleet.protocol.messages.command import LIFETIME_NS

KEPT_NS = 366 * 86_400 * 1_000_000_000
"""What is over stays so long."""
_PROGRESS = update(command).where(command.c.id == bindparam("of"), command.c.open)


@dataclass(frozen=True, slots=True)
class Signed:
    """What an operator signed. operator: the key's name."""

    message: Command
    envelope: bytes
    operator: str


class Book:
    """The console's memory. Any thread and any program may use one."""

    def __init__(self, database: ConsoleDatabase) -> None:
        self._database = database

    # What operators write.

    def add(self, signed: Sequence[Signed], now_ns: int) -> None:
        """Take commands to be sent. Raises StoreError; then none was taken."""
        rows = [
            {
                "id": each.message.id,
                "device": each.message.device,
                "install": each.message.install,
                "operation": each.message.operation,
                "arguments": json.dumps(each.message.arguments),
                "operator": each.operator,
                "issued_ns": each.message.issued_at,
                "not_before_ns": each.message.not_before,
                "not_after_ns": each.message.not_after,
                "priority": each.message.priority,
                "envelope": each.envelope,
                "state": PENDING,
                "updated_ns": now_ns,
                "open": True,
                "next_ns": 0,
            }
            for each in signed
        ]
        with self._database.begin() as connection:
            if rows:
                connection.execute(insert(command), rows)

    def cancel(self, id_: str, envelope: bytes, operator: str) -> bool:
        """Take the cancel of a command; whether there is one that is not over."""
        with self._database.begin() as connection:
            changed = connection.execute(
                update(command)
                .where(command.c.id == id_, command.c.open)
                .values(cancel=envelope, cancel_by=operator, next_ns=0, sends=0)
            )
            return changed.rowcount == 1

    def desire(self, message: Desired, envelope: bytes, operator: str) -> bool:
        """Take a device's desired state; whether it is the newest of it, so that it counts."""
        values = {"choices": message.choices, "envelope": envelope, "operator": operator}
        with self._database.begin() as connection:
            taken = insertion(connection, desired).values(device=message.device, **values)
            connection.execute(
                taken.on_conflict_do_update(
                    index_elements=[desired.c.device], set_=values, where=desired.c.choices < message.choices
                )
            )
            connection.execute(
                update(device)
                .where(device.c.device == message.device, device.c.choices < message.choices)
                .values(choices=message.choices)
            )
            stands = connection.execute(select(desired.c.envelope).where(desired.c.device == message.device)).scalar()
            return stands is not None and bytes(stands) == envelope

    def take_trust(self, version: int, ends_ns: int, envelope: bytes) -> None:
        """Take a trust to be published; one of a version that is here already changes nothing."""
        row = {"version": version, "ends_ns": ends_ns, "envelope": envelope}
        with self._database.begin() as connection:
            connection.execute(insertion(connection, trust).values(**row).on_conflict_do_nothing())

    def next_choices(self, device_: str) -> int:
        """Return the version of a device's choices that an operator builds on: the highest anybody spoke of."""
        with self._database.begin() as connection:
            return int(connection.execute(select(device.c.choices).where(device.c.device == device_)).scalar() or 0)

    # What the service sends.

    def due(self, now_ns: int, most: int) -> list[Due]:
        """Return what is to be sent now."""
        with self._database.begin() as connection:
            return due_at(connection, now_ns, most)

    def sent(self, sent: Iterable[Due], now_ns: int) -> None:
        """Note that commands were sent, and when they are to be again. A cancel that came meanwhile stays due."""
        with self._database.begin() as connection:
            note_sent(connection, sent, now_ns)

    def expire(self, now_ns: int) -> int:
        """End commands whose time is over and of which no status ever came, or whose id devices remember no more.

        A status that still comes counts.
        """
        with self._database.begin() as connection:
            changed = connection.execute(
                update(command)
                .where(command.c.open, command.c.number == 0, command.c.not_after_ns < now_ns)
                .values(state="expired", open=False, reason="the device never answered", updated_ns=now_ns)
            )
            unheard = connection.execute(
                update(command)
                .where(command.c.open, command.c.not_after_ns < now_ns - LIFETIME_NS)
                .values(state="expired", open=False, reason="its end was never heard", updated_ns=now_ns)
            )
            return changed.rowcount + unheard.rowcount

    def prune(self, now_ns: int) -> int:
        """Let go of commands that were over a year ago, and of alarms; return how many."""
        old = now_ns - KEPT_NS
        over = select(command.c.id).where(not_(command.c.open), command.c.updated_ns < old)
        with self._database.begin() as connection:
            connection.execute(delete(status).where(status.c.command.in_(over)))
            connection.execute(delete(alarm).where(alarm.c.until_ns < old))
            return connection.execute(delete(command).where(not_(command.c.open), command.c.updated_ns < old)).rowcount

    def again(self, device_: str | None, now_ns: int) -> None:
        """Send open commands again now: of one device, which was born, or of all, since we were away."""
        where = command.c.open if device_ is None else and_(command.c.open, command.c.device == device_)
        with self._database.begin() as connection:
            connection.execute(update(command).where(where, command.c.next_ns > now_ns).values(next_ns=now_ns))

    def retained(self) -> tuple[dict[str, bytes], bytes | None]:
        """Return what is to be retained at the broker: each device's desired state, and the newest trust."""
        with self._database.begin() as connection:
            states = {row.device: bytes(row.envelope) for row in connection.execute(select(desired))}
            newest = connection.execute(select(trust.c.envelope).order_by(trust.c.version.desc()).limit(1)).scalar()
        return states, None if newest is None else bytes(newest)

    # What the service hears.

    def heard_statuses(self, statuses: Sequence[tuple[str, CommandStatus]], now_ns: int) -> int:
        """Take statuses by device; return how many said something new. None moves a command backwards."""
        count = 0
        with self._database.begin() as connection:
            for device_, heard in statuses:
                count += heard_status(connection, device_, heard, now_ns)
        return count

    def heard_progress(self, progress: Mapping[str, Progress], now_ns: int) -> None:
        """Take the newest progress of running commands."""
        rows = [
            {"of": id_, "step": each.step, "fraction": each.fraction, "progress_ns": now_ns}
            for id_, each in progress.items()
        ]
        if rows:
            with self._database.begin() as connection:
                connection.execute(_PROGRESS, rows)

    def heard_presence(self, device_: str, heard: Presence, now_ns: int) -> bool:
        """Take a presence; whether the device was just born. A will counts only if it equals the last birth."""
        with self._database.begin() as connection:
            row = known(connection, device_)
            if heard.state != "online" and row.incarnation not in {"", heard.incarnation}:
                return False
            if (row.presence, row.incarnation) == (heard.state, heard.incarnation):
                return False  # retained, and told again when we connected: it is so since we first heard it
            connection.execute(
                update(device)
                .where(device.c.device == device_)
                .values(presence=heard.state, incarnation=heard.incarnation, presence_ns=now_ns)
            )
            return heard.state == "online" and row.incarnation != heard.incarnation

    def heard_info(self, info: Info, now_ns: int) -> str:
        """Take what a device is; return a sentence if it was set up anew, so that what was signed for it is void."""
        with self._database.begin() as connection:
            row = known(connection, info.device)
            install = info.install or row.install  # empty: it cannot open its journal, and will say so later
            reconcile(connection, info, now_ns)
            connection.execute(
                update(device)
                .where(device.c.device == info.device)
                .values(
                    kind=info.kind,
                    install=install,
                    info=encode(info),
                    info_ns=now_ns,
                    choices=max(row.choices if row.install == install else 0, info.desired_version),
                )
            )
            if row.install in {"", install}:
                return ""
            connection.execute(delete(desired).where(desired.c.device == info.device))
            voided = connection.execute(
                update(command)
                .where(command.c.device == info.device, command.c.open, command.c.install != install)
                .values(state="rejected", open=False, updated_ns=now_ns, reason=SET_UP_ANEW)
            ).rowcount
            return f"{info.device}: was set up anew; {voided} open commands are void, sign them again"

    def heard_health(self, device_: str, health: Health, now_ns: int) -> None:
        """Take how a device is doing."""
        with self._database.begin() as connection:
            known(connection, device_)
            connection.execute(
                update(device).where(device.c.device == device_).values(health=encode(health), health_ns=now_ns)
            )

    # Devices that come and go.

    def enrol(self, name: str, *, site: str, labels: Sequence[str], now_ns: int, kind: str = "agent") -> None:
        """Take a new device or gate, or an old one back."""
        with self._database.begin() as connection:
            known(connection, name)
            words = f" {' '.join(labels)} " if labels else ""
            connection.execute(
                update(device)
                .where(device.c.device == name)
                .values(kind=kind, site=site, labels=words, enrolled_ns=now_ns, retired_ns=None)
            )

    def retire(self, name: str, now_ns: int) -> bool:
        """Let a device go; whether there was one. Its open commands end."""
        with self._database.begin() as connection:
            changed = connection.execute(
                update(device).where(device.c.device == name, device.c.retired_ns.is_(None)).values(retired_ns=now_ns)
            )
            connection.execute(
                update(command)
                .where(command.c.device == name, command.c.open)
                .values(state="cancelled", open=False, reason="the device was retired", updated_ns=now_ns)
            )
            connection.execute(delete(desired).where(desired.c.device == name))
            return changed.rowcount == 1


SET_UP_ANEW = "the device was set up anew since it was signed; look at it and sign again"
