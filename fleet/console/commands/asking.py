"""`fleet status`, `watch`, `why`, `history`: what became of orders."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated, Any

import typer

from platefleet.fleet.console.commands.options import (
    DATABASE,
    AsCsv,
    AsJson,
    DatabaseUrl,
    form_of,
)

if TYPE_CHECKING:
    from platefleet.fleet.console.commands.desk import Open

WIDE = 150
"""What a table takes that goes into a file."""
Command = Annotated[str, typer.Argument(metavar="COMMAND", help="How its id begins or ends.")]


def status(
    command: Command,
    *,
    pictures: Annotated[Path | None, typer.Option(help="Write its pictures into this folder.")] = None,
    as_json: AsJson = False,
    console: DatabaseUrl = DATABASE,
) -> None:
    """Show one command: every status that was heard, and its result."""
    from platefleet.fleet.console.commands.desk import opened  # noqa: PLC0415
    from platefleet.fleet.console.shown import command_row, result_lines, result_row, status_line  # noqa: PLC0415
    from platefleet.protocol.printable import printable  # noqa: PLC0415

    with opened(console) as open_:
        row = open_.asked.commands([open_.command(command)])[0]
        heard = open_.asked.statuses(row.id)
        last = heard[-1][1] if heard else None
        if as_json:
            told = command_row(row, last)
            told["statuses"] = [each.model_dump(mode="json", exclude={"result"}) for _, each in heard]
            typer.echo(json.dumps(told, ensure_ascii=True))
        else:
            typer.echo(
                printable(f"{row.id}  {row.operation} {row.arguments} on {row.device} by {row.operator}: {row.state}")
            )
            for heard_ns, each in heard:
                typer.echo(printable("  " + status_line(heard_ns, each)))
            if row.open or not heard:
                typer.echo(printable(f"  {why_of(open_, row).says}"))
            if last is not None and last.result is not None:
                for line in result_lines(last) or [json.dumps(result_row(last))]:
                    typer.echo(printable("  " + line))
        if pictures is not None and last is not None:
            _write(last, pictures)


def watch(
    commands: Annotated[list[str] | None, typer.Argument(metavar="COMMAND…", help="None: all that are open.")] = None,
    *,
    console: DatabaseUrl = DATABASE,
) -> None:
    """Show how commands go, a bar for each, until all are over; status 1 if one did not succeed."""
    from platefleet.fleet.console.commands.desk import opened  # noqa: PLC0415
    from platefleet.fleet.console.watching import watch as stay  # noqa: PLC0415

    with opened(console) as open_:
        if commands:
            ids = [open_.command(each) for each in commands]
        else:
            ids = [row.id for row in open_.asked.history(open_=True, most=500)]
    if not ids:
        typer.echo("no command is open")
        return
    if not stay(console, ids, sys.stdout):
        raise typer.Exit(1)


def why(command: Command, *, as_json: AsJson = False, console: DatabaseUrl = DATABASE) -> None:
    """Say in one sentence why a command is where it is, and when it is expected to go on."""
    from platefleet.fleet.console.commands.desk import opened  # noqa: PLC0415
    from platefleet.fleet.questions.moments import in_utc, in_zone  # noqa: PLC0415
    from platefleet.protocol.printable import printable  # noqa: PLC0415

    with opened(console) as open_:
        row = open_.asked.commands([open_.command(command)])[0]
        found = why_of(open_, row)
    until = "" if found.until_ns is None else f"; expected to go on at {in_zone(found.until_ns)}"
    told = {"command": row.id, "state": row.state, "why": found.says, "moves": found.moves,
            "until": None if found.until_ns is None else in_utc(found.until_ns)}  # fmt: skip
    typer.echo(
        json.dumps(told) if as_json else printable(f"{row.device}: {row.operation} {row.state}: {found.says}{until}")
    )


def history(
    device: Annotated[str, typer.Argument(help="Of this device alone.")] = "",
    *,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many.")] = 50,
    only_open: Annotated[bool, typer.Option("--open", help="Those that are not over.")] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    console: DatabaseUrl = DATABASE,
) -> None:
    """Show commands, newest first; those that devices gave themselves by rule are among them."""
    from platefleet.fleet.console.commands.desk import opened  # noqa: PLC0415
    from platefleet.fleet.console.shown import (  # noqa: PLC0415
        COMMAND_NAMES,
        command_cells,
        command_heads,
        command_row,
    )
    from platefleet.fleet.questions.sheets import sheet  # noqa: PLC0415
    from platefleet.protocol.printable import printable  # noqa: PLC0415

    with opened(console) as open_:
        rows = open_.asked.history(device_=device or None, open_=True if only_open else None, most=limit)
        if not rows:
            of = f" of {device}" if device else ""
            typer.echo(printable(f"platefleet: no command{of} is {'open' if only_open else 'known'}"), err=True)
        form = form_of(as_json, as_csv)
        heads = command_heads(get_terminal_size().columns if sys.stdout.isatty() else WIDE)
        out = sheet(form, sys.stdout, heads, COMMAND_NAMES)
        for row in rows:
            last = _last(open_, row) if form != "table" else None
            out.add(command_row(row, last), command_cells(row, open_.now_ns, row.reason or row.step or ""))
        out.flush()


def _last(open_: Open, row: Any) -> Any:
    heard = open_.asked.statuses(row.id)
    return heard[-1][1] if heard else None


def why_of(open_: Open, row: Any) -> Any:
    """Return why a command is where it is, from all that the console knows."""
    from platefleet.fleet.console.explain import Sent, why  # noqa: PLC0415
    from platefleet.fleet.console.known import Known, known_of  # noqa: PLC0415

    device = open_.asked.device(row.device)
    sent = Sent(
        row.state,
        row.not_after_ns,
        row.reason,
        row.sends,
        row.next_ns,
        row.cancel is not None,
        open_.asked.trust_ends(),
    )
    return why(sent, _last(open_, row), Known(row.device) if device is None else known_of(device), open_.now_ns)


def _write(status: Any, folder: Path) -> None:
    """Write the pictures of a result. Raises ConsoleError."""
    from platefleet.fleet.console.errors import ConsoleError  # noqa: PLC0415
    from platefleet.models.operations import operations  # noqa: PLC0415
    from platefleet.models.operations.reading import result_of  # noqa: PLC0415

    operation = operations().get(status.operation)
    if operation is None or status.result is None:
        return
    pictures = getattr(result_of(operation, status.result), "pictures", {})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for lane, data in pictures.items():
            name = "".join(c if c.isalnum() or c in "._-" else "_" for c in lane)[:64].lstrip(".") or "picture"
            path = folder / f"{name}.jpg"
            path.write_bytes(data)
            typer.echo(f"{path}: {len(data)} bytes")
    except OSError as error:
        raise ConsoleError(f"{error.filename or folder}: cannot be written ({error.strerror}).") from error


def mount(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: platefleet fleet status 019ab3 --json")(status)
    app.command(epilog="Example: platefleet fleet watch 019ab3")(watch)
    app.command(epilog="Example: platefleet fleet why 019ab3")(why)
    app.command(epilog="Example: platefleet fleet history north-1 --csv")(history)
