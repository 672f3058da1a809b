"""`keys revoke`: trust a key no more."""

from __future__ import annotations

from typing import Annotated

import typer

from platefleet.fleet.keys.changes import TRUST_DAYS, revoked
from platefleet.fleet.keys.options import By, Days, PassphraseFile, place
from platefleet.fleet.keys.paths import RootsPath, TrustPath
from platefleet.fleet.keys.signing import changed
from platefleet.models.commands.terminal import AsJson


def mount(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog="Example: platefleet keys revoke anna --by /media/vault/vault.pem")
    def revoke(
        who: Annotated[str, typer.Argument(metavar="NAME|KEYID", help="Whose keys, or which one.")],
        *,
        by: By,
        days: Days = TRUST_DAYS,
        passphrase_file: PassphraseFile = None,
        trust: TrustPath = None,
        roots: RootsPath = None,
        as_json: AsJson = False,
    ) -> None:
        """Trust a key no more: devices refuse what it signed, before and after, as soon as they hear of it.

        A device that is kept from hearing it refuses at the latest when the trust ends that it has.
        """
        changed(place(trust, roots), by, passphrase_file, days, lambda change: revoked(change, who), as_json=as_json)
