"""Writing by SQLAlchemy, for either database: rows of projections, and what was learnt of clocks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from platefleet.fleet.store import tables
from platefleet.fleet.store.merging import Boot, Offset
from platefleet.fleet.store.port import Arrival
from platefleet.fleet.store.project import Row, rows


def insert_projections(connection: Connection, arrivals: Iterable[Arrival]) -> None:
    """Write the rows that stand for the arrivals besides their own."""
    by_table: dict[Table, list[Row]] = defaultdict(list)
    for arrival in arrivals:
        for table, row in rows(arrival):
            by_table[table].append(row)
    for table, values in by_table.items():
        ignoring(connection, table, values)


def ignoring(connection: Connection, table: Table, values: list[Row]) -> None:
    """Insert rows, except where their names are taken."""
    if values:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), values)


def learn(connection: Connection, learnt: Mapping[Boot, Offset]) -> None:
    """Write what is new of the devices' clocks: a synced clock replaces, one that a person vouched for only adds."""
    for (device, boot), offset in learnt.items():
        told = {"utc_minus_mono_ns": offset.utc_minus_mono_ns}
        added = _insert(connection, tables.boots).values(device=device, boot=boot, **told)
        connection.execute(
            added.on_conflict_do_update(index_elements=["device", "boot"], set_=told)
            if offset.synced
            else added.on_conflict_do_nothing()
        )


def _insert(connection: Connection, table: Table) -> Any:
    """Return the dialect's own insert: `ON CONFLICT` is said alike in both."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
