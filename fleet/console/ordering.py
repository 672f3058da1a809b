"""From what an operator typed to commands that are signed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from platefleet.fleet.console.book import Signed
from platefleet.fleet.console.errors import ConsoleError
from platefleet.fleet.console.known import Known
from platefleet.fleet.keys.keyring import Signer
from platefleet.fleet.questions.moments import duration_ns, moment_ns
from platefleet.models.operations import operations
from platefleet.models.operations.port import Operation
from platefleet.models.operations.reading import arguments_of
from platefleet.protocol.codec import encode
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.ids import uuid7
from platefleet.protocol.messages import Cancel, Command
from platefleet.protocol.messages.command import LIFETIME_NS
from platefleet.protocol.settings_errors import problem

DAY_NS = 86_400 * 1_000_000_000
LONGEST_NS = LIFETIME_NS - DAY_NS
"""A day less than devices take: their clocks and ours may differ."""


@dataclass(frozen=True, slots=True)
class When:
    """When a command may begin, and its place in the queue. UTC nanoseconds; lives_ns: from now on."""

    not_before_ns: int | None = None
    lives_ns: int = 3 * DAY_NS
    priority: int = 5

    def lives(self, now_ns: int) -> tuple[int, int]:
        """Return from when and until when a command that is ordered now may begin, UTC nanoseconds."""
        begins_ns = max(self.not_before_ns or 0, now_ns)
        return begins_ns, begins_ns + self.lives_ns


def when_of(not_before: str, within: str, priority: int, now_ns: int) -> When:
    """Return when, from what was typed: `not_before` is a moment, or a while from now. Raises PlatefleetError.

    >>> when_of("2h", "1d", 5, 0).not_before_ns == 7_200 * 10**9
    True
    """
    begins_ns = None
    if not_before:
        is_while = not_before.strip()[-1:] in set("smhdw") and "T" not in not_before
        if is_while:
            begins_ns = now_ns + duration_ns(not_before, "not-before")
        else:
            begins_ns = moment_ns(not_before, now_ns, "not-before")
    if begins_ns is not None and begins_ns > now_ns + LONGEST_NS:
        raise ConsoleError("a command lives 13 days at most; let it begin earlier.")
    lives_ns = duration_ns(within, "within")
    if not 0 < lives_ns <= LONGEST_NS or max(begins_ns or 0, now_ns) + lives_ns > now_ns + LONGEST_NS:
        raise ConsoleError("a command lives 13 days at most; let it begin earlier, or give a smaller --within.")
    return When(begins_ns, lives_ns, priority)


def operation_of(name: str) -> Operation[Any, Any]:
    """Return an operation by its name. Raises ConsoleError."""
    found = operations().get(name)
    if found is None:
        raise ConsoleError(f"{name[:40]!a} is no operation; there are {', '.join(operations())}.")
    return found


def told_arguments(operation: Operation[Any, Any], words: Sequence[str]) -> dict[str, Any]:
    """Return arguments from `key=value` words, each by its field's own type. Raises ConsoleError.

    >>> told_arguments(operation_of("snapshot"), ["lanes=in,out", "most_bytes=9000"])
    {'lanes': ('in', 'out'), 'most_bytes': 9000}
    """
    fields = operation.arguments.model_fields
    told: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        name = name.replace("-", "_")
        if not equals or name not in fields:
            known = ", ".join(fields) or "none"
            raise ConsoleError(f"{word[:60]!a}: {operation.name} takes {known}, each as name=value.")
        if name in told:
            raise ConsoleError(f"{name}: is given twice.")
        told[name] = _value(name, text, fields[name].annotation)
    try:
        arguments_of(operation, told)
    except ProtocolError as error:
        raise ConsoleError(f"{error}; see `platefleet fleet operations`.") from error
    return told


def _value(name: str, text: str, kind: Any) -> Any:
    many = "tuple" in str(kind)
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    # Several values stand with commas between them; hours of a window hold commas themselves, so `;` may divide too.
    parts = [part.strip() for part in text.split(";" if ";" in text or ":" in text else ",") if part.strip()]
    try:
        return tuple(parts) if many else adapter.validate_strings(text, strict=False)
    except ValidationError as error:
        raise ConsoleError(f"{name}={text[:40]}: {problem(error, name)}.") from error


def order(  # noqa: PLR0917 - what is ordered, of whom, by whom, when
    operation: Operation[Any, Any],
    arguments: Mapping[str, Any],
    devices: Sequence[Known],
    signer: Signer,
    when: When,
    now_ns: int,
) -> tuple[list[Signed], list[str]]:
    """Return a signed command for each device, and a sentence for each that cannot be given one."""
    signed, left_out = [], []
    for device in devices:
        reason = unfit(device)
        if reason:
            left_out.append(reason)
            continue
        command = Command(
            id=uuid7(now_ns // 1_000_000, os.urandom(10)),
            device=device.name,
            install=device.install,
            operation=operation.name,
            arguments=dict(arguments),
            issued_at=now_ns,
            not_before=when.not_before_ns,
            not_after=when.lives(now_ns)[1],
            priority=when.priority,
            builds_on=device.choices if operation.versioned else None,
        )
        envelope = signer.sign("command", encode(command))
        signed.append(Signed(command, encode(envelope), signer.public.name))
    return signed, left_out


def unfit(device: Known) -> str:
    """Return why a device cannot be commanded; empty: it can."""
    if device.kind not in {"", "agent"}:
        return f"{device.name}: is a {device.kind}, which takes no commands"
    if len(device.install) != 32:
        return f"{device.name}: was never heard of, so its install id is not known; see that it is on and connected"
    return ""


def cancelling(id_: str, device: Known, signer: Signer, now_ns: int) -> bytes:
    """Return the signed cancel of a command."""
    cancel = Cancel(
        id=uuid7(now_ns // 1_000_000, os.urandom(10)),
        command=id_,
        device=device.name,
        install=device.install,
        issued_at=now_ns,
        not_after=now_ns + LONGEST_NS,
    )
    return encode(signer.sign("cancel", encode(cancel)))
