"""`platefleet fleet quarantine`: what could not be decoded or stored, why, and once more with today's program."""

from __future__ import annotations

from typing import Annotated

import typer

from platefleet.fleet.store.options import DEFAULT, DatabaseUrl

app = typer.Typer(
    help="Show what could not be decoded, and decode it again.", no_args_is_help=True, pretty_exceptions_enable=False
)


@app.callback()
def quarantine() -> None:
    """Show what could not be decoded, and decode it again."""


@app.command("list", epilog="Example: platefleet fleet quarantine list --device north-1")
def list_(
    database: DatabaseUrl = DEFAULT,
    device: Annotated[str, typer.Option(help="Of this device alone.")] = "",
    most: Annotated[int, typer.Option(min=1, help="At most so many.")] = 1000,
) -> None:
    """List what is in quarantine: device, epoch/seq, type, bytes, why."""
    from platefleet.fleet.ingest.quarantined import listed  # noqa: PLC0415 - an extra, imported when it runs
    from platefleet.protocol.printable import printable  # noqa: PLC0415

    for line in listed(database, device=device, most=most):
        typer.echo(printable(line))


@app.command(epilog="Example: platefleet fleet quarantine show north-1/0123456789abcdef0123456789abcdef/7")
def show(
    name: Annotated[str, typer.Argument(help="device/epoch/seq, as `list` prints it.")],
    database: DatabaseUrl = DEFAULT,
) -> None:
    """Show one record: when it came, why it is here, and its frame in hexadecimal digits."""
    from platefleet.fleet.ingest.quarantined import shown  # noqa: PLC0415
    from platefleet.protocol.printable import printable  # noqa: PLC0415

    for line in shown(database, name):
        typer.echo(printable(line, most=300_000))


@app.command(epilog="Example: platefleet fleet quarantine replay --database postgresql://platefleet@db/platefleet")
def replay(
    database: DatabaseUrl = DEFAULT,
    device: Annotated[str, typer.Option(help="Of this device alone.")] = "",
) -> None:
    """Decode everything again with this program, and move what it can decode into its tables.

    Ingest may run meanwhile.
    """
    from platefleet.fleet.ingest.quarantined import replayed  # noqa: PLC0415

    typer.echo(replayed(database, device=device))
