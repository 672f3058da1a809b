"""Which schema a database has, and the way to another: revisions by Alembic, in one transaction."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, inspect, select, text, update

from platefleet.fleet import migrations
from platefleet.fleet.store import tables
from platefleet.fleet.store.errors import ForeignDatabase

if TYPE_CHECKING:
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

NEWEST = tables.SCHEMA_VERSION
VERSION_TABLE = "alembic_version"


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database holds. revision: 0 for an empty one. id: the store's, empty while it has none."""

    revision: int
    id: str = ""


def schema_of(connection: Connection, what: str) -> Schema:
    """Return the database's schema; `what` names it in the sentence. Raises ForeignDatabase for somebody else's."""
    present = set(inspect(connection).get_table_names())
    if not present - {VERSION_TABLE}:
        return Schema(0)
    if "store" not in present:
        raise ForeignDatabase(f"store {what}: a database of something else; name another one.")
    return identity(connection, what)


def identity(connection: Connection, what: str) -> Schema:
    """Return the schema of a database that is known to be a store. Raises ForeignDatabase for one without an id."""
    found = connection.execute(select(tables.store.c.id, tables.store.c.schema_version)).one_or_none()
    if found is None:
        raise ForeignDatabase(f"store {what}: names no store id; restore it from a backup or name another one.")
    return Schema(int(found.schema_version), str(found.id))


def require_newest(schema: Schema, what: str, url: str) -> None:
    """Raise ForeignDatabase unless the schema is this program's. what, url: the database in the sentence."""
    if schema.revision < NEWEST:
        raise ForeignDatabase(
            f"store {what}: schema {schema.revision}, and this program works with {NEWEST}; stop every ingest and run "
            f"`platefleet fleet database upgrade --database {url}`."
        )
    if schema.revision > NEWEST:
        raise ForeignDatabase(
            f"store {what}: schema {schema.revision}, and this program knows {NEWEST}; "
            "install the release that wrote it."
        )


def prepare(connection: Connection, what: str, url: str, *, new_id: str, now_utc_ns: int) -> str:
    """Make the tables in an empty database; return the store's id. The caller holds the lock and the transaction.

    Raises ForeignDatabase for another schema than this program's.
    """
    schema = schema_of(connection, what)
    if schema.revision == 0:
        migrate(connection, NEWEST)
        connection.execute(
            tables.store.insert(),
            {"one": 1, "id": new_id, "schema_version": NEWEST, "created_utc_ns": now_utc_ns},
        )
        return new_id
    require_newest(schema, what, url)
    return schema.id


def migrate(connection: Connection, target: int) -> None:
    """Bring the database to revision `target`, up or down, within the caller's transaction.

    A database that was made before there were revisions says in `store` which one it has, and is adopted.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of its plug-ins when it is imported
    from alembic.migration import MigrationContext  # noqa: PLC0415 - a database that is as it should be needs none of it
    from alembic.operations import Operations  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    context = MigrationContext.configure(
        connection, opts={"fn": _steps(scripts, target), "version_table": VERSION_TABLE}
    )
    present = set(inspect(connection).get_table_names())
    if "store" in present and VERSION_TABLE not in present:
        adopted = connection.execute(select(tables.store.c.schema_version)).scalar_one()
        context._ensure_version_table()
        connection.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES (:n)"), {"n": str(adopted)})  # noqa: S608
    with Operations.context(context):
        context.run_migrations()
    if target > 0:
        connection.execute(update(tables.store).values(schema_version=target))


def _steps(scripts: ScriptDirectory, target: int) -> Any:
    """Return Alembic's function from the present revision to the steps that lead to `target`."""

    def steps(present: Any, _: MigrationContext) -> Any:
        now = int(present[0]) if present else 0
        if target >= now:
            return scripts._upgrade_revs(str(target), present) if target > now else []
        return scripts._downgrade_revs(str(target) if target else "base", present)

    return steps
