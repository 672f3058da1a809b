"""The first bytes of a TensorRT plan, read before TensorRT sees it: a wrong plan can end the process.

A plan begins with `ftrt` and the serialization version (u32, little-endian, at 4); from 8.6 on the bytes 24 to 27 are
major, minor, patch and build of the TensorRT that wrote it (LESSONS: read in TensorRT's own files). Ultralytics puts a
4-byte length and that much JSON in front of its engines, which nobody else can load.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import Any

from platefleet.models.errors import PlanMismatch

MAGIC = b"ftrt"
HEADER_BYTES = 32
_VERSION_AT = 24
_JSON_LIMIT_BYTES = 1 << 20
HEAD_BYTES = _JSON_LIMIT_BYTES + 4 + HEADER_BYTES
"""What `read_header` needs of a file at most."""
_SANE_MAJORS = range(5, 100)
TELLS = (8, 6, 0)
"""The first release whose plans say which one wrote them."""


@dataclass(frozen=True, slots=True)
class PlanHeader:
    """What a plan says of itself. tensorrt: (major, minor, patch), or None where its release does not tell.

    at: where the plan begins in the file; metadata: what ultralytics wrote in front of it.
    """

    serialization: int
    tensorrt: tuple[int, int, int] | None
    at: int = 0
    metadata: dict[str, Any] = field(default_factory=dict)


def read_header(data: bytes, where: str) -> PlanHeader:
    """Return the header of the plan in `data`, of which the first HEAD_BYTES are enough.

    Raises PlanMismatch for what is no plan.
    """
    at, metadata = _behind_json(data, where)
    head = data[at : at + HEADER_BYTES]
    if len(head) < HEADER_BYTES:
        raise PlanMismatch(f"{where}: ends after {len(data)} bytes and is no engine; build it again")
    if head[:4] != MAGIC:
        raise PlanMismatch(f"{where}: does not begin like a TensorRT engine; build it again")
    (serialization,) = struct.unpack_from("<I", head, 4)
    major, minor, patch, _ = head[_VERSION_AT : _VERSION_AT + 4]
    told = (major, minor, patch) if major in _SANE_MAJORS else None
    return PlanHeader(serialization, told, at, metadata)


def check_header(header: PlanHeader, tensorrt: str, where: str) -> None:
    """Raise PlanMismatch unless a plan with this header belongs to the TensorRT release `tensorrt`, as "8.6.2".

    A plan of a release before TELLS does not say which; it is left to its passport's digest, which only a build on this
    device gives it.
    """
    here = version_of(tensorrt)
    if header.tensorrt == here or (here < TELLS and (header.tensorrt is None or header.tensorrt < TELLS)):
        return
    theirs = "a release that it does not tell" if header.tensorrt is None else ".".join(map(str, header.tensorrt))
    ours = ".".join(map(str, here))
    raise PlanMismatch(f"{where}: built with TensorRT {theirs}, this device has {ours}; build it again")


def version_of(text: str) -> tuple[int, int, int]:
    """Return the first three numbers of a release.

    >>> version_of("8.6.2.3"), version_of("10.3.0"), version_of("8.5")
    ((8, 6, 2), (10, 3, 0), (8, 5, 0))
    """
    numbers = [int(part) if part.isascii() and part.isdigit() else 0 for part in text.split(".")[:3]]
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return major, minor, patch


def _behind_json(data: bytes, where: str) -> tuple[int, dict[str, Any]]:
    """Return where the plan begins, and ultralytics' metadata in front of it, if there is any."""
    if data[:4] == MAGIC or len(data) < 5 or data[4:5] != b"{":
        return 0, {}
    (length,) = struct.unpack_from("<I", data)
    if not 2 <= length <= _JSON_LIMIT_BYTES or 4 + length > len(data):
        raise PlanMismatch(f"{where}: looks like an engine of ultralytics' whose metadata is cut off; export it again")
    try:
        metadata = json.loads(data[4 : 4 + length])
    except (ValueError, RecursionError) as error:
        raise PlanMismatch(f"{where}: looks like an engine of ultralytics' whose metadata is no JSON") from error
    if not isinstance(metadata, dict):
        raise PlanMismatch(f"{where}: looks like an engine of ultralytics' whose metadata is no object")
    return 4 + length, metadata
