"""`platefleet fleet database`: show the store's schema, bring it up to date or back."""

from __future__ import annotations

from typing import Annotated

import typer

from platefleet.fleet.store.options import DEFAULT, DatabaseUrl

app = typer.Typer(
    help="Show the store's schema, bring it up to date or back.", no_args_is_help=True, pretty_exceptions_enable=False
)


@app.callback()
def database() -> None:
    """Show the store's schema, bring it up to date or back."""


@app.command(epilog="Example: platefleet fleet database show --database postgresql://platefleet@db/platefleet")
def show(database: DatabaseUrl = DEFAULT) -> None:
    """Say which store this is, its schema, and how much is in it."""
    from platefleet.fleet.store.keeping import described  # noqa: PLC0415 - an extra, imported when it runs

    for line in described(database):
        typer.echo(line)


@app.command(epilog="Example: platefleet fleet database upgrade --database sqlite:////var/lib/platefleet/store.db")
def upgrade(database: DatabaseUrl = DEFAULT) -> None:
    """Bring the schema to this program's, in one transaction; an empty database becomes a store.

    Stop every ingest before: one of another release would refuse the new schema. Devices keep what they have meanwhile.
    """
    from platefleet.fleet.store.keeping import upgraded  # noqa: PLC0415

    typer.echo(upgraded(database))


@app.command(epilog="Example: platefleet fleet database downgrade 1 --database sqlite:////var/lib/platefleet/store.db")
def downgrade(
    revision: Annotated[int, typer.Argument(min=1, help="The schema of the older release, as its `show` says.")],
    database: DatabaseUrl = DEFAULT,
) -> None:
    """Bring the schema back to an older release's, in one transaction. No record is lost.

    Run it with the newer release, then install the older one.
    """
    from platefleet.fleet.store.keeping import downgraded  # noqa: PLC0415

    typer.echo(downgraded(database, revision))
