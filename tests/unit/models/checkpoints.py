"""Small torch checkpoints, honest and hostile, written without torch: a pickle assembled from its opcodes."""

from __future__ import annotations

import pickle
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Name:
    """A global: `GLOBAL module name`."""

    module: str
    name: str


@dataclass(frozen=True)
class Call:
    """What a callable returns: `REDUCE`."""

    function: object
    arguments: tuple[object, ...]


@dataclass(frozen=True)
class Built:
    """An object made by `NEWOBJ` without arguments and given a state by `BUILD`."""

    kind: Name
    state: object


@dataclass(frozen=True)
class Persistent:
    """A storage: `BINPERSID` of its description."""

    description: object


def opcodes(value: object) -> bytes:  # noqa: PLR0911 - a table of kinds
    """Return the opcodes that push `value`."""
    match value:
        case Name(module, name):
            return b"c" + module.encode() + b"\n" + name.encode() + b"\n"
        case Call(function, arguments):
            return opcodes(function) + opcodes(arguments) + b"R"
        case Built(kind, state):
            return opcodes(kind) + b")\x81" + opcodes(state) + b"b"
        case Persistent(description):
            return opcodes(description) + b"Q"
        case dict():
            return b"}(" + b"".join(opcodes(key) + opcodes(held) for key, held in value.items()) + b"u"
        case list():
            return b"](" + b"".join(map(opcodes, value)) + b"e"
        case tuple():
            return b"(" + b"".join(map(opcodes, value)) + b"t"
        case str():
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        case _:
            return pickle.dumps(value, 2)[2:-1]


def tensor(
    key: str, array: np.ndarray, *, kind: str = "FloatStorage", offset: int = 0, shape: tuple[int, ...] | None = None
) -> Call:
    """Return a tensor over storage `key`, contiguous; `shape` and `offset` may lie."""
    shape = array.shape if shape is None else shape
    strides = tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))
    storage = Persistent(("storage", Name("torch", kind), key, "cpu", array.size))
    empty = Call(Name("collections", "OrderedDict"), ())
    return Call(Name("torch._utils", "_rebuild_tensor_v2"), (storage, offset, shape, strides, False, empty))


def module(kind: str, *, arrays: dict[str, object] | None = None, children: dict[str, object] | None = None) -> Built:
    """Return a module of the network."""
    where, _, name = kind.rpartition(".")
    return Built(Name(where, name), {"_parameters": arrays or {}, "_buffers": {}, "_modules": children or {}})


def network(**changes: object) -> Built:
    """Return a detector of one convolution with the weights in storage `0`."""
    weights = tensor("0", np.zeros((2, 3), np.float32))
    convolution = module("torch.nn.modules.conv.Conv2d", arrays={"weight": changes.get("weight", weights)})
    children = {"0": changes.get("child", convolution)}
    state = {"_modules": children, "names": changes.get("names", {0: "plate"})}
    return Built(Name("ultralytics.nn.tasks", "DetectionModel"), state)


def write(path: Path, root: object, storages: dict[str, bytes] | None = None, **zipped: int) -> Path:
    """Write a checkpoint whose pickle pushes `root`, or is `root` if that is bytes."""
    program = root if isinstance(root, bytes) else b"\x80\x02" + opcodes(root) + b"."
    held = {"0": np.arange(6, dtype=np.float32).tobytes()} if storages is None else storages
    with zipfile.ZipFile(path, "w", **zipped) as archive:  # type: ignore[call-overload]
        archive.writestr("it/data.pkl", program)
        for key, content in held.items():
            archive.writestr(f"it/data/{key}", content)
    return path
