"""`platefleet conformance`: try somebody else's controller or ingest by the kit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from platefleet.fleet.conformance.outcome import Outcome
    from platefleet.protocol.session import Tls

HELP = "Try somebody else's controller or ingest against records and faults."
app = typer.Typer(help=HELP, no_args_is_help=True, pretty_exceptions_enable=False)

Address = Annotated[str, typer.Option(help="The broker, as host or host:port.")]
Username = Annotated[str, typer.Option(help="User name at the broker, for both devices that the kit plays.")]
PasswordFile = Annotated[
    Path | None, typer.Option(help="File with the password (or set PLATEFLEET_CONFORMANCE_PASSWORD).")
]
UseTls = Annotated[bool, typer.Option("--tls", help="TLS by the machine's own authorities.")]
CaFile = Annotated[Path | None, typer.Option(help="PEM of the broker's authority; turns TLS on.")]
CertFile = Annotated[Path | None, typer.Option(help="PEM of the kit's certificate; turns TLS on.")]
KeyFile = Annotated[Path | None, typer.Option(help="PEM of its key.")]
Device = Annotated[str, typer.Option(help="The device that the kit plays.")]
OtherDevice = Annotated[str, typer.Option(help="A second device that the kit plays, to tell them apart.")]
Waits = Annotated[float, typer.Option(min=0.1, max=600.0, help="Seconds until it must be there: a beat, or its host.")]
Only = Annotated[list[str] | None, typer.Option(metavar="POINT", help="Try this point alone; may be given again.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print a line of JSON for each point.")]
ListPoints = Annotated[bool, typer.Option("--list", help="Name every point and why it matters, and end.")]
RestartBroker = Annotated[
    str,
    typer.Option("--restart-command", metavar="COMMAND", help="Restarts the broker, then ends; run without a shell."),
]


@app.callback()
def conformance() -> None:
    """Try somebody else's controller or ingest against records and faults."""


@app.command(epilog="Example: platefleet conformance controller --broker localhost:1883 --pulse-file pulses.txt")
def controller(
    *,
    broker: Address = "localhost:1883",
    pulse_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The controller's output appends a line with the plate to it.")
    ] = None,
    pulse_http: Annotated[
        int | None,
        typer.Option(metavar="PORT", min=1, max=65535, help="The controller's output asks here, with plate=…"),
    ] = None,
    pulse_address: Annotated[str, typer.Option(help="Where --pulse-http listens.")] = "127.0.0.1",
    pulses: Annotated[
        str, typer.Option(metavar="plate|bare", help="What a pulse says; bare ones name no plate: one point at a time.")
    ] = "plate",
    device: Device = "conformance-1",
    lane: Annotated[str, typer.Option(help="Its lane.")] = "lane-1",
    other_device: OtherDevice = "conformance-2",
    listed: Annotated[
        list[str] | None,
        typer.Option(metavar="PLATE", help="A plate on the list; again for each, instead of the kit's."),
    ] = None,
    age_limit: Annotated[float, typer.Option(min=1.0, max=60.0, help="The controller's age limit in seconds.")] = 5.0,
    wait: Waits = 20.0,
    restart_command: RestartBroker = "",
    controller_restart_command: Annotated[
        str, typer.Option(metavar="COMMAND", help="Restarts the controller, then ends; run without a shell.")
    ] = "",
    only: Only = None,
    as_json: AsJson = False,
    list_points: ListPoints = False,
    list_plates: Annotated[bool, typer.Option("--list-plates", help="Print the kit's own plates, and end.")] = False,
    username: Username = "",
    password_file: PasswordFile = None,
    tls: UseTls = False,
    ca_file: CaFile = None,
    cert_file: CertFile = None,
    key_file: KeyFile = None,
) -> None:
    """Play a device to a gate controller, and watch what it opens for. Status 1 if a point failed.

    The controller serves --device and --lane, has the plates of --list-plates on its list, and moves an output that
    tells the kit: a file or a URL. It is best given a broker and an output of its own for this.
    """
    from platefleet.fleet.conformance.controller.plates import OWN  # noqa: PLC0415 - imported when it runs
    from platefleet.fleet.conformance.controller.points import names  # noqa: PLC0415

    if list_points or list_plates:
        _list(names() if list_points else dict.fromkeys(OWN, ""), as_json=as_json, plain=list_plates)
        return
    from platefleet.fleet.conformance.controller.run import Run  # noqa: PLC0415
    from platefleet.fleet.conformance.controller.site import Site  # noqa: PLC0415
    from platefleet.fleet.conformance.pulses import PulseFile, PulseHttp  # noqa: PLC0415
    from platefleet.fleet.conformance.reach import broker_of  # noqa: PLC0415
    from platefleet.protocol.clock import SystemClock  # noqa: PLC0415
    from platefleet.protocol.errors import ConfigError  # noqa: PLC0415

    if (pulse_file is None) == (pulse_http is None):
        raise ConfigError("--pulse-file or --pulse-http: name one of them; there the kit sees what opens.")
    if pulses not in {"plate", "bare"}:
        raise ConfigError(f"--pulses: {pulses[:40]!a} is neither plate nor bare.")
    site = Site(
        broker_of(broker, username, password_file, _tls(tls, ca_file, cert_file, key_file)),
        device,
        lane,
        other_device,
        tuple(listed or OWN),
        int(age_limit * 1000),
        pulses == "bare",
        wait,
        _restarts(
            broker=("--restart-command", restart_command),
            controller=("--controller-restart-command", controller_restart_command),
        ),
    )
    clock = SystemClock()
    if pulse_file is not None:
        seen: PulseFile | PulseHttp = PulseFile(pulse_file, clock=clock)
    else:
        seen = PulseHttp(pulse_http or 0, pulse_address, clock=clock)
    try:
        outcomes = Run(site, seen, clock=clock).run(only or ())
    finally:
        seen.close()
    _tell(outcomes, as_json=as_json)


