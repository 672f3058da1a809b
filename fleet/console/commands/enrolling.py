"""`fleet enroll` and `retire`: devices that come and go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platefleet.fleet.console.commands.options import DATABASE, DatabaseUrl
from platefleet.fleet.keys.paths import RootsPath

Passwords = Annotated[
    Path,
    typer.Option(envvar="PLATEFLEET_BROKER_PASSWORDS", help="The broker's password file; made if missing."),
]
Acl = Annotated[Path, typer.Option(envvar="PLATEFLEET_BROKER_ACL", help="The broker's access list.")]


def enroll(
    device: Annotated[str, typer.Argument(help="Its name: client id, user and, with certificates, common name.")],
    *,
    broker: Annotated[str, typer.Option(help="The broker's name as the device reaches it.")],
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Its port.")] = 8883,
    passwords: Passwords = Path("/etc/mosquitto/platefleet/passwords"),
    acl: Acl = Path("/etc/mosquitto/platefleet/acl"),
    ca: Annotated[Path | None, typer.Option(help="PEM of who signs the broker's certificate; none: no TLS.")] = None,
    roots: RootsPath = None,
    zone: Annotated[
        str, typer.Option(help="Time zone of the hours in which engines are built: Europe/Berlin.")
    ] = "UTC",
    out: Annotated[Path, typer.Option(help="The device's folder is made in this one.")] = Path("enrolled"),
    site: Annotated[str, typer.Option(help="The site's name.")] = "",
    label: Annotated[list[str] | None, typer.Option(help="A label; may be repeated.")] = None,
    serves: Annotated[
        list[str] | None, typer.Option(help="Makes it a gate controller of this device; may be repeated.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Give a device that is enrolled a new password.")] = False,
    console: DatabaseUrl = DATABASE,
) -> None:
    """Make, in one step, all that a new device needs: a user and its access at the broker, a folder to copy to it."""
    from platefleet.fleet.console.commands.desk import opened  # noqa: PLC0415
    from platefleet.fleet.console.enrolling import Site, is_user  # noqa: PLC0415
    from platefleet.fleet.console.enrolling import enroll as make  # noqa: PLC0415
    from platefleet.fleet.console.errors import ConsoleError  # noqa: PLC0415
    from platefleet.fleet.keys.options import place  # noqa: PLC0415
    from platefleet.protocol.errors import ConfigError  # noqa: PLC0415
    from platefleet.protocol.messages import Window  # noqa: PLC0415
    from platefleet.protocol.windows import zone_of  # noqa: PLC0415

    if not broker.strip() or "://" in broker:
        said = broker.strip() or "(nothing)"
        raise ConsoleError(f"--broker {said}: is no host; give its name or address alone, as in broker.example.")
    if ":" in broker and "[" not in broker and broker.count(":") == 1:
        host, _, number = broker.partition(":")
        raise ConsoleError(f"--broker {broker}: names a port too; say --broker {host} --port {number}.")
    try:
        zone_of(Window(zone=zone))
    except (ConfigError, ValueError) as error:
        raise ConsoleError(f"--zone: {zone[:40]!a} is no time zone of this machine; Europe/Berlin is one.") from error
    known = place(None, roots).known_roots()
    if known is None and not serves:
        raise ConsoleError(
            f"{place(None, roots).roots}: there are no root keys, so nobody could command it; make two with "
            "`platefleet keys new --root`, or name their file with --roots."
        )
    if is_user(passwords, device) and not again:
        raise ConsoleError(f"{device}: is enrolled already; --again gives it a new password, and its old one ends.")
    lines = () if known is None else tuple(root.line() for root in known.named)
    with opened(console, make=True) as open_:
        strangers = sorted(set(serves or ()) - {row.device for row in open_.asked.devices()})
        home = make(device, Site(broker, port, passwords, acl, ca, lines, zone), out, serves=serves or ())
        kind = "gate" if serves else "agent"
        open_.book.enrol(device, site=site, labels=label or (), now_ns=open_.now_ns, kind=kind)
    what = "the lanes' outputs" if serves else "its camera's address"
    typer.echo(f"{home}: copy it to the device as /etc/platefleet, put {what} into the settings,")
    typer.echo(f"and let the broker read its files again (systemctl reload mosquitto): {passwords}, {acl}")
    if strangers:
        told = f"{', '.join(strangers)}: the console knows no such device yet; enroll it, or mend the gate's file"
        typer.echo(f"platefleet: {told}", err=True)
    if known is not None and known.warning:
        typer.echo(f"platefleet: {known.warning}", err=True)


def retire(
    device: Annotated[str, typer.Argument(help="Its name.")],
    *,
    passwords: Passwords = Path("/etc/mosquitto/platefleet/passwords"),
    acl: Acl = Path("/etc/mosquitto/platefleet/acl"),
    console: DatabaseUrl = DATABASE,
) -> None:
    """Let a device go: its user and access at the broker, its open commands. What it told stays in the store."""
    from platefleet.fleet.console.commands.desk import opened  # noqa: PLC0415
    from platefleet.fleet.console.enrolling import Site  # noqa: PLC0415
    from platefleet.fleet.console.enrolling import retire as take_away  # noqa: PLC0415
    from platefleet.fleet.console.errors import ConsoleError  # noqa: PLC0415

    with opened(console) as open_:
        user = take_away(device, Site("", 0, passwords, acl, None, ()))
        known = open_.book.retire(device, open_.now_ns)
    if not (known or user):
        raise ConsoleError(f"{device}: neither the console nor the broker knows such a device.")
    typer.echo(f"{device}: retired; let the broker read its files again (systemctl reload mosquitto)")


def mount(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: platefleet fleet enroll north-1 --broker broker.example --ca ca.pem")(enroll)
    app.command(epilog="Example: platefleet fleet retire north-1")(retire)
