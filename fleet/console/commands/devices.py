"""`fleet devices` and `fleet show`: who is there, and what each says of itself."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from platefleet.fleet.console.commands.options import (
    DATABASE,
    AsCsv,
    AsJson,
    DatabaseUrl,
    Label,
    Model,
    Site,
    Software,
    form_of,
)


def devices(
    *,
    site: Site = "",
    label: Label = "",
    model: Model = "",
    software: Software = "",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    console: DatabaseUrl = DATABASE,
) -> None:
    """Show every device: whether it is there, since when, what serves, what is wrong."""
    from platefleet.fleet.console.commands.desk import opened  # noqa: PLC0415
    from platefleet.fleet.console.known import Wanted, choose, known_of  # noqa: PLC0415
    from platefleet.fleet.console.shown import DEVICE_HEADS, DEVICE_NAMES, device_cells, device_row  # noqa: PLC0415
    from platefleet.fleet.questions.sheets import sheet  # noqa: PLC0415

    wanted = Wanted(site=site, label=label, model=model, software=software)
    with opened(console) as open_:
        known = [known_of(row) for row in open_.asked.devices()]
        out = sheet(form_of(as_json, as_csv), sys.stdout, DEVICE_HEADS, DEVICE_NAMES)
        chosen = choose(wanted, known)[0]
        for device in chosen:
            out.add(device_row(device), device_cells(device, open_.now_ns))
        out.flush()
        if not known:
            typer.echo("the console has heard of no device yet; is `platefleet console run` running?", err=True)
        elif not chosen:
            typer.echo(f"no device fits what was said; the console knows {len(known)} in all", err=True)


def show(
    device: Annotated[str, typer.Argument(help="Its name.")],
    *,
    as_json: AsJson = False,
    console: DatabaseUrl = DATABASE,
) -> None:
    """Show all that a device says of itself, and its newest commands."""
    import json  # noqa: PLC0415

    from platefleet.fleet.console.commands.desk import opened  # noqa: PLC0415
    from platefleet.fleet.console.desiring import body_of, drift, hours_line, rules_line  # noqa: PLC0415
    from platefleet.fleet.console.known import Wanted  # noqa: PLC0415
    from platefleet.fleet.console.shown import device_row  # noqa: PLC0415
    from platefleet.fleet.questions.moments import in_zone  # noqa: PLC0415
    from platefleet.protocol.printable import printable  # noqa: PLC0415

    with opened(console) as open_:
        known = open_.meant(Wanted(names=(device,)))[0]
        told = device_row(known)
        if known.info is not None:
            told["info"] = known.info.model_dump(mode="json", exclude_none=True)
        if known.health is not None:
            told["health"] = known.health.model_dump(mode="json", exclude_none=True)
        row = open_.asked.desired(device)
        desired = None if row is None else body_of(row.envelope)
        if row is not None and desired is not None:
            told["desired"] = desired.model_dump(mode="json", exclude_none=True)
            told["desired_by"] = row.operator
            told["drift"] = list(drift(desired, known))
        history = open_.asked.history(device_=device, most=10)
        if as_json:
            typer.echo(json.dumps(told, ensure_ascii=True))
            return
        since = "" if known.presence_ns is None else f" since {in_zone(known.presence_ns)}"
        kind = known.kind or "not heard of yet"
        lines = [f"{known.name}: {kind}, {known.presence}{since}, site {known.site or '-'}"]
        if known.info is not None:
            info = known.info
            lines.append(f"  {info.software} on {info.hardware.model}, {info.hardware.gpu or info.hardware.cpu}")
            lines += [
                f"  {each.role}: {each.format}/{each.precision} {each.digest[:8]}{' serves' if each.active else ''}"
                for each in info.artifacts
            ]
            reported = info.reported
            if reported is not None:
                lines.append(f"  choices {reported.choices}, trust {info.trust_version}")
                lines += [f"  {role} {key} is active" for role, key in reported.active.items()]
                lines += [f"  window {hours_line(reported.window)}"] if reported.window is not None else []
                lines.append(f"  rules {rules_line(reported.rules)}")
                if desired is None:
                    lines += [f"  drift: {each}" for each in reported.drift]
        if row is not None and desired is not None:
            lines += [f"  desired, version {desired.choices} by {row.operator}:"]
            lines += [f"    {role} {key}" for role, key in desired.active.items()]
            lines += [f"    window {hours_line(desired.window)}"] if desired.window is not None else []
            lines += [f"    rules {rules_line(desired.rules)}"] if desired.rules is not None else []
            lines += [f"  drift: {each}" for each in drift(desired, known)] or ["  it is as desired"]
        lines += [f"  problem: {each}" for each in (known.health.problems if known.health is not None else ())]
        lines += [f"  {row.id}  {row.operation:<10} {row.state:<11} {row.reason}" for row in history]
        for line in lines:
            typer.echo(printable(line))


def mount(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: platefleet fleet devices --site north --json")(devices)
    app.command(epilog="Example: platefleet fleet show north-1")(show)
