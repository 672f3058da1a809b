"""Where the trust and the root keys lie, as options of command lines. Light, for help that must not wait."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TrustPath = Annotated[
    Path | None,
    typer.Option(
        "--trust",
        envvar="PLATEFLEET_TRUST",
        help="The trust file, as the console publishes it.",
        show_default="~/.config/platefleet/trust.msgpack",
    ),
]
RootsPath = Annotated[
    Path | None,
    typer.Option(
        "--roots",
        envvar="PLATEFLEET_ROOTS",
        help="The root keys that are believed, a line each.",
        show_default="~/.config/platefleet/roots.pub",
    ),
]
