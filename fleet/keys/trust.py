"""`keys trust`: trust people's keys, or renew what is trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platefleet.fleet.keys.changes import KEY_DAYS, TRUST_DAYS, Change, added
from platefleet.fleet.keys.options import By, Days, KeyDays, PassphraseFile, Role, place, public_of, role_of
from platefleet.fleet.keys.paths import RootsPath, TrustPath
from platefleet.fleet.keys.signing import changed
from platefleet.models.commands.terminal import AsJson


def mount(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog="Example: platefleet keys trust anna.pub --by /media/vault/vault.pem")
    def trust(
        keys: Annotated[
            list[Path] | None, typer.Argument(metavar="[FILE.pub]...", help="Public keys of people.")
        ] = None,
        *,
        by: By,
        role: Role = None,
        key_days: KeyDays = KEY_DAYS,
        days: Days = TRUST_DAYS,
        root: Annotated[
            list[Path] | None, typer.Option(help="A root's public key to believe from now on; may be repeated.")
        ] = None,
        passphrase_file: PassphraseFile = None,
        trust: TrustPath = None,
        roots: RootsPath = None,
        as_json: AsJson = False,
    ) -> None:
        """Trust people's keys, and renew the trust: the next version, issued now, signed by a root key.

        A key that is trusted already is renewed. Without a key the trust alone is renewed: do it before it ends.
        """
        here, given = place(trust, roots), role_of(role)
        new = [public_of(path) for path in keys or ()]

        def how(change: Change) -> Change:
            for key in new:
                change = added(change, key, given, key_days)
            return change

        if root:
            here.believe([public_of(path) for path in root])
        changed(here, by, passphrase_file, days, how, as_json=as_json)
