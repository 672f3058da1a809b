"""`platefleet fleet`: ask and keep what the fleet told. What a command needs is imported when it runs."""

from __future__ import annotations

import typer

from platefleet.fleet.console.commands import cli as console
from platefleet.fleet.ingest import quarantine_cli
from platefleet.fleet.questions import cli as questions
from platefleet.fleet.retention import cli as retention_cli
from platefleet.fleet.store import backup_cli, database_cli

PARTS = (console.app, questions.app)
"""Apps whose commands stand directly under `platefleet fleet`."""
GROUPS = (
    ("database", database_cli.app),
    ("quarantine", quarantine_cli.app),
    ("retention", retention_cli.app),
)
COMMANDS = (
    (backup_cli.backup, "Example: platefleet fleet backup /backup/store.sqlite"),
    (backup_cli.restore, "Example: platefleet fleet restore /backup/store.sqlite --yes"),
)

app = typer.Typer(
    help="Ask the store and the console, order devices, keep databases and their backups.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for part in PARTS:
    app.add_typer(part)
for name, group in GROUPS:
    app.add_typer(group, name=name)
for command, example in COMMANDS:
    app.command(epilog=example)(command)


@app.callback()
def fleet() -> None:
    """Ask the store and the console, order devices, keep databases and their backups."""
