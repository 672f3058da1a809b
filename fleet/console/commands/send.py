"""`fleet send`, `cancel`, `operations`: orders, signed here with the operator's key."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from platefleet.fleet.console.commands.options import (
    DATABASE,
    AsJson,
    DatabaseUrl,
    DryRun,
    Everything,
    Key,
    Label,
    Model,
    PassphraseFile,
    Site,
    Software,
    Words,
    parted,
)

Moment = Annotated[str, typer.Option(help="Not earlier: 2026-11-25T23:00, with a zone as +01:00, or 2h: from now.")]


def send(
    operation: Annotated[str, typer.Argument(help="As `platefleet fleet operations` lists them.")],
    words: Words = None,
    *,
    site: Site = "",
    label: Label = "",
    model: Model = "",
    software: Software = "",
    everything: Everything = False,
    not_before: Moment = "",
    within: Annotated[str, typer.Option(help="How long it may wait to begin, at most 13d.")] = "3d",
    priority: Annotated[int, typer.Option(min=0, max=9, help="9 goes first.")] = 5,
    dry_run: DryRun = False,
    watch: Annotated[bool, typer.Option("--watch", help="Stay and show how it goes, until all are over.")] = False,
    key: Key = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
    console: DatabaseUrl = DATABASE,
) -> None:
    """Sign an order for devices and hand it to the console, which sends it until each has answered."""
    from platefleet.fleet.console.commands.desk import entitled, opened, signer_of  # noqa: PLC0415
    from platefleet.fleet.console.explain import foresee  # noqa: PLC0415 - what a command needs is imported here
    from platefleet.fleet.console.known import Wanted  # noqa: PLC0415
    from platefleet.fleet.console.ordering import operation_of, order, told_arguments, unfit, when_of  # noqa: PLC0415
    from platefleet.fleet.keys.options import warn  # noqa: PLC0415
    from platefleet.fleet.questions.moments import in_zone  # noqa: PLC0415
    from platefleet.models.operations.reading import arguments_of  # noqa: PLC0415
    from platefleet.protocol.printable import printable  # noqa: PLC0415

    known = operation_of(operation)
    names, given = parted(words)
    arguments = told_arguments(known, given)
    wanted = Wanted(names, site, label, model, software, everything)
    with opened(console) as open_:
        when = when_of(not_before, within, priority, open_.now_ns)
        devices = open_.commanded(wanted)
        if dry_run:
            for device in devices:
                reason = unfit(device)
                found = foresee(known, arguments_of(known, arguments), device, open_.now_ns, when.lives(open_.now_ns))
                until = "" if reason or found.until_ns is None else f" ({in_zone(found.until_ns)})"
                says = reason or f"{device.name}: {found.says}{until}"
                row = {"device": device.name, "says": says, "moves": not reason and found.moves}
                typer.echo(json.dumps(row) if as_json else printable(says))
            return
        signer = entitled(open_, signer_of(key, passphrase_file), known.role, known.name)
        signed, left_out = order(known, arguments, devices, signer, when, open_.now_ns)
        open_.book.add(signed, open_.now_ns)
        for each in signed:
            told = {"command": each.message.id, "device": each.message.device}
            typer.echo(json.dumps(told) if as_json else f"{each.message.id}  {each.message.device}")
    for sentence in left_out:
        warn(sentence)
    if watch and signed:
        from platefleet.fleet.console.watching import watch as stay  # noqa: PLC0415

        done = stay(console, [each.message.id for each in signed], sys.stdout)
        if not done:
            raise typer.Exit(1)
    if left_out:
        raise typer.Exit(1)


def cancel(
    commands: Annotated[list[str], typer.Argument(metavar="COMMAND…", help="How their ids begin or end.")],
    *,
    key: Key = None,
    passphrase_file: PassphraseFile = None,
    console: DatabaseUrl = DATABASE,
) -> None:
    """End commands that are not over; past its point of no return a device refuses, and says so."""
    from platefleet.fleet.console.commands.desk import entitled, opened, signer_of  # noqa: PLC0415
    from platefleet.fleet.console.errors import ConsoleError  # noqa: PLC0415
    from platefleet.fleet.console.known import known_of  # noqa: PLC0415
    from platefleet.fleet.console.ordering import cancelling  # noqa: PLC0415
    from platefleet.models.operations import operations  # noqa: PLC0415

    with opened(console) as open_:
        rows = open_.asked.commands([open_.command(each) for each in commands])
        over = [f"{row.id} is {row.state}" for row in rows if not row.open]
        if over:
            raise ConsoleError(f"{', '.join(over)}; there is nothing to cancel.")
        signer = signer_of(key, passphrase_file)
        for row in rows:
            known = operations().get(row.operation)
            if known is not None:
                entitled(open_, signer, known.role, f"cancelling {known.name}")
        for row in rows:
            device = open_.asked.device(row.device)
            if device is None:
                raise ConsoleError(f"{row.device}: the console does not know this device any more.")
            signed = cancelling(row.id, known_of(device), signer, open_.now_ns)
            open_.book.cancel(row.id, signed, signer.public.name)
            typer.echo(f"{row.id}: its cancel is handed to the console, for {row.device}")


def list_operations(
    name: Annotated[str, typer.Argument(help="Only this one, with all that it takes.")] = "",
) -> None:
    """List what can be ordered, by whom, and what each takes."""
    from platefleet.fleet.console.ordering import operation_of  # noqa: PLC0415
    from platefleet.models.operations import operations  # noqa: PLC0415
    from platefleet.models.operations.reference import lines  # noqa: PLC0415

    for line in lines([operation_of(name)] if name else list(operations().values()), whole=bool(name)):
        typer.echo(line)


def mount(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: platefleet fleet send build north-1 role=plate precision=fp16 --watch")(send)
    app.command(epilog="Example: platefleet fleet cancel 019ab3")(cancel)
    app.command(name="operations", epilog="Example: platefleet fleet operations build")(list_operations)
