"""The command line's root: mounts the parts' own command lines, each imported only when it is used."""

from __future__ import annotations

import errno
import importlib
import sys
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from platefleet import __version__
from platefleet.deploy.interrupts import Interrupts
from platefleet.protocol.errors import PlatefleetError
from platefleet.protocol.printable import printable


class Mounted(NamedTuple):
    """One command of the root: where its typer app stands, and its line in the help."""

    module: str
    help: str


COMMANDS = {
    "read": Mounted("platefleet.models.cli", "Read plates in pictures, folders and videos."),
    "models": Mounted("platefleet.models.commands.cli", "Build, measure, choose and look after this device's models."),
    "agent": Mounted("platefleet.agent.cli", "Watch a barrier: run the agent, or check what it needs."),
    "ingest": Mounted("platefleet.fleet.ingest.cli", "Commit what the devices tell into the store."),
    "gate": Mounted("platefleet.fleet.gate.cli", "Control a barrier: run it, open it by hand, keep its allow-list."),
    "fleet": Mounted(
        "platefleet.fleet.cli", "Ask the store and the console, order devices, keep databases and their backups."
    ),
    "keys": Mounted("platefleet.fleet.keys.cli", "Make keys, and say with a root key who may command the fleet."),
    "console": Mounted(
        "platefleet.fleet.console.commands.run", "Send what operators signed, and take down what devices say."
    ),
    "conformance": Mounted(
        "platefleet.fleet.conformance.cli", "Try somebody else's controller or ingest against records and faults."
    ),
    "demo": Mounted("platefleet.deploy.demo.cli", "Show the main job end to end, on real photos."),
    "simulate": Mounted(
        "platefleet.deploy.simulate.cli", "Simulate devices and faults, and compare their ledger with the store."
    ),
    "bench": Mounted("platefleet.deploy.bench.cli", "Measure against named references, as ratios in one run."),
}


class LazyGroup(TyperGroup):
    """A group that knows its commands' names and help without importing them.

    Some releases of typer bring their own copy of click, others ask for the installed one; so nothing here names click.
    """

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # click's signature
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # click's signature
        """Return a stand-in that carries the help line; `resolve_command` loads the real one."""
        mounted = COMMANDS.get(cmd_name)
        return None if mounted is None else TyperCommand(cmd_name, help=mounted.help)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the real command that `args` begins with; an unknown name gets click's own sentence."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, found if found is None or name is None else load(name), rest


def load(name: str) -> Any:
    """Import the command `name` of the table and return it. Raises KeyError for a name that is not in it."""
    command = typer.main.get_command(importlib.import_module(COMMANDS[name].module).app)
    command.name = name
    if not command.help:
        command.help = COMMANDS[name].help
    return command


app = typer.Typer(
    cls=LazyGroup,
    help="Licence-plate recognition for car-park barriers, run as a fleet.",
    epilog="Example: platefleet read photo.jpg --json",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"platefleet {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and end."
    ),
) -> None:
    """Licence-plate recognition for car-park barriers, run as a fleet."""


def main() -> None:
    """Run the command line: an error of ours is a sentence on stderr and status 1, Ctrl-C is status 130."""
    interrupts = Interrupts()
    interrupts.listen()
    try:
        app(obj=interrupts)
    except PlatefleetError as error:
        if interrupts.heard:  # a library whose import was cut off looks as if it were not installed
            sys.exit(130)
        for sentence in error.problems or (str(error),):
            sys.stderr.write(f"platefleet: {printable(sentence)}\n")
        sys.exit(1)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.stderr.write(f"platefleet: {error.filename or 'the output'}: the disk is full; free some space\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
