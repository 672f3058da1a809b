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
    return _parsed(cli, words_of(line))[0]


def command_of(cli: ModuleType, words: list[str]) -> Any:
    """Return the command that these words begin with, which need not be complete."""
    return _parsed(cli, words, complete=False)[1]


def _parsed(cli: ModuleType, words: list[str], *, complete: bool = True) -> tuple[list[str], Any]:
    command: Any = typer.main.get_command(cli.app)
    assert words[0] == "platefleet", words
    context: Any = command.make_context("platefleet", words[1:])
    path = ["platefleet"]
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        path.append(name)
        context = command.make_context(name, rest, parent=context, resilient_parsing=not complete)
    return path, command
