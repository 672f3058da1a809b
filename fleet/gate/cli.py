"""`platefleet gate`: control a barrier, open it by hand, keep its allow-list."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from platefleet.fleet.gate.settings import GateSettings

app = typer.Typer(
    help="Control a barrier: run it, open it by hand, keep its allow-list.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
allow = typer.Typer(help="Show or change the allow-list.", no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(allow, name="allow")

Config = Annotated[
    Path, typer.Option(envvar="PLATEFLEET_GATE_CONFIG", help="The gate's settings, a TOML file; see docs/gate.md.")
]
File = Annotated[Path | None, typer.Option(help="The list itself, instead of the one that the settings name.")]
DEFAULT_CONFIG = Path("/etc/platefleet/gate.toml")


@app.callback()
def gate() -> None:
    """Control a barrier: run it, open it by hand, keep its allow-list."""


@app.command(epilog="Example: platefleet gate run --config gate.toml")
def run(config: Config = DEFAULT_CONFIG) -> None:
    """Hear the devices and open the barrier for those who may come in, until Ctrl-C or SIGTERM.

    Prints a line for each decision, with this machine's local time in front.
    """
    import logging  # noqa: PLC0415 - the command line imports what a command needs when it runs

    from platefleet.fleet.gate.running import run_until_stopped  # noqa: PLC0415
    from platefleet.fleet.gate.settings import load  # noqa: PLC0415

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    run_until_stopped(load(config))


@app.command("open", epilog='Example: platefleet gate open entry --reason "the fire brigade"')
def open_(
    lane: Annotated[str, typer.Argument(help="The lane, or device/lane where two devices have one of that name.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; it stands in the record, with your user name.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Open a lane by hand, at this machine and without a broker, whether the controller runs or not."""
    from platefleet.fleet.gate.running import open_by_hand  # noqa: PLC0415
    from platefleet.fleet.gate.settings import load  # noqa: PLC0415

    typer.echo(open_by_hand(load(config), lane, reason))


