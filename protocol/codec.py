"""Messages to bytes and back: strict, bounded MessagePack.

Encoding is canonical: fields in the model's order under their wire names, fields that are None left out, floats as
float64. Decoding raises nothing but `ProtocolError`: whatever comes in, the answer is a valid message or one sentence.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgpack
from pydantic import ValidationError

from platefleet.protocol import shape
from platefleet.protocol.errors import Oversized, ProtocolError, UnknownVersion
from platefleet.protocol.messages.base import Message

M = TypeVar("M", bound=Message)

LIMIT_BYTES = 256 * 1024
"""The longest message: the largest frame (132 KiB) with its envelope, nearly twice."""
VERSION = 1


def encode(message: Message) -> bytes:
    """Return the one encoding of `message`."""
    packed: bytes = msgpack.packb(message.model_dump(by_alias=True, exclude_none=True), use_bin_type=True)
    return packed


def decode(kind: type[M], data: bytes, *, limit_bytes: int = LIMIT_BYTES) -> M:
    """Return the message of `kind` that `data` is.

    Raises Oversized above `limit_bytes` or a limit of `shape`, UnknownVersion for a version other than 1 (looked at
    before any other field), ProtocolError for everything else that is not such a message.
    """
    if len(data) > limit_bytes:
        raise Oversized(f"{kind.__name__}: {len(data)} bytes, at most {limit_bytes} are taken")
    body = unpack(data, kind.__name__)
    if not isinstance(body, dict):
        raise ProtocolError(f"{kind.__name__}: the message is no map")
    version = body.get("version")
    if type(version) is not int:
        raise ProtocolError(f"{kind.__name__}: the message names no version")
    if version != VERSION:
        raise UnknownVersion(
            f"{kind.__name__}: version {version} is not spoken here: update this program"
        )
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise ProtocolError(f"{kind.__name__}: {_reasons(error)}") from None
    except (ValueError, OverflowError, RecursionError) as error:
        raise ProtocolError(f"{kind.__name__}: {ascii(str(error))[:200]}") from None


def unpack(data: bytes, what: str) -> Any:
    """Return the MessagePack value in `data`, arrays as tuples. Raises ProtocolError; `what` begins its sentence."""
    try:
        shape.check(data)
        return msgpack.unpackb(
            data, raw=False, use_list=False, strict_map_key=True, object_pairs_hook=_without_duplicates
        )
    except ProtocolError as error:
        raise type(error)(f"{what}: {error}") from None
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        raise ProtocolError(f"{what}: not MessagePack: {ascii(str(error))[:200]}") from None


def _without_duplicates(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
    body = dict(pairs)
    if len(body) != len(pairs):
        raise ProtocolError("a key stands twice in one map")
    for key in body:
        if not isinstance(key, str):
            raise ProtocolError("a key is no text")
    return body


def _reasons(error: ValidationError) -> str:
    """Name the first few fields that do not fit, without repeating what they hold."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    told = [
        f"{ascii('.'.join(str(part) for part in problem['loc']))[1:-1][:80]}: {problem['msg']}"
        for problem in problems[:3]
    ]
    more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
    return "; ".join(told)[:400] + more
