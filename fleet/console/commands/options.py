"""What the operators' commands share on the command line. Light: help must not wait for a database's library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from platefleet.fleet.questions.sheets import Form

DatabaseUrl = Annotated[
    str,
    typer.Option(
        "--console",
        envvar="PLATEFLEET_CONSOLE_DATABASE",
        help="The console's database: sqlite:///FILE or postgresql://USER@HOST/NAME.",
    ),
]
Key = Annotated[
    Path | None,
    typer.Option("--key", envvar="PLATEFLEET_KEY", help="Your private key, as `platefleet keys new` made it."),
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(envvar="PLATEFLEET_KEY_PASSPHRASE_FILE", help="A file that holds its passphrase; else it is asked."),
]
Site = Annotated[str, typer.Option(help="Those of this site.")]
Label = Annotated[str, typer.Option(help="Those with this label.")]
Model = Annotated[str, typer.Option(help="Those whose machine or GPU is called so, as Orin.")]
Software = Annotated[str, typer.Option(help="Those that run this version.")]
Everything = Annotated[bool, typer.Option("--all", help="Every device.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="CSV that is safe to open in a spreadsheet.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what each device would do and when; send nothing.")]
Words = Annotated[list[str] | None, typer.Argument(metavar="DEVICE… NAME=VALUE…", help="Devices, and arguments.")]
DATABASE = "sqlite:///console.db"


def form_of(as_json: bool, as_csv: bool) -> Form:
    """Return the form that was asked for. Raises ConsoleError for two at once."""
    from platefleet.fleet.console.errors import ConsoleError  # noqa: PLC0415 - light, and only here

    if as_json and as_csv:
        raise ConsoleError("--json and --csv exclude each other; give one.")
    return "json" if as_json else "csv" if as_csv else "table"


def parted(words: list[str] | None) -> tuple[tuple[str, ...], list[str]]:
    """Return the names and the `NAME=VALUE` of what was typed, each in its order.

    >>> parted(["north-1", "role=plate", "north-2"])
    (('north-1', 'north-2'), ['role=plate'])
    """
    typed = words or []
    return tuple(word for word in typed if "=" not in word), [word for word in typed if "=" in word]
