"""`platefleet console run | trust`: the long-running service, and what it publishes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platefleet.fleet.console.commands.options import DATABASE, DatabaseUrl
from platefleet.fleet.keys.paths import RootsPath, TrustPath

app = typer.Typer(
    help="Send what operators signed, and take down what devices say.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def console_() -> None:
    """Send what operators signed, and take down what devices say."""


@app.command(epilog="Example: platefleet console run --config /etc/platefleet/console.toml")
def run(
    config: Annotated[
        Path, typer.Option("--config", envvar="PLATEFLEET_CONSOLE_CONFIG", help="Its settings, as TOML.")
    ],
    *,
    check: Annotated[bool, typer.Option("--check", help="Look at the settings and end.")] = False,
) -> None:
    """Run the console's service until Ctrl-C or SIGTERM. It holds no private key."""
    from platefleet.fleet.console import running  # noqa: PLC0415
    from platefleet.fleet.console.settings import load  # noqa: PLC0415

    settings = load(config)
    if check:
        running.check(settings)
        where = f"{settings.database} at {settings.broker.host}:{settings.broker.port}"
        typer.echo(f"{config}: the settings are well, and nothing was connected to: {where}")
        return
    running.run_until_stopped(settings)


@app.command(epilog="Example: platefleet console trust --console sqlite:///console.db")
def trust(
    file: TrustPath = None,
    roots: RootsPath = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Also if another root signed, or it is older.")] = False,
    console: DatabaseUrl = DATABASE,
) -> None:
    """Hand the trust that `platefleet keys trust` wrote to the console, which publishes it to every device."""
    from platefleet.fleet.console.commands.desk import opened  # noqa: PLC0415
    from platefleet.fleet.console.errors import ConsoleError  # noqa: PLC0415
    from platefleet.fleet.keys.options import place  # noqa: PLC0415
    from platefleet.protocol.trust import Refused, verify  # noqa: PLC0415

    where = place(file, roots)
    known = where.known_roots()
    if known is None:
        raise ConsoleError(f"{where.roots}: there are no root keys; make them with `platefleet keys new --root`.")
    try:
        envelope = where.trust.read_bytes()
    except OSError as error:
        raise ConsoleError(f"{where.trust}: cannot be read ({error.strerror}); make it with `keys trust`.") from error
    found = verify(envelope, known)
    if isinstance(found, Refused):
        raise ConsoleError(f"{where.trust}: {found.says}.")
    with opened(console, make=True) as open_:
        before = open_.book.retained()[1]
        stands = None if before is None else verify(before, known)
        if (
            stands is not None
            and not yes
            and (isinstance(stands, Refused) or stands.floor.version > found.floor.version)
        ):
            told = "by another root" if isinstance(stands, Refused) else f"of version {stands.floor.version}"
            raise ConsoleError(
                f"{where.trust}: version {found.floor.version}, and the console has one {told}, which devices go on "
                "believing; add --yes to publish it all the same."
            )
        open_.book.take_trust(found.trust.trust_version, found.trust.ends_at_ns, envelope)
    version = found.trust.trust_version
    typer.echo(f"trust {version} is the console's ({console}); `platefleet console run` publishes it to every device")
    if before is None:
        typer.echo("platefleet: this console had none before; is it the one that serves?", err=True)


@app.command(epilog="Example: platefleet console backup /backup/console.sqlite")
def backup(
    file: Annotated[Path, typer.Argument(help="Where to; written whole beside it first, then renamed.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Replace a file that is no earlier backup of it.")] = False,
    console: DatabaseUrl = DATABASE,
) -> None:
    """Copy the console's database into one file, while the service runs."""
    from platefleet.fleet.console.backing import back_up  # noqa: PLC0415
    from platefleet.protocol.clock import SystemClock  # noqa: PLC0415

    typer.echo(back_up(console, file, now_utc_ns=SystemClock().now().utc_ns, replace=yes))


@app.command(epilog="Example: platefleet console restore /backup/console.sqlite --yes")
def restore(
    file: Annotated[Path, typer.Argument(help="What `backup` wrote.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Replace what it holds now: commands, devices, trust.")] = False,
    console: DatabaseUrl = DATABASE,
) -> None:
    """Put a backup in the place of the console's database, in one transaction. What it lacks, devices tell again."""
    from platefleet.fleet.console.backing import put_back  # noqa: PLC0415
    from platefleet.protocol.clock import SystemClock  # noqa: PLC0415

    typer.echo(put_back(console, file, now_utc_ns=SystemClock().now().utc_ns, replace=yes))
