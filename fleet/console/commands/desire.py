"""`fleet desire`: what devices should be like, signed here, kept at the broker, worked towards by each device."""

from __future__ import annotations

import json

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


def desire(
    words: Words = None,
    *,
    site: Site = "",
    label: Label = "",
    model: Model = "",
    software: Software = "",
    everything: Everything = False,
    dry_run: DryRun = False,
    key: Key = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
    console: DatabaseUrl = DATABASE,
) -> None:
    """Say what devices should be like: active.ROLE=KEY, window.zone, window.spans, …, rules=NAME,NAME:DAYS.

    Each device works towards it by itself; `fleet show` says how far it is. What is not named stays as it is.
    """
    from platefleet.fleet.console.commands.desk import entitled, opened, signer_of  # noqa: PLC0415
    from platefleet.fleet.console.desiring import body_of, changes, desired_of, wished  # noqa: PLC0415
    from platefleet.fleet.console.known import Wanted  # noqa: PLC0415
    from platefleet.fleet.console.ordering import unfit  # noqa: PLC0415
    from platefleet.fleet.keys.options import warn  # noqa: PLC0415
    from platefleet.protocol.codec import encode  # noqa: PLC0415
    from platefleet.protocol.printable import printable  # noqa: PLC0415

    names, given = parted(words)
    wish = wished(given)
    with opened(console) as open_:
        devices = open_.meant(Wanted(names, site, label, model, software, everything))
        keys = open_.asked.artifact_keys() if wish.active else {}
        left_out, wanted = [], []
        for device in devices:
            reason = unfit(device)
            if reason:
                left_out.append(reason)
                continue
            row = open_.asked.desired(device.name)
            before = None if row is None else body_of(row.envelope)
            wanted.append((device, desired_of(device, wish, before, keys, open_.now_ns)))
        signer = None
        if wanted and not dry_run:
            signer = entitled(open_, signer_of(key, passphrase_file), "administrator", "a desired state")
        for device, desired in wanted:
            what = changes(desired, device)
            if signer is not None:
                envelope = encode(signer.sign("desired", encode(desired)))
                if not open_.book.desire(desired, envelope, signer.public.name):
                    left_out.append(f"{device.name}: somebody desired something else just now; look at it, and again")
                    continue
            told = {"device": device.name, "choices": desired.choices, "changes": what}
            would = "would be asked for: " if dry_run else "is asked for: "
            says = f"{device.name}: {would + '; '.join(what) if what else 'is so already'}"
            typer.echo(json.dumps(told) if as_json else printable(says))
    for sentence in left_out:
        warn(sentence)
    if left_out:
        raise typer.Exit(1)


def mount(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: platefleet fleet desire --site north window.spans=23:00-04:30 --dry-run")(desire)