@app.command(epilog='Example: platefleet gate hold entry --for 10m --reason "removal van"')
def hold(
    lane: Annotated[str, typer.Argument(help="The lane, or device/lane where two devices have one of that name.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; it stands in the records, with your user name.")],
    for_: Annotated[str, typer.Option("--for", help="How long, as 90s, 10m or 2h; 24h at most.")] = "10m",
    release: Annotated[bool, typer.Option("--release", help="No longer, and not by the schedule either.")] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Hold a lane open for a while: passes are recorded, and the barrier is not moved for each."""
    from platefleet.fleet.gate.running import hold as hold_lane  # noqa: PLC0415
    from platefleet.fleet.gate.running import seconds  # noqa: PLC0415
    from platefleet.fleet.gate.settings import load  # noqa: PLC0415

    typer.echo(hold_lane(load(config), lane, reason, 0 if release else seconds(for_)))


@app.command(epilog='Example: platefleet gate forgive "B-AB 1234"')
def forgive(
    plate: Annotated[str, typer.Argument(help="The plate, with or without spaces and hyphens.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Let a plate in again that went in and was not seen to come out (anti-passback)."""
    from platefleet.fleet.gate.running import forgive as forgive_plate  # noqa: PLC0415
    from platefleet.fleet.gate.settings import load  # noqa: PLC0415

    typer.echo(forgive_plate(load(config), plate))


@allow.command("list", epilog="Example: platefleet gate allow list --file allow.csv --csv")
def list_(
    *,
    config: Config = DEFAULT_CONFIG,
    file: File = None,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV that is safe to open in a spreadsheet.")] = False,
) -> None:
    """Show who may come in, and when."""
    from platefleet.fleet.gate.listing import as_csv, as_table, read  # noqa: PLC0415

    path, alphabet, _ = _list(config, file)
    entries = read(path, alphabet)
    typer.echo(as_csv(entries) if csv else as_table(entries), nl=False)


@allow.command(
    epilog='Example: platefleet gate allow add "B-AB 1234" --until 2026-12-31 --weekdays mon-fri --name Müller'
)
def add(
    plate: Annotated[str, typer.Argument(help="The plate, with or without spaces and hyphens.")],
    *,
    valid_from: Annotated[str, typer.Option("--from", help="First day, as 2026-12-31.")] = "",
    valid_until: Annotated[str, typer.Option("--until", help="Last day, as 2026-12-31.")] = "",
    weekdays: Annotated[str, typer.Option(help="Such as mon-fri or 'sat sun'; none means every day.")] = "",
    name: Annotated[str, typer.Option(help="Whose it is.")] = "",
    config: Config = DEFAULT_CONFIG,
    file: File = None,
) -> None:
    """Add a line to the allow-list; a running gate reads it within two seconds.

    Says on standard error if the line is past already, or if the plate has other lines.
    """
    from platefleet.fleet.gate.allow_edit import add as add_line  # noqa: PLC0415
    from platefleet.fleet.gate.allow_edit import require_cells  # noqa: PLC0415
    from platefleet.fleet.gate.allow_list import Entry, day_of, plate_of, weekdays_of  # noqa: PLC0415
    from platefleet.fleet.gate.allow_remarks import remarks  # noqa: PLC0415
    from platefleet.fleet.gate.listing import read  # noqa: PLC0415
    from platefleet.fleet.gate.moments import today  # noqa: PLC0415
    from platefleet.protocol.clock import SystemClock  # noqa: PLC0415
    from platefleet.protocol.errors import GateError  # noqa: PLC0415

    path, alphabet, zone = _list(config, file)
    try:
        written = plate_of(plate, alphabet)
    except ValueError as error:
        raise GateError(f"{error}.") from error
    cells = {
        "plate": written,
        "valid_from": valid_from,
        "valid_until": valid_until,
        "weekdays": weekdays,
        "name": name,
    }
    require_cells(cells, {"valid_from": "--from", "valid_until": "--until", "weekdays": "--weekdays"})
    added = add_line(path, cells, alphabet)
    typer.echo(f"{written} {'added to' if added else 'is in'} {path}")
    line = Entry(written, day_of(valid_from), day_of(valid_until), weekdays_of(weekdays), name)
    for remark in remarks(read(path, alphabet), line, today(SystemClock().now().utc_ns, zone)):
        typer.echo(remark, err=True)


@allow.command(epilog='Example: platefleet gate allow remove "B-AB 1234"')
def remove(
    plate: Annotated[str, typer.Argument(help="The plate, with or without spaces and hyphens.")],
    *,
    config: Config = DEFAULT_CONFIG,
    file: File = None,
) -> None:
    """Take every line of a plate out of the allow-list. Fails if there is none."""
    from platefleet.fleet.gate.allow_edit import remove as remove_lines  # noqa: PLC0415
    from platefleet.fleet.gate.escape import for_terminal  # noqa: PLC0415
    from platefleet.protocol.errors import GateError  # noqa: PLC0415

    path, alphabet, _ = _list(config, file)
    removed = remove_lines(path, plate, alphabet)
    if not removed:
        raise GateError(f"{for_terminal(plate, 40)} is not in {path}; see `platefleet gate allow list`.")
    typer.echo(f"{removed} line{'s' if removed > 1 else ''} removed from {path}")


def _list(config: Path, file: Path | None) -> tuple[Path, str, str]:
    """Return the list's file, the alphabet of its plates and the zone of its days (empty: this machine's)."""
    from platefleet.fleet.gate.allow_list import ALPHABET  # noqa: PLC0415
    from platefleet.fleet.gate.settings import load  # noqa: PLC0415

    if file is not None and not config.exists():
        return file, ALPHABET, ""
    settings: GateSettings = load(config)
    assert settings.allow_list is not None  # `load` refuses settings without
    return file or settings.allow_list.file, settings.allow_list.alphabet, settings.zone
