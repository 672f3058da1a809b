"""`platefleet agent`: run the agent, check what it needs, look at what it was told to do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platefleet.agent.commands.cli import mount

app = typer.Typer(
    help="Watch a barrier: run the agent, check what it needs, look at what it was told to do.",
    epilog="Example: platefleet agent check --config agent.toml",
    no_args_is_help=True,
)

Config = Annotated[Path, typer.Option("--config", "-c", help="The settings file; see deploy/agent.example.toml.")]


@app.command(epilog="Example: platefleet agent run --config /etc/platefleet/agent.toml")
def run(
    config: Config,
    level: Annotated[str, typer.Option("--log-level", help="debug, info, warning or error; to stderr.")] = "info",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no line for each pass.")] = False,
) -> None:
    """Watch the lanes until SIGTERM or Ctrl-C. Settings may also come from the environment: see docs/settings.md.

    Prints a line for each pass as soon as it is told, and another if its text has changed since.
    """
    import os  # noqa: PLC0415 - the command line's help must not wait for any of this

    from platefleet.agent.service import serve  # noqa: PLC0415

    raise typer.Exit(serve(config, level, os.environ, quiet=quiet))


@app.command(epilog="Example: platefleet agent check --config agent.toml --json")
def check(
    config: Config,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line: what, ok, said, needed.")] = False,
) -> None:
    """Look whether cameras, broker, models and disk are as the agent needs them; exit status 1 if not.

    A clock that is not synchronised is a note: the agent works, and the store corrects its times later.

    Nothing is changed, but that pinned weights which the cache lacks are downloaded into it.
    """
    import json  # noqa: PLC0415 - as above
    import os  # noqa: PLC0415
    from dataclasses import asdict  # noqa: PLC0415

    from platefleet.agent.check import check as findings  # noqa: PLC0415
    from platefleet.protocol.printable import printable  # noqa: PLC0415

    failed = False
    for finding in findings(config, os.environ):
        failed = failed or (finding.needed and not finding.ok)
        if as_json:
            typer.echo(json.dumps(asdict(finding)))
        else:
            mark = "ok  " if finding.ok else "FAIL" if finding.needed else "note"
            typer.echo(printable(f"{mark}  {finding.what}: {finding.said}"))
    raise typer.Exit(int(failed))


mount(app)
