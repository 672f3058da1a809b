"""What can be ordered, as text: for the command line and for `docs/operations-reference.md`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic_core import PydanticUndefined

from platefleet.models.operations import operations
from platefleet.models.operations.port import Operation

_INTRO = """# What can be ordered

Written by `make docs` from `models/operations/`. `platefleet fleet send OPERATION DEVICE… NAME=VALUE…`; several values
stand with commas between them (hours of a window with semicolons).
"""


def page() -> str:
    """Return `docs/operations-reference.md`."""
    lines = [_INTRO]
    for operation in operations().values():
        lines += [f"## `{operation.name}`", "", operation.says, "", *(f"- {each}" for each in _terms(operation)), ""]
        rows = list(_fields(operation))
        if rows:
            lines += ["| argument | value | default |", "|---|---|---|"]
            lines += [f"| `{name}` | {kind} | {default} |" for name, kind, default in rows]
            lines.append("")
        about = " ".join((operation.arguments.__doc__ or "").split())
        lines += [about, ""] if rows else []
    return "\n".join(lines).rstrip() + "\n"


def lines(chosen: Sequence[Operation[Any, Any]], *, whole: bool) -> Iterator[str]:
    """Yield lines for a terminal. whole: with the arguments."""
    for operation in chosen:
        yield f"{operation.name:<11} {operation.says}"
        if whole:
            yield from (f"  {each}" for each in _terms(operation))
            for name, kind, default in _fields(operation):
                yield f"  {name}: {kind.replace('`', '')}{f', {default}' if default else ''}"


def _terms(operation: Operation[Any, Any]) -> Iterator[str]:
    yield f"who: {operation.role}" + (" or administrator" if operation.role == "operator" else "")
    if operation.in_window:
        yield "when: in the window, when no car came for a while; makes room for one that does"
    if operation.versioned:
        yield "builds on the version of the device's choices that the console knows"
    steps = ", ".join(f"{step.name}{' (cannot be cancelled)' if step.no_return else ''}" for step in operation.steps)
    yield f"steps: {steps}"


def _fields(operation: Operation[Any, Any]) -> Iterator[tuple[str, str, str]]:
    properties = operation.arguments.model_json_schema().get("properties", {})
    for name, field in operation.arguments.model_fields.items():
        default = field.default
        shown = "required" if default is PydanticUndefined else "" if default in (None, (), "") else f"`{default}`"
        yield name, _kind(properties[name]), shown


def _kind(schema: dict[str, Any]) -> str:
    for each in schema.get("anyOf", [schema]):
        if each.get("type") == "null":
            continue
        if "enum" in each:
            return ", ".join(f"`{word}`" for word in each["enum"])
        low, high = each.get("minimum"), each.get("maximum")
        if low is not None and high is not None:
            return f"{each['type']}, {low} to {high}"
        return "texts" if each.get("type") == "array" else str(each.get("type", "text"))
    return "text"
