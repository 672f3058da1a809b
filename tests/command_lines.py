"""Command lines that stand in documents, held against the real command line without running them."""

from __future__ import annotations

import shlex
from types import ModuleType
from typing import Any

import typer

LINES_END = (";", "|", ">", "&&")


def words_of(line: str) -> list[str]:
    """Return a command's words, without a comment and what a shell would do with its output.

    >>> words_of("platefleet fleet devices --json > all.json   # everybody")
    ['platefleet', 'fleet', 'devices', '--json']
    """
    words = shlex.split(line, comments=True)
    ends = [place for place, word in enumerate(words) if word in LINES_END]
    return words[: ends[0]] if ends else words


def checked(cli: ModuleType, line: str) -> list[str]:
    """Parse a line as the command line would, to the last option; return the command's path.

    Raises what the command line raises for one that is none.
    """
    command: Any = typer.main.get_command(cli.app)
    words = words_of(line)
    assert words[0] == "platefleet", line
    context: Any = command.make_context("platefleet", words[1:], resilient_parsing=False)
    path = ["platefleet"]
    while hasattr(command, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, rest)
        path.append(name)
        context = command.make_context(name, rest, parent=context)
    return path
