"""Options that the commands about the store share."""

from __future__ import annotations

from typing import Annotated

import typer

DEFAULT = "sqlite:///store.db"
DatabaseUrl = Annotated[
    str,
    typer.Option(
        "--database",
        envvar="PLATEFLEET_INGEST_DATABASE",
        help="The store, as ingest has it: sqlite:///FILE or postgresql://USER@HOST/NAME.",
    ),
]
