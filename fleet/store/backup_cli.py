"""`platefleet fleet backup` and `restore`: a copy of the store in one file, made while ingest runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platefleet.fleet.store.options import DEFAULT, DatabaseUrl


def backup(
    file: Annotated[Path, typer.Argument(help="Where to; written whole beside it first, then renamed.")],
    database: DatabaseUrl = DEFAULT,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Replace a file that is no earlier backup of this store.")] = False,
) -> None:
    """Copy the store into one file, while ingest runs: SQLite's own copy, or pg_dump's custom format.

    An earlier backup of the same store is replaced, any other file only with --yes.
    """
    from platefleet.fleet.store.backup import back_up  # noqa: PLC0415 - an extra, imported when it runs

    typer.echo(back_up(database, file, replace=yes))


def restore(
    file: Annotated[Path, typer.Argument(help="What `backup` wrote.")],
    database: DatabaseUrl = DEFAULT,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Replace what the store holds now.")] = False,
    foreign: Annotated[
        bool, typer.Option("--foreign", help="With --yes: also another SQLite store, or a database of something else.")
    ] = False,
) -> None:
    """Put a backup in the store's place, in one transaction. Devices fill in what it lacks and they still hold.

    They ask when they connect and every ten minutes. What only the replaced store held is lost.
    """
    from platefleet.fleet.store.backup import put_back  # noqa: PLC0415

    typer.echo(put_back(database, file, replace=yes, foreign=foreign))
