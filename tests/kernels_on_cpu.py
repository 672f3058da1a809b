"""The GPU's kernels compiled by a C++ compiler and run on the CPU, block by block with one thread each.

It is the very source that NVRTC compiles; with one thread a barrier has nothing to wait for. What depends on threads
running side by side is left to `tests/gpu`.
"""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from platefleet.models.cuda.kernels import CANDIDATE_BYTES
from platefleet.models.cuda.source import CANDIDATES, COUNTS, FIELDS, KEPT, MOST_SQUARES, SOURCE
from platefleet.models.cuda.squares import RESULT_WORDS, places, results
from platefleet.models.detections import Detections, Frame, Region
from platefleet.models.letterbox import PAD
from platefleet.models.nms import CLASS_OFFSET

_BEFORE = """
#include <cmath>
#include <cstddef>
#include <algorithm>
using std::min;
struct Three { int x, y, z; };
static Three threadIdx, blockIdx, blockDim = {1, 1, 1};
#define __global__
#define __device__
#define __shared__ static
static void __syncthreads() {}
static int __float2int_rn(float value) { return (int)lrintf(value); }
static int atomicAdd(int* at, int more) { int before = *at; *at += more; return before; }
"""
_BEHIND = """
extern "C" void run_letterbox(const unsigned char* frame, float* out, int stride, int size, const Places* places,
                              int count) {
    for (blockIdx.z = 0; blockIdx.z < count; ++blockIdx.z)
        for (blockIdx.y = 0; blockIdx.y < size; ++blockIdx.y)
            for (blockIdx.x = 0; blockIdx.x < size; ++blockIdx.x) letterbox(frame, out, stride, size, *places);
}
extern "C" void run_find(const float* output, const unsigned char* wanted, int* counts, Candidate* candidates,
                         float* result, int anchors, int classes, float threshold, double limit, const Places* places,
                         int agnostic, int count) {
    for (blockIdx.y = 0; blockIdx.y < count; ++blockIdx.y)
        for (blockIdx.x = anchors - 1; blockIdx.x >= 0; --blockIdx.x)  // backwards: the order of arrival is free
            filter_anchors(output, wanted, counts, candidates, anchors, classes, threshold);
    for (blockIdx.x = 0; blockIdx.x < count; ++blockIdx.x)
        suppress(counts, candidates, result, limit, *places, agnostic);
}
"""


class KernelsOnCpu:
    """The kernels, compiled into `folder`."""

    def __init__(self, folder: Path) -> None:
        defines = {
            "PICTURE": "float",
            "OUTPUT": "float",
            "PAD": PAD,
            "CLASS_OFFSET": f"{CLASS_OFFSET}f",
            "MOST_SQUARES": MOST_SQUARES,
            "CANDIDATES": CANDIDATES,
            "KEPT": KEPT,
            "COUNTS": COUNTS,
            "FIELDS": FIELDS,
        }
        source, library = folder / "kernels.cpp", folder / "kernels.so"
        source.write_text(_BEFORE + SOURCE + _BEHIND)
        flags = [f"-D{name}={value}" for name, value in defines.items()]
        subprocess.run(
            ["g++", "-O2", "-ffp-contract=off", "-shared", "-fPIC", *flags, "-o", str(library), str(source)], check=True
        )
        self._library = ctypes.CDLL(str(library))

    def letterbox(self, frame: Frame, regions: Sequence[Region], size: int) -> NDArray[np.float32]:
        frame = np.ascontiguousarray(frame)
        out = np.full((len(regions), 3, size, size), np.nan, np.float32)
        self._library.run_letterbox(
            _at(frame), _at(out), frame.shape[1] * 3, size, ctypes.c_char_p(places(regions, size)), len(regions)
        )
        return out

    def find(
        self,
        output: NDArray[np.float32],
        regions: Sequence[Region],
        size: int,
        confidence: float,
        iou: float,
        *,
        classes: Sequence[int] | None = None,
        agnostic: bool = False,
    ) -> list[Detections | None]:
        """Twice, since the first run must leave the counts as it found them."""
        count, rows, anchors = output.shape
        output = np.ascontiguousarray(output)
        flags = None
        if classes is not None:
            flags = np.isin(np.arange(rows - 4), list(classes)).astype(np.uint8)
        counts = np.zeros(MOST_SQUARES, np.int32)
        candidates = np.zeros(CANDIDATE_BYTES * CANDIDATES * count, np.uint8)
        result = np.full(RESULT_WORDS * count, np.nan, np.float32)
        for _ in range(2):
            self._library.run_find(
                _at(output),
                None if flags is None else _at(flags),
                _at(counts),
                _at(candidates),
                _at(result),
                anchors,
                rows - 4,
                ctypes.c_float(confidence),
                ctypes.c_double(iou),
                ctypes.c_char_p(places(regions, size)),
                int(agnostic),
                count,
            )
        return results(result, count)


def _at(array: NDArray[np.generic]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
