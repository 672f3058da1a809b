"""Arguments and results of operations to the wire's values and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgpack
from pydantic import ValidationError

from platefleet.models.operations.port import Arguments, Operation, Result
from platefleet.protocol.codec import unpack
from platefleet.protocol.commands.order import StepLimits, Terms
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.messages.command import RESULT_LIMIT_BYTES
from platefleet.protocol.printable import printable
from platefleet.protocol.settings_errors import problems

A = TypeVar("A", bound=Arguments)
R = TypeVar("R", bound=Result)


def arguments_of(operation: Operation[A, R], told: Mapping[str, Any]) -> A:
    """Return an operation's arguments. Raises ProtocolError naming the first that does not fit."""
    listed = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}  # from JSON
    try:
        return operation.arguments.model_validate(listed)
    except ValidationError as error:
        told_by = problems(error, operation.arguments)[0]
        raise ProtocolError(printable(f"{operation.name}: {told_by}")[:400]) from None


def packed(result: Result) -> bytes:
    """Return a result as a status carries it. Raises ProtocolError for one that is too large."""
    data: bytes = msgpack.packb(_named(result.model_dump(exclude_none=True)), use_bin_type=True)
    if len(data) > RESULT_LIMIT_BYTES:
        raise ProtocolError(f"a result of {len(data)} bytes; a status carries {RESULT_LIMIT_BYTES}")
    return data


def _named(value: Any) -> Any:
    """Return plain values with texts for keys, which is all that is read on the wire: a row may be by number."""
    if isinstance(value, dict):
        return {str(key): _named(each) for key, each in value.items()}
    return [_named(each) for each in value] if isinstance(value, (list, tuple)) else value


def result_of(operation: Operation[A, R], data: bytes) -> R:
    """Return the result in a status. Raises ProtocolError for bytes that are none."""
    if len(data) > RESULT_LIMIT_BYTES:
        raise ProtocolError(f"{operation.name}: a result of {len(data)} bytes; a status carries {RESULT_LIMIT_BYTES}")
    try:
        return operation.result.model_validate(unpack(data, f"{operation.name}: result"))
    except ValidationError as error:
        raise ProtocolError(f"{operation.name}: its result cannot be read here; update this program") from error


def terms_of(operation: Operation[A, R], arguments: A) -> Terms:
    """Return on what terms it is carried out with these arguments."""
    return Terms(
        slot=operation.slot,
        first_step=operation.steps[0].name,
        steps={step.name: StepLimits(step.deadline_s, step.stall_s) for step in operation.steps},
        in_window=operation.in_window,
        memory_bytes=operation.memory_bytes(arguments),
        anyhow=bool(getattr(arguments, "anyhow", False)),
    )
