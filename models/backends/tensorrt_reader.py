"""A text recogniser's engine: strips of one width, made and decoded on the CPU, read on the GPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from platefleet.models.backends.plan import Plan
from platefleet.models.backends.tensorrt import checked_plan
from platefleet.models.ctc import ALPHABET, MOST_CHARACTERS
from platefleet.models.cuda.context import Gpu, this_threads_gpu
from platefleet.models.errors import WeightsError
from platefleet.models.reader import StripReader
from platefleet.models.rectify import STRIP_HEIGHT
from platefleet.protocol.errors import ModelError


class TensorrtReader(StripReader):
    """A `Reader` over an engine of a PP-OCR recogniser. Opened, used and closed on one thread."""

    def __init__(
        self,
        path: Path,
        *,
        symbols: Sequence[str],
        sha256: str | None,
        alphabet: str = ALPHABET,
        most: int = MOST_CHARACTERS,
        gpu: Gpu | None = None,
    ) -> None:
        """Load the engine: its digest, then its header, and only then TensorRT.

        symbols: what the model can write, by class number from 1: `OnnxReader.symbols` of the ONNX that it was built
        from. sha256 is required. gpu: None shares the thread's. Raises WeightsError, PlanMismatch, MissingExtra, and
        ValueError for an alphabet that the model cannot write.
        """
        self._path = path
        plan, _ = checked_plan(path, sha256)
        self._closed = False
        self._gpu = gpu or this_threads_gpu()
        self._gpu.keep()
        try:
            with self._gpu.active():
                self._plan: Plan = self._gpu.own(Plan(plan, self._gpu, path))
            channels, height, width = self._plan.shape
            if (channels, height) != (3, STRIP_HEIGHT):
                raise WeightsError(f"{path}: takes {channels}x{height} lines, not 3x{STRIP_HEIGHT}; build a recogniser")
            classes = self._plan.output_shape[-1]
            if len(self._plan.output_shape) != 2 or classes != len(symbols) + 1:
                raise WeightsError(f"{path}: has {classes} classes for {len(symbols)} symbols; give its own model's")
            most_at_once = self._plan.most
            fixed = most_at_once if self._plan.fixed else None
            super().__init__(self._run, symbols, alphabet, most, width=width, batch=fixed, step=most_at_once)
            self._run(np.zeros((most_at_once, *self._plan.shape), np.float32))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give back the engine and its memory; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        plan = self.__dict__.get("_plan")
        if plan is not None and not self._gpu.closed:
            self._gpu.disown(plan)
        self._gpu.release()

    def _run(self, blob: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._closed:
            raise ModelError(f"{self._path}: the reader is closed; open it again")
        with self._gpu.active():
            self._plan.upload(blob)
            self._plan.enqueue(len(blob))
            output: NDArray[np.float32] = self._plan.output(range(len(blob)))
            return output
