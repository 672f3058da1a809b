"""`platefleet fleet retention`: let go of what is too old."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platefleet.fleet.store.options import DEFAULT, DatabaseUrl

app = typer.Typer(help="Let go of what is too old.", no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def retention() -> None:
    """Let go of what is too old."""


@app.command(epilog="Example: platefleet fleet retention run --retention /etc/platefleet/retention.toml")
def run(
    retention: Annotated[
        Path,
        typer.Option(envvar="PLATEFLEET_INGEST_RETENTION", help="How long which site keeps what; see docs/store.md."),
    ],
    database: DatabaseUrl = DEFAULT,
) -> None:
    """Let go once of everything that is too old: pictures first, never coverage. Ingest may run meanwhile."""
    import threading  # noqa: PLC0415 - the command line imports what a command needs when it runs

    from platefleet.fleet.retention.run import let_go  # noqa: PLC0415
    from platefleet.fleet.retention.settings import load  # noqa: PLC0415
    from platefleet.fleet.store.database import database_at  # noqa: PLC0415
    from platefleet.protocol.clock import SystemClock  # noqa: PLC0415

    count = let_go(
        database_at(database),
        load(retention),
        clock=SystemClock(),
        stop=threading.Event(),
        told=lambda cut, count: typer.echo(f"{cut.device}\t{cut.type}\t{count}"),
    )
    typer.echo(f"retention: let go of {count} records")
