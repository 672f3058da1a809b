"""`keys show`: what a key is and who trusts it; whom a trust names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platefleet.fleet.keys.options import place
from platefleet.fleet.keys.paths import RootsPath, TrustPath
from platefleet.models.commands.terminal import AsJson


def mount(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog="Example: platefleet keys show anna.pub")
    def show(
        file: Annotated[
            Path | None, typer.Argument(help="A public or private key, or a trust file; else this machine's trust.")
        ] = None,
        trust: TrustPath = None,
        roots: RootsPath = None,
        as_json: AsJson = False,
    ) -> None:
        """Show a key with what trusts it and until when, or a trust with its keys. No passphrase is asked for."""
        from platefleet.fleet.keys.shown import is_key, show_key, show_trust  # noqa: PLC0415 - imported when it runs
        from platefleet.protocol.clock import SystemClock  # noqa: PLC0415

        here, now_ns = place(trust, roots), SystemClock().now().utc_ns
        if file is not None and is_key(file):
            show_key(here, file, now_ns, as_json=as_json)
        else:
            show_trust(here if file is None else place(file, roots), now_ns, as_json=as_json)
