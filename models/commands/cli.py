"""`platefleet models`: mounts the commands. What is heavy is imported when one of them runs."""

from __future__ import annotations

import typer

from platefleet.models.commands import activate, add, bench, build, evaluate, fetch, show, upkeep

app = typer.Typer(
    help="Artifacts of this device: what can run for a role, how good it is, what does run.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for part in (add, fetch, show, build, evaluate, bench, activate, upkeep):
    part.mount(app)
