"""`models add`: weights that a person trained, into the store by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from platefleet.models.commands.terminal import AsJson, Role, StoreFolder, role_of, say, store_at
from platefleet.protocol.errors import ConfigError


def mount(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog="Example: platefleet models add plates.onnx --role plate")
    def add(
        path: Annotated[Path, typer.Argument(metavar="FILE", help="An .onnx, or a .pt with its --sha256.")],
        role: Role,
        sha256: Annotated[str | None, typer.Option(help="The digest it must have, as its author tells it.")] = None,
        store: StoreFolder = None,
        as_json: AsJson = False,
    ) -> None:
        """Copy weights into the store.

        A .pt is a pickle and runs what it says: it is taken with its digest only.
        """
        from platefleet.models.artifacts.whole import require_whole  # noqa: PLC0415 - heavy

        if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
            raise ConfigError(f"--sha256: {sha256[:70]!a} is no SHA-256; 64 digits of 0-9 a-f would be right.")
        digest = store_at(store).add_source(
            role_of(role), path, sha256=sha256, look=lambda copy: require_whole(copy, str(path))
        )
        say({"role": role, "source": digest}, [f"{role}: source {digest}"], as_json=as_json)
