"""Epochs, what is known of them, and notes, in the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import get_args

from platefleet.protocol.delivery.belief import Belief
from platefleet.protocol.delivery.durable import rows
from platefleet.protocol.delivery.durable.epoch import DiskEpoch, packed, unpacked
from platefleet.protocol.delivery.durable.shelf import Changes
from platefleet.protocol.delivery.notes import Change
from platefleet.protocol.messages.delivery import GoneReason

REASONS = get_args(GoneReason)
NO_END = 2**62


def load(connection: sqlite3.Connection) -> list[DiskEpoch]:
    """Return the epochs of a database, oldest first. The last seq of each is the highest that anything names."""
    found = connection.execute("SELECT number, name, base, last, believed FROM epochs ORDER BY number").fetchall()
    epochs = []
    for at, (number, name, base, last, believed) in enumerate(found):
        belief = Belief(name)
        for first, end, reason in connection.execute(
            "SELECT first, last, reason FROM lost WHERE epoch = ? ORDER BY first", (number,)
        ):
            belief.lost.add(first, end, reason if reason in REASONS else "broken")
        belief.believed = unpacked(believed)
        next_base = found[at + 1][2] if at + 1 < len(found) else NO_END
        highest = rows.newest(connection, base + 1, next_base) - base
        belief.last = max(last, highest, belief.believed.last, belief.lost.last)
        epochs.append(DiskEpoch(number, base, belief, loaded=True))
    return epochs


def newest_utc_ns(connection: sqlite3.Connection) -> int:
    """Return the time of the newest record; 0 if no clock was believed yet."""
    found = connection.execute("SELECT utc FROM records ORDER BY id DESC LIMIT 1").fetchone()
    return 0 if found is None else int(found[0])


def notes(connection: sqlite3.Connection) -> dict[str, bytes]:
    """Return all notes."""
    return {name: bytes(value) for name, value in connection.execute("SELECT name, value FROM notes")}


def keep(connection: sqlite3.Connection, change: Change) -> None:
    """Write and delete notes."""
    for name, value in change.items():
        if value is None:
            connection.execute("DELETE FROM notes WHERE name = ?", (name,))
        else:
            connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))


def begin(connection: sqlite3.Connection, epoch: DiskEpoch) -> None:
    """Write a new epoch; one of the same number is replaced."""
    believed = packed(epoch.belief.believed)
    connection.execute(
        "INSERT OR REPLACE INTO epochs VALUES (?, ?, ?, ?, ?)",
        (epoch.number, epoch.name, epoch.base, epoch.belief.last, believed),
    )


def forget(connection: sqlite3.Connection, names: Collection[str]) -> None:
    """Delete epochs with all that is known of them."""
    for name in names:
        for number, base in connection.execute("SELECT number, base FROM epochs WHERE name = ?", (name,)).fetchall():
            (after,) = connection.execute("SELECT min(base) FROM epochs WHERE number > ?", (number,)).fetchone()
            for table in ("records", "crops"):
                connection.execute(
                    f"DELETE FROM {table} WHERE id BETWEEN ? AND ?",  # noqa: S608  # two names
                    (base + 1, NO_END if after is None else after),
                )
            connection.execute("DELETE FROM epochs WHERE number = ?", (number,))
            connection.execute("DELETE FROM lost WHERE epoch = ?", (number,))


def lose(connection: sqlite3.Connection, number: int, first: int, last: int, reason: GoneReason) -> None:
    """Write that a range is lost."""
    connection.execute("INSERT OR REPLACE INTO lost VALUES (?, ?, ?, ?)", (number, first, last, reason))


def believe(connection: sqlite3.Connection, number: int, last: int, believed: bytes) -> None:
    """Write what the store is believed to have of an epoch."""
    connection.execute("UPDATE epochs SET last = ?, believed = ? WHERE number = ?", (last, believed, number))


def change(connection: sqlite3.Connection, changes: Changes) -> None:
    """Delete what is not held any more, and write what is believed instead: in one transaction or not at all."""
    rows.delete(connection, changes.doomed)
    for number, (last, believed) in changes.beliefs.items():
        believe(connection, number, last, believed)
    for number, losses in changes.losses.items():
        for first, last, reason in losses.ranges:
            lose(connection, number, first, last, reason)
    for number in changes.pruned:
        connection.execute("DELETE FROM epochs WHERE number = ?", (number,))
        connection.execute("DELETE FROM lost WHERE epoch = ?", (number,))
