"""The tensors of a torch checkpoint without torch, and without running what the file says.

A `.pt` is a ZIP archive of raw storages and a pickle that says how to build a network from them. A pickle is a
program; this one is run by an unpickler that knows tensors and a few containers and turns each class of torch and
ultralytics into an inert record of its attributes. Every other name in it is refused, whatever it is.
"""

from __future__ import annotations

import io
import math
import pickle  # only its machine: `_Inert.find_class` decides what a name may mean
import pickletools
import struct
import zipfile
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from platefleet.models.errors import WeightsError

MOST_FILE_BYTES = 1 << 30
"""Larger than any detector this project runs (YOLOv8x: 137 MB)."""
MOST_PICKLE_BYTES = 16 << 20
"""A YOLOv8n checkpoint's pickle has 94 kB, YOLOv8x's under 300 kB."""
MOST_MEMBERS = 20_000

MOST_MODULES = 5_000
"""YOLOv8x has under 600."""

_STORAGES: dict[str, type[np.generic]] = {
    "HalfStorage": np.float16,
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "BoolStorage": np.bool_,
}
_DAMAGE = (
    *(zipfile.BadZipFile, pickle.UnpicklingError, EOFError, struct.error, ValueError, TypeError, LookupError),
    *(AttributeError, RuntimeError, OverflowError),
)
"""What the archive reader, the unpickler and a walk through what they built raise on bytes that are not as torch
writes them. A `WeightsError` is none of these and passes."""
_INERT_PACKAGES = ("torch.nn.modules.", "ultralytics.")


@dataclass(slots=True, eq=False)
class Record:
    """An object of the checkpoint as its attributes; `kind` is the name of the class it would have been."""

    kind: str
    attributes: dict[str, Any] = field(default_factory=dict)

    def __setstate__(self, state: Any) -> None:
        """Take the state that the pickle gives, if it is a plain mapping of names."""
        if isinstance(state, dict):
            self.attributes.update(state)


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """One module of the network: its own arrays (float32) and its plain attributes."""

    kind: str
    arrays: dict[str, NDArray[np.float32]]
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A network read from a file: modules by dotted path, class names by number."""

    modules: dict[str, Module]
    names: tuple[str, ...]


def read_checkpoint(path: Path) -> Checkpoint:
    """Read an ultralytics detection checkpoint: its averaged network (`ema`) if it has one, else `model`.

    Raises WeightsError for a file that is not such a checkpoint, damaged, too large, or that names anything else.
    """
    try:
        with path.open("rb") as file:
            return _read(file, str(path))
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error


def _read(file: BinaryIO, where: str) -> Checkpoint:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _check_members(members, where)
            program = next((m.filename for m in members if m.filename.endswith("/data.pkl")), None)
            if program is None:
                raise WeightsError(f"{where}: not a torch checkpoint (it holds no data.pkl)")
            text = archive.read(program)
            _check_program(text, where)
            loaded = _Inert(text, archive, program.removesuffix("data.pkl"), where).load()
            return _network(loaded, where)
    except _DAMAGE as error:
        raise WeightsError(f"{where}: not a torch checkpoint, or damaged ({error}); fetch it again") from error


def _check_members(members: list[zipfile.ZipInfo], where: str) -> None:
    """Refuse an archive that would unfold to more than it says."""
    if len(members) > MOST_MEMBERS or sum(m.file_size for m in members) > MOST_FILE_BYTES:
        raise WeightsError(f"{where}: larger than any checkpoint this program runs; check the file")
    if any(m.compress_type != zipfile.ZIP_STORED for m in members):
        raise WeightsError(f"{where}: not written by torch (its members are compressed); fetch it again")
    if any(m.filename.endswith("/data.pkl") and m.file_size > MOST_PICKLE_BYTES for m in members):
        raise WeightsError(f"{where}: its pickle is larger than any checkpoint's this program runs; check the file")


def _check_program(text: bytes, where: str) -> None:
    """Refuse a pickle whose memo slots are not counted up, because one number could claim all memory."""
    for step, (opcode, argument, _) in enumerate(pickletools.genops(text)):
        if opcode.name in {"PUT", "BINPUT", "LONG_BINPUT"} and int(argument or 0) > step:
            raise WeightsError(f"{where}: a damaged or hostile checkpoint (memo slot {argument}); fetch it again")


class _Inert(pickle.Unpickler):
    """Builds arrays, plain containers and records, and refuses every other name."""

    def __init__(self, text: bytes, archive: zipfile.ZipFile, root: str, where: str) -> None:
        super().__init__(io.BytesIO(text), encoding="utf-8")
        self._archive, self._root, self._where = archive, root, where
        self._storages: dict[str, NDArray[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return the harmless meaning of a name, or refuse it."""
        if (module, name) in _MEANINGS:
            return _MEANINGS[module, name]
        if module == "torch" and name in _STORAGES:
            return name  # the name alone: nothing that a pickle could call
        if (module, name) == ("torch", "device") or f"{module}.".startswith(_INERT_PACKAGES):
            return _stand_in(f"{module}.{name}")
        raise WeightsError(f"{self._where}: refused, the checkpoint names {module}.{name}, which no detector needs")

    def persistent_load(self, pid: Any) -> NDArray[Any]:
        """Return one raw storage, read once, as a flat read-only array."""
        tag, dtype, key, _, count = pid
        if tag != "storage" or dtype not in _STORAGES or not isinstance(key, str):
            raise pickle.UnpicklingError(f"unknown storage {tag!r}")
        if key not in self._storages:
            self._storages[key] = np.frombuffer(self._archive.read(f"{self._root}data/{key}"), _STORAGES[dtype])
        flat = self._storages[key]
        if flat.dtype != _STORAGES[dtype] or len(flat) != count:
            raise pickle.UnpicklingError(f"storage {key} holds {len(flat)} elements, not {count}")
        return flat


