"""Messages to bytes and back: strict, bounded MessagePack.

Encoding is canonical, equal messages have equal bytes: fields in the model's order under their wire names, fields that
are None left out, maps in the order of their keys, integers in their shortest form, floats as float64. Decoding takes
any encoding of the same values, unknown fields included, and raises nothing but `ProtocolError`: whatever comes in, the
answer is a valid message or one sentence. Its time and memory are bounded by the length of what came.
"""

from __future__ import annotations

from functools import partial
from typing import Any, TypeVar

import msgpack
from pydantic import ValidationError

from platefleet.protocol import shape
from platefleet.protocol.errors import Oversized, ProtocolError, UnknownVersion
from platefleet.protocol.messages.base import Message

M = TypeVar("M", bound=Message)

VERSION = 1
_IN_C = msgpack.Packer.__module__.endswith("_cmsgpack")
_pack = msgpack.Packer(use_bin_type=True).pack if _IN_C else partial(msgpack.packb, use_bin_type=True)
"""One packer for all threads: in C it packs without giving the interpreter away, and to make one costs as much as to
use it. The one in Python would mix two messages."""
_TEXT = frozenset({str})
_PROBLEMS_LISTED = 64
"""Above as many problems none is looked at: each would cost a thousand times the byte that made it."""
_PROBLEMS_TOLD = 3


def pack(value: object) -> bytes:
    """Return a value in MessagePack, as it stands."""
    packed: bytes = _pack(value)
    return packed


def encode(message: Message) -> bytes:
    """Return the one encoding of `message`. Raises Oversized for one that nobody would take."""
    packed = pack(message.__pydantic_serializer__.to_python(message, by_alias=True, exclude_none=True))
    if len(packed) > message.LIMIT_BYTES:
        raise Oversized(_too_long(type(message).__name__, len(packed), message.LIMIT_BYTES))
    return packed


def decode(kind: type[M], data: bytes, *, limit_bytes: int | None = None) -> M:
    """Return the message of `kind` that `data` is.

    Raises Oversized above `limit_bytes` (None: the kind's own) or a limit of `shape`, UnknownVersion for another
    version than 1 (looked at before any other field), ProtocolError for everything else that is not such a message.

    >>> from platefleet.protocol.messages import Beat
    >>> decode(Beat, encode(Beat(gate="gate-1", n=7))).n
    7
    >>> decode(Beat, encode(Beat(gate="gate-1", n=7))[:-1])
    Traceback (most recent call last):
    platefleet.protocol.errors.ProtocolError: Beat: the message ends after 24 bytes in the middle of a value
    """
    name = kind.__name__
    most = kind.LIMIT_BYTES if limit_bytes is None else limit_bytes
    if len(data) > most:
        raise Oversized(_too_long(name, len(data), most))
    body = unpack(data, name)
    if not isinstance(body, dict):
        raise ProtocolError(f"{name}: the message is no map")
    version = body.get("version")
    if type(version) is not int:
        raise ProtocolError(f"{name}: the message names no version")
    if version != VERSION:
        raise UnknownVersion(f"{name}: version {version} is not spoken here; update this program or what sent it")
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise ProtocolError(f"{name}: {_reasons(error)}") from None


def unpack(data: bytes, what: str) -> Any:
    """Return the MessagePack value in `data`, arrays as tuples. Raises ProtocolError; `what` begins its sentence."""
    try:
        shape.check(data)
        return msgpack.unpackb(
            data, raw=False, use_list=False, strict_map_key=True, object_pairs_hook=_without_duplicates
        )
    except ProtocolError as error:
        raise type(error)(f"{what}: {error}") from None
    except UnicodeDecodeError as error:
        raise ProtocolError(f"{what}: a text is not UTF-8 ({error.reason})") from None
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        raise ProtocolError(f"{what}: not MessagePack: {ascii(str(error))[:200]}") from None


def _too_long(name: str, size: int, most: int) -> str:
    return f"{name}: {size} bytes, at most {most} are taken"


def _without_duplicates(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
    body = dict(pairs)
    if len(body) != len(pairs):
        raise ProtocolError("a key stands twice in one map")
    if not _TEXT.issuperset(map(type, body)):
        raise ProtocolError("a key is no text")
    return body


def _reasons(error: ValidationError) -> str:
    """Name the first few fields that do not fit and what would, without repeating what they hold."""
    count = error.error_count()
    if count > _PROBLEMS_LISTED:
        return f"{count} values do not fit"
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    told = [f"{_place(problem['loc'])}: {problem['msg']}"[:160] for problem in problems[:_PROBLEMS_TOLD]]
    return "; ".join(told) + (f" and {count - _PROBLEMS_TOLD} more" if count > _PROBLEMS_TOLD else "")


def _place(where: tuple[int | str, ...]) -> str:
    """Return the way to a field; a key that somebody chose is escaped."""
    return ascii(".".join(str(part)[:64] for part in where))[1:-1][:80]
