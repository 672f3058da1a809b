"""One TensorRT engine with its memory: deserialised, its tensors at fixed addresses, enqueued on the owner's stream."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from platefleet.models.build.log import BuilderLog
from platefleet.models.cuda.context import Gpu
from platefleet.models.cuda.kernels import Element
from platefleet.models.cuda.memory import DeviceBuffer
from platefleet.models.errors import PlanMismatch, WeightsError
from platefleet.models.tensorrt_release import tensorrt
from platefleet.protocol.errors import ModelError


class Plan:
    """An engine of one input and one output. Belongs to `gpu`, whose `own` frees it."""

    def __init__(self, plan: bytes, gpu: Gpu, path: Path) -> None:
        """Deserialise and give each tensor its place; the context is current.

        Raises PlanMismatch if TensorRT refuses the plan, WeightsError for tensors that are not one in and one out.
        """
        self._gpu, self._path = gpu, path
        self._trt = tensorrt()
        self._log = BuilderLog()
        self._logger: Any = self._log.logger(self._trt)  # TensorRT holds no reference to it
        self._runtime: Any = self._trt.Runtime(self._logger)
        self._engine: Any = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise PlanMismatch(f"{path}: TensorRT refuses it ({self._said()}); build it again on this device")
        self._input, self._output = self._tensors()
        shapes = self._engine.get_tensor_profile_shape(self._input, 0)
        self.least, self.most = int(shapes[0][0]), int(shapes[2][0])
        self.shape = tuple(int(side) for side in shapes[2][1:])
        self.picture, picture = self._element(self._input)
        self.element, self._dtype = self._element(self._output)
        # The only call of TensorRT that asks for the network's working memory.
        self._context: Any = self._engine.create_execution_context()
        if self._context is None:
            raise ModelError(f"{path}: no memory for the engine ({self._said()}); free GPU memory, or run .onnx")
        self._picture = picture
        self._batch = 0
        self._shape_for(self.most)
        self.output_shape = tuple(int(side) for side in self._context.get_tensor_shape(self._output))[1:]
        self._in = DeviceBuffer(gpu.driver, self.most * int(np.prod(self.shape)) * picture.itemsize)
        self._out = DeviceBuffer(gpu.driver, self.most * int(np.prod(self.output_shape)) * self._dtype.itemsize)
        self._in.clear()
        self._context.set_tensor_address(self._input, self._in.address)
        self._context.set_tensor_address(self._output, self._out.address)

    @property
    def fixed(self) -> bool:
        """Whether it takes one batch only."""
        return self.least == self.most

    @property
    def input_address(self) -> int:
        """Where the pictures lie."""
        return self._in.address

    @property
    def output_address(self) -> int:
        """Where the outputs lie."""
        return self._out.address

    @property
    def anchors(self) -> int:
        """Boxes that a detector puts out for each picture."""
        return self.output_shape[-1]

    def check_detector(self, size: int, classes: int) -> None:
        """Raise WeightsError unless it takes squares of `size` and puts out boxes with so many classes."""
        if self.shape != (3, size, size):
            sides = "x".join(map(str, self.shape[1:]))
            raise WeightsError(f"{self._path}: made for {sides} pixels, not {size}; set its size or build it again")
        if len(self.output_shape) != 2 or self.output_shape[0] != 4 + classes:
            raise WeightsError(
                f"{self._path}: puts out {self.output_shape}, not a box and {classes} classes each; check its names"
            )

    def upload(self, blob: NDArray[np.float32]) -> None:
        """Copy pictures in, and wait. While active."""
        self._gpu.driver.memcpy_htod(self._in.address, np.ascontiguousarray(blob, self._picture))

    def enqueue(self, count: int) -> None:
        """Run the first `count` pictures, without waiting; a fixed batch runs what lies there too. While active."""
        self._shape_for(self.most if self.fixed else count)
        if not self._context.execute_async_v3(self._gpu.stream.handle):
            self._gpu.fail(f"{self._path}: {self._said()}")
            raise ModelError(f"{self._path}: the forward pass failed ({self._said()}); restart, or run .onnx weights")

    def output(self, pictures: Sequence[int]) -> NDArray[np.float32]:
        """Wait, and return the outputs of these pictures of the last batch. While active."""
        self._gpu.synchronize()
        taken = np.empty((len(pictures), *self.output_shape), self._dtype)
        one = int(np.prod(self.output_shape)) * self._dtype.itemsize
        for row, picture in zip(taken, pictures, strict=True):
            self._gpu.driver.memcpy_dtoh(row, self._out.address + picture * one)
        return taken.astype(np.float32, copy=False)

    def free(self) -> None:
        """Give back the engine and its memory."""
        self._context = self._engine = self._runtime = None
        self._in.free()
        self._out.free()

    def _shape_for(self, batch: int) -> None:
        if batch != self._batch:
            if not self._context.set_input_shape(self._input, (batch, *self.shape)):
                raise WeightsError(f"{self._path}: takes no batch of {batch} ({self._said()}); build it for more")
            self._batch = batch

    def _tensors(self) -> tuple[str, str]:
        """Return the names of the one input and the one output."""
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        mode = self._trt.TensorIOMode
        inputs = [name for name in names if self._engine.get_tensor_mode(name) == mode.INPUT]
        outputs = [name for name in names if self._engine.get_tensor_mode(name) == mode.OUTPUT]
        if len(inputs) != 1 or len(outputs) != 1 or len(self._engine.get_tensor_shape(inputs[0])) != 4:
            raise WeightsError(f"{self._path}: has {len(inputs)} inputs and {len(outputs)} outputs, not one of each")
        return inputs[0], outputs[0]

    def _element(self, name: str) -> tuple[Element, np.dtype[Any]]:
        """Return a tensor's type as the kernels and as NumPy call it."""
        kind = self._engine.get_tensor_dtype(name)
        if kind == self._trt.float32:
            return "float", np.dtype(np.float32)
        if kind == self._trt.float16:
            return "unsigned short", np.dtype(np.float16)
        raise WeightsError(
            f"{self._path}: its tensor {name} is {kind}, not float; build it with float input and output"
        )

    def _said(self) -> str:
        return self._log.last_error or "no reason given"