def _stand_in(kind: str) -> type[Record]:
    """Return a class whose objects are records of `kind`, whatever they are built with."""

    def new(cls: type[Record], *_: object, **__: object) -> Record:
        record: Record = object.__new__(cls)
        record.kind, record.attributes = kind, {}
        return record

    return type("StandIn", (Record,), {"__new__": new, "__init__": lambda *_, **__: None, "__slots__": ()})


class _Tensor:
    """Stands for torch's `_rebuild_tensor_v2`; without attributes, so a pickle cannot change it."""

    __slots__ = ()

    def __call__(
        self, flat: NDArray[Any], offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
    ) -> NDArray[Any]:
        """Return a read-only view of a storage, within its bounds and no larger than it."""
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        if min((offset, *shape, *strides)) < 0 or math.prod(shape) > len(flat) - offset:
            raise pickle.UnpicklingError(f"a tensor of {shape} does not fit its storage of {len(flat)}")
        if math.prod(shape) and last >= len(flat):
            raise pickle.UnpicklingError(f"a tensor of {shape} by {strides} reaches beyond its storage of {len(flat)}")
        steps = tuple(step * flat.itemsize for step in strides)
        return np.lib.stride_tricks.as_strided(flat[offset:], shape, steps, writeable=False)


class _Parameter:
    """Stands for torch's `_rebuild_parameter`: the array itself; gradients and hooks mean nothing here."""

    __slots__ = ()

    def __call__(self, array: object, *_: object) -> object:
        return array


_MEANINGS: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("__builtin__", "set"): set,
    ("builtins", "set"): set,
    ("torch", "Size"): tuple,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor(),
    ("torch._utils", "_rebuild_parameter"): _Parameter(),
}


def _network(loaded: object, where: str) -> Checkpoint:
    """Return the network that a loaded checkpoint holds."""
    if not isinstance(loaded, dict):
        _no_network(where)
    root = loaded.get("ema") or loaded.get("model")
    if not isinstance(root, Record):
        _no_network(where)
    names = root.attributes.get("names")
    if isinstance(names, dict):
        names = [names[number] for number in sorted(names)]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise WeightsError(f"{where}: the checkpoint has no list of class names, so it is no detector")
    return Checkpoint(_modules(root, where), tuple(names))


def _no_network(where: str) -> NoReturn:
    raise WeightsError(f"{where}: the checkpoint holds no network, so it is no ultralytics detector")


def _modules(root: Record, where: str) -> dict[str, Module]:
    """Return the modules of a network by path; a network that holds itself ends at the limit."""
    found: dict[str, Module] = {}
    left: list[tuple[str, Record]] = [("", root)]
    while left:
        path, record = left.pop()
        held = record.attributes
        arrays = {
            name: np.asarray(value, np.float32)
            for group in ("_parameters", "_buffers")
            for name, value in (held.get(group) or {}).items()
            if isinstance(value, np.ndarray)
        }
        plain = {name: value for name, value in held.items() if isinstance(value, (bool, int, float, str, tuple))}
        found[path] = Module(record.kind, arrays, plain)
        if len(found) > MOST_MODULES:
            raise WeightsError(f"{where}: more modules than any detector has; fetch it again")
        for name, child in (held.get("_modules") or {}).items():
            if isinstance(child, Record):
                left.append((f"{path}.{name}" if path else str(name), child))
    return found
