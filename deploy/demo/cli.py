"""`platefleet demo`: the main job end to end. What is heavy is imported when the command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platefleet.deploy.interrupts import Interrupts

app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)


@app.command(epilog="Example: platefleet demo --out demo-out --seed 2")
def demo(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the annotated pictures and the store.")] = Path(
        "demo-out"
    ),
    seed: Annotated[int, typer.Option(help="Another seed is another clip.")] = 1,
) -> None:
    """Watch cars come to a barrier, be read, let in or turned away, and recorded.

    Status 1 if a car has no pass or two, or if a record was lost; 130 after Ctrl-C, or when nobody reads it any more.
    """
    interrupts = ctx.ensure_object(Interrupts)
    interrupts.listen_once()
    from platefleet.agent.leaving import leave  # noqa: PLC0415 - heavy, as its package
    from platefleet.deploy.demo.run import Options, run  # noqa: PLC0415 - heavy
    from platefleet.deploy.demo.screen import Screen  # noqa: PLC0415 - heavy

    console = Screen(interrupts)
    try:
        status = run(Options(out, seed), console, interrupts)
    except KeyboardInterrupt:
        console.print("stopped", style="yellow")
        leave(130)
    raise typer.Exit(status)
