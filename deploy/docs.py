"""The generated documents: each has one function that writes it, and `--check` fails when a tracked one is stale."""

from __future__ import annotations

import argparse
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

import platefleet
from platefleet.agent.settings.reference import settings_reference
from platefleet.deploy import cli
from platefleet.fleet.conformance.document import document as conformance_document
from platefleet.fleet.gate.document import document as gate_document
from platefleet.models.operations.reference import page as operations_document
from platefleet.protocol import errors
from platefleet.protocol.generate.documents import documents as protocol_documents

ROOT = Path(__file__).resolve().parent.parent


def command_reference() -> str:
    """Return `docs/cli.md`: every command with its options, as its own help says them."""
    root = typer.main.get_command(cli.app)
    lines = ["# Commands", "", "Written by `make docs`; every command prints the same with `--help`.", ""]
    lines += _described("platefleet", root)
    for name in cli.COMMANDS:
        for path, command in _walk(f"platefleet {name}", cli.load(name)):
            lines += _described(path, command)
    return "\n".join(lines).rstrip() + "\n"


def _walk(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, child in sorted(getattr(command, "commands", {}).items()):
        yield from _walk(f"{path} {name}", child)


def _described(path: str, command: Any) -> list[str]:
    context = command.context_class(command, info_name=path)
    lines = [f"## `{path}`", "", inspect.cleandoc(command.help or "").replace("\x08", ""), ""]
    if getattr(command, "epilog", None):
        lines += [command.epilog, ""]
    rows = []
    for parameter in command.get_params(context):
        if parameter.param_type_name == "argument":
            rows.append((f"`{parameter.metavar or parameter.name.upper()}`", getattr(parameter, "help", "") or "", ""))
        elif parameter.name not in {
            "help",
            "install_completion",
            "show_completion",
        }:
            names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
            rows.append((names, parameter.help or "", _default(parameter)))
    if rows:
        lines += ["| what | meaning | default |", "|---|---|---|"]
        lines += [f"| {name} | {' '.join(meaning.split())} | {default} |" for name, meaning, default in rows]
        lines += [""]
    return lines


def _default(option: Any) -> str:
    if option.required:
        return "required"
    if (
        option.default in (None, "")
        or callable(option.default)
        or option.is_flag
        or str(option.default).startswith("Sentinel")
    ):
        return ""
    return f"`{option.default}`"


def error_reference() -> str:
    """Return `docs/errors.md`: the tree of errors with what each one means."""
    lines = [
        "# Errors",
        "",
        "Written by `make docs`. Every error that a person sees is one sentence: what, where, what to do.",
        "",
    ]
    for module in pkgutil.walk_packages(platefleet.__path__, "platefleet."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    lines += _branch(errors.PlatefleetError, 0)
    return "\n".join(lines) + "\n"


def _branch(kind: type[BaseException], depth: int) -> list[str]:
    meaning = " ".join(inspect.cleandoc(kind.__doc__ or "").split())
    lines = [f"{'  ' * depth}- `{kind.__name__}`: {meaning}"]
    for child in sorted(kind.__subclasses__(), key=lambda child: child.__name__):
        lines += _branch(child, depth + 1)
    return lines


def documents() -> dict[Path, Callable[[], str]]:
    """Return every generated document of the tree with the function that writes it."""
    return {
        ROOT / "docs" / "cli.md": command_reference,
        ROOT / "docs" / "conformance.md": conformance_document,
        ROOT / "docs" / "errors.md": error_reference,
        ROOT / "docs" / "gate.md": gate_document,
        ROOT / "docs" / "operations-reference.md": operations_document,
        ROOT / "docs" / "settings.md": settings_reference,
        **protocol_documents(),
    }


def main(arguments: list[str] | None = None) -> int:
    """Write every document, or with `--check` name the stale ones and return 1."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a document is stale")
    options = parser.parse_args(arguments)
    stale = []
    for path, write in documents().items():
        text = write()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(str(path.relative_to(ROOT)))
        if not options.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"{'stale, run `make docs`' if options.check else 'written'}: {name}")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
