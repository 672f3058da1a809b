"""`platefleet fleet`: what is done with the whole fleet. Each part brings its commands and imports late."""

from __future__ import annotations

import typer

from platefleet.fleet.questions import cli as questions

PARTS = (questions.app,)
"""Apps whose commands stand directly under `platefleet fleet`."""

app = typer.Typer(
    help="Ask the store: which plates were seen, what is missing, what became of a pass.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for part in PARTS:
    app.add_typer(part)


@app.callback()
def fleet() -> None:
    """Ask the store: which plates were seen, what is missing, what became of a pass."""
