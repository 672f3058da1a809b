"""`platefleet keys`: mounts the commands."""

from __future__ import annotations

import typer

from platefleet.fleet.keys import new, revoke, rotate, show, trust

app = typer.Typer(
    help="Make keys, and say with a root key who may command the fleet.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for part in (new, show, trust, rotate, revoke):
    part.mount(app)
