"""`keys rotate`: replace somebody's key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platefleet.fleet.keys.changes import KEY_DAYS, OVERLAP_DAYS, TRUST_DAYS, rotated
from platefleet.fleet.keys.options import By, Days, KeyDays, PassphraseFile, place, public_of, role_of
from platefleet.fleet.keys.paths import RootsPath, TrustPath
from platefleet.fleet.keys.signing import changed
from platefleet.models.commands.terminal import AsJson


def mount(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog="Example: platefleet keys rotate anna-2027.pub --by /media/vault/vault.pem")
    def rotate(
        key: Annotated[Path, typer.Argument(metavar="FILE.pub", help="The new public key, under the same name.")],
        *,
        by: By,
        role: Annotated[str | None, typer.Option(help="operator or administrator; else as before.")] = None,
        overlap_days: Annotated[int, typer.Option(help="How long the key before still holds, 0 to 90.")] = OVERLAP_DAYS,
        key_days: KeyDays = KEY_DAYS,
        days: Days = TRUST_DAYS,
        passphrase_file: PassphraseFile = None,
        trust: TrustPath = None,
        roots: RootsPath = None,
        as_json: AsJson = False,
    ) -> None:
        """Replace somebody's key: the new one holds now, the one before ends after an overlap.

        What the old key signed and what still waits in the fleet is carried out only while it holds. A key that is in
        wrong hands is revoked, not rotated.
        """
        here, given, new = place(trust, roots), role_of(role), public_of(key)
        changed(
            here,
            by,
            passphrase_file,
            days,
            lambda change: rotated(change, new, given, key_days, overlap_days),
            as_json=as_json,
        )