@app.command(epilog="Example: platefleet conformance ingest --broker localhost:1883 --json")
def ingest(
    *,
    broker: Address = "localhost:1883",
    device: Device = "conformance-1",
    other_device: OtherDevice = "conformance-2",
    wait: Waits = 20.0,
    restart_command: RestartBroker = "",
    ingest_restart_command: Annotated[
        str,
        typer.Option(metavar="COMMAND", help="Kills the ingest and starts it again, then ends; run without a shell."),
    ] = "",
    only: Only = None,
    as_json: AsJson = False,
    list_points: ListPoints = False,
    username: Username = "",
    password_file: PasswordFile = None,
    tls: UseTls = False,
    ca_file: CaFile = None,
    cert_file: CertFile = None,
    key_file: KeyFile = None,
) -> None:
    """Play two devices to an ingest, and hold its acks and answers against what was sent. Status 1 if a point failed.

    The records are committed under --device and --other-device: give the kit names of its own, or a store of its own.
    """
    from platefleet.fleet.conformance.ingest.points import names  # noqa: PLC0415 - imported when it runs

    if list_points:
        _list(names(), as_json=as_json, plain=False)
        return
    from platefleet.fleet.conformance.ingest.run import Run  # noqa: PLC0415
    from platefleet.fleet.conformance.ingest.site import Site  # noqa: PLC0415
    from platefleet.fleet.conformance.reach import broker_of  # noqa: PLC0415
    from platefleet.protocol.clock import SystemClock  # noqa: PLC0415

    site = Site(
        broker_of(broker, username, password_file, _tls(tls, ca_file, cert_file, key_file)),
        device,
        other_device,
        wait,
        _restarts(
            broker=("--restart-command", restart_command),
            ingest=("--ingest-restart-command", ingest_restart_command),
        ),
    )
    _tell(Run(site, clock=SystemClock()).run(only or ()), as_json=as_json)


def _tls(wanted: bool, ca_file: Path | None, cert_file: Path | None, key_file: Path | None) -> Tls | None:
    from platefleet.protocol.session import Tls  # noqa: PLC0415

    return Tls(ca_file, cert_file, key_file) if wanted or ca_file or cert_file or key_file else None


def _restarts(**commands: tuple[str, str]) -> dict[str, Callable[[], None]]:
    from platefleet.fleet.conformance.reach import restart_by  # noqa: PLC0415

    return {what: restart_by(option, command) for what, (option, command) in commands.items() if command}


def _list(names: Mapping[str, str], *, as_json: bool, plain: bool) -> None:
    if plain:
        typer.echo("\n".join(names))
        return
    if as_json:
        import json  # noqa: PLC0415

        for name, why in names.items():
            typer.echo(json.dumps({"point": name, "why": why}, ensure_ascii=True))
        return
    from platefleet.fleet.conformance.report import listed  # noqa: PLC0415

    _console().print(listed(names))


def _tell(outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    from platefleet.fleet.conformance.report import line, summary, table  # noqa: PLC0415

    if as_json:
        for outcome in outcomes:
            typer.echo(line(outcome))
    else:
        console = _console()
        console.print(table(outcomes))
        console.print(summary(outcomes), highlight=False)
    if any(outcome.status == "failed" for outcome in outcomes):
        raise typer.Exit(1)


def _console() -> Any:
    from rich.console import Console  # noqa: PLC0415 - heavy

    return Console()
