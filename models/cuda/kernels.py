"""The kernels of `source.py`, compiled for this GPU and launched."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

from platefleet.models.cuda.nvrtc import compiled
from platefleet.models.cuda.source import CANDIDATES, COUNTS, FIELDS, KEPT, MOST_SQUARES, SOURCE
from platefleet.models.cuda.squares import PLACES_BYTES
from platefleet.models.letterbox import PAD
from platefleet.models.nms import CLASS_OFFSET

Element = Literal["float", "unsigned short"]
"""Of a tensor, as the kernels name it: float32, or float16 by its bits."""
CANDIDATE_BYTES = 28
_TILE = (32, 8, 1)
_ANCHORS_PER_BLOCK = 128
_SUPPRESSING = 256


@dataclass(frozen=True, slots=True)
class Work:
    """What the launches of one detector have in common. Addresses are the GPU's; wanted: a flag a class, 0 for all."""

    picture: int
    output: int
    wanted: int
    counts: int
    candidates: int
    result: int
    size: int
    anchors: int
    classes: int
    confidence: float
    iou: float
    agnostic: bool


class Kernels:
    """Launches on one stream. Nothing here waits."""

    def __init__(
        self,
        driver: ModuleType,
        stream: Any,
        compute_capability: tuple[int, int],
        *,
        picture: Element = "float",
        output: Element = "float",
    ) -> None:
        """Compile for tensors of these elements; the GPU's context is current."""
        defines = {
            "PICTURE": picture,
            "OUTPUT": output,
            "PAD": PAD,
            "CLASS_OFFSET": f"{CLASS_OFFSET}f",
            "MOST_SQUARES": MOST_SQUARES,
            "CANDIDATES": CANDIDATES,
            "KEPT": KEPT,
            "COUNTS": COUNTS,
            "FIELDS": FIELDS,
        }
        code = compiled(SOURCE, compute_capability, [f"{name}={value}" for name, value in defines.items()])
        self._module: Any = driver.module_from_buffer(code)
        self._stream = stream
        self._letterbox = self._module.get_function("letterbox").prepare(["P", "P", "i", "i", f"{PLACES_BYTES}s"])
        self._filter = self._module.get_function("filter_anchors").prepare(["P", "P", "P", "P", "i", "i", "f"])
        self._suppress = self._module.get_function("suppress").prepare(["P", "P", "P", "d", f"{PLACES_BYTES}s", "i"])

    def letterbox(self, work: Work, frame: int, stride: int, places: bytes, count: int) -> None:
        """Write `count` squares from the frame at the address `frame`, `stride` bytes a line."""
        grid = (-(-work.size // _TILE[0]), -(-work.size // _TILE[1]), count)
        self._letterbox.prepared_async_call(grid, _TILE, self._stream, frame, work.picture, stride, work.size, places)

    def find(self, work: Work, places: bytes, count: int) -> None:
        """Write what is found in the engine's output for `count` squares, in pixels of the frame."""
        grid = (-(-work.anchors // _ANCHORS_PER_BLOCK), count, 1)
        given = (work.output, work.wanted, work.counts, work.candidates)
        self._filter.prepared_async_call(
            grid,
            (_ANCHORS_PER_BLOCK, 1, 1),
            self._stream,
            *given,
            work.anchors,
            work.classes,
            work.confidence,
        )
        addresses = (work.counts, work.candidates, work.result)
        self._suppress.prepared_async_call(
            (count, 1, 1), (_SUPPRESSING, 1, 1), self._stream, *addresses, work.iou, places, int(work.agnostic)
        )

    def free(self) -> None:
        """Unload the code."""
        self._letterbox = self._filter = self._suppress = None
        self._module = None
