"""`platefleet simulate`: many devices, faults, and the ledger. What is heavy is imported when the command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platefleet.deploy.interrupts import Interrupts

app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)


@app.command(epilog="Example: platefleet simulate --devices 300 --rate 6 --faults faults.toml --for 600")
def simulate(
    ctx: typer.Context,
    *,
    devices: Annotated[int, typer.Option(min=1, max=10_000, help="How many; up to 100 share a process.")] = 10,
    rate: Annotated[float, typer.Option(min=0.1, max=600, help="Passes a minute in each device's lane.")] = 6.0,
    faults: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What goes wrong and when (see docs/simulate.md).")
    ] = None,
    for_s: Annotated[float, typer.Option("--for", min=1, metavar="SECONDS", help="How long vehicles come.")] = 60.0,
    seed: Annotated[int, typer.Option(help="Another seed is another day.")] = 1,
    broker: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Somebody's broker, with ingest at it; our own unless given.")
    ] = "",
    database: Annotated[
        str, typer.Option(metavar="URL", help="The store's database, read in the end; needed with --broker.")
    ] = "",
    self_contained: Annotated[
        bool, typer.Option("--self-contained", help="Start broker and ingest here, as is done without --broker.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, max=16, help="Ingest workers of our own.")] = 1,
    name: Annotated[str, typer.Option(help="What the devices' names begin with; random unless given.")] = "",
    settle: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="How long the rest may take.")] = 120.0,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep ledger, outboxes and store there.")] = None,
) -> None:
    """Simulate devices with the real outbox and uplink, and compare their own ledger with the store.

    Status 1 if a record is missing, there twice, or was never handed over; 130 after Ctrl-C.
    """
    interrupts = ctx.ensure_object(Interrupts)
    interrupts.listen_once()
    from rich.console import Console  # noqa: PLC0415 - heavy

    from platefleet.deploy.simulate.faults import Faults, load  # noqa: PLC0415
    from platefleet.deploy.simulate.run import Options, run  # noqa: PLC0415 - heavy
    from platefleet.fleet.conformance.reach import host_and_port  # noqa: PLC0415

    if broker and self_contained:
        raise typer.BadParameter("either --broker or --self-contained", param_hint="--self-contained")
    if broker and not database:
        raise typer.BadParameter("needed with --broker, for the comparison", param_hint="--database")
    wrong = load(faults) if faults is not None else Faults()
    if broker and wrong.faults:
        raise typer.BadParameter("faults happen to our own broker and ingest only", param_hint="--faults")
    address = host_and_port(broker) if broker else None
    console = Console(soft_wrap=True, markup=False)  # a path is no path any more when it is broken
    options = Options(
        devices,
        rate,
        for_s,
        faults=wrong,
        seed=seed,
        workers=workers,
        broker=(address[0], address[1] or 1883) if address else None,
        database=database,
        name=name,
        settle_s=settle,
        out=out,
    )
    try:
        status = run(options, console, interrupts)
    except KeyboardInterrupt:
        console.print("stopped", style="yellow")
        status = 130
    raise typer.Exit(status)
