"""`platefleet bench`: every measurement as a table and as JSON. What is heavy is imported when the command runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)


@app.command(epilog="Example: platefleet bench --only detection --only reading --photos photos/ --json bench.json")
def bench(
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Measure this section alone; may be given again.")
    ] = None,
    photos: Annotated[
        Path | None,
        typer.Option(metavar="DIR", envvar="PLATEFLEET_PHOTOS", help="Labelled photos to read (see docs/bench.md)."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(metavar="S", min=5, help="How long ingest is loaded each time; 60 unless given.")
    ] = None,
    as_json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all rows there.")] = None,
) -> None:
    """Measure against named references, as ratios in one run.

    A section that lacks what it needs says so and is skipped.
    """
    from rich.console import Console  # noqa: PLC0415 - heavy

    from platefleet.deploy.bench.sections import SECTIONS  # noqa: PLC0415 - heavy
    from platefleet.deploy.bench.table import table_of  # noqa: PLC0415 - heavy

    names = [section.name for section in SECTIONS]
    unknown = sorted(set(only or ()) - set(names))
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} is none; there are {', '.join(names)}", param_hint="--only")
    console = Console(width=None if sys.stdout.isatty() else 140)
    measured = {}
    for section in SECTIONS:
        if only and section.name not in only:
            continue
        with console.status(section.title):
            rows = section.measure(photos, seconds)
        measured[section.name] = rows
        console.print(table_of(section.title, rows))
    if as_json is not None:
        as_json.write_text(json.dumps(measured, indent=2, default=str) + "\n", encoding="utf-8")
        console.print(f"written: {as_json}")
