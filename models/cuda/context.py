"""The GPU's owner: one thread opens it, uses it and closes it, and everything on the GPU goes back with it.

The context is the retained primary one, which torch and TensorRT use too; it is current around each use, and while a
frame is held, on the owner's thread alone. A CUDA error ends the owner: what CUDA says after one is not to be
trusted, and most errors stay with the process.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import threading
from collections.abc import Iterator
from types import ModuleType, TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from platefleet.models.cuda.memory import Copiers, DeviceBuffer, PinnedBuffer, Room
from platefleet.models.detections import Frame
from platefleet.models.errors import MissingExtra
from platefleet.protocol.errors import ModelError

_PARTS = 4
"""Of a frame that is copied to pinned memory, a thread for each: while one goes up, the next are copied.

Seen for 1080p on one host with an H100: 1.28 ms by one thread, 0.97 by two, 0.74 by four; 0.14 from pinned memory.
"""
_threads = threading.local()


class Freed(Protocol):
    """What the owner gives back when it ends."""

    def free(self) -> None:
        """Give it back; called once, on the owner's thread, with the context current."""
        ...


class Gpu:
    """Owner of one GPU for one thread. Closes itself with its last user if it came from `this_threads_gpu`."""

    def __init__(self, ordinal: int = 0, *, lent: bool = False) -> None:
        """Retain the GPU's primary context. Raises MissingExtra without PyCUDA, ModelError without a GPU."""
        self.driver = _driver()
        self._thread = threading.get_ident()
        self._lent, self._users = lent, 0
        self._ended: str | None = None
        self._owned: list[Freed] = []
        self._frames: list[PinnedBuffer] = []
        self._held: Frame | None = None
        self._address = 0
        self._current = False
        self._uploading = False
        self.uploads = 0
        try:
            self.driver.init()
            device = self.driver.Device(ordinal)
            self.name = str(device.name())
            self.compute_capability: tuple[int, int] = device.compute_capability()
            self._context: Any = device.retain_primary_context()
        except self.driver.Error as error:
            raise ModelError(f"no CUDA GPU can be used ({_first_line(error)}); run .onnx or .pt weights") from error
        with self.active():
            self.stream: Any = self.driver.Stream()
            self._staging = self.own(Room(lambda count: PinnedBuffer(self.driver, count)))
            self._room = self.own(Room(lambda count: DeviceBuffer(self.driver, count)))
            self._copiers = self.own(Copiers(_PARTS))

    def __enter__(self) -> Gpu:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed, or ended by an error."""
        return self._ended is not None

    @property
    def growths(self) -> int:
        """How often memory for frames was asked for; it stays as it is from the largest frame on."""
        return int(self._staging.growths + self._room.growths)

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Make the context current. A CUDA error inside ends the owner and comes out as a ModelError."""
        if self._ended is not None:
            raise ModelError(self._ended)
        if threading.get_ident() != self._thread:
            raise ModelError("the GPU belongs to the thread that opened it; open the model on the thread that runs it")
        outermost = not self._current  # inside another it is current already: to make it so takes as long as a launch
        if outermost:
            self._context.push()
            self._current = True
        try:
            yield
        except self.driver.Error as error:
            self.fail(_first_line(error))
            raise ModelError(str(self._ended)) from error
        finally:
            if outermost and self._current:
                self._current = False
                self.driver.Context.pop()

    def own(self, thing: Any) -> Any:
        """Keep `thing`, which has `free()`, until `disown` or the owner's end; return it."""
        self._owned.append(thing)
        return thing

    def disown(self, thing: Freed) -> None:
        """Free `thing` now; nothing if the owner has ended and freed it."""
        if thing in self._owned:
            with self.active():
                self._owned.remove(thing)
                thing.free()

    def keep(self) -> None:
        """Count one more user."""
        self._users += 1

    def release(self) -> None:
        """Count one user less; the last one closes a GPU that was lent."""
        self._users -= 1
        if self._users <= 0 and self._lent:
            self.close()

    @contextlib.contextmanager
    def holding(self, frame: Frame) -> Iterator[None]:
        """Upload `frame` once for every use inside; it must not change there."""
        if self._held is frame or frame.size == 0:
            yield
            return
        with self.active():
            self._address = self._upload(frame)
            self._held = frame
            try:
                yield
            finally:
                self._held = None
                if not self.closed and self._uploading:
                    self.synchronize()  # the frame's memory is the caller's again

    def frame_address(self, frame: Frame) -> int:
        """Return where `frame` lies on the GPU, in lines without gaps; uploaded now unless it is held. While active."""
        if self._held is frame:
            return self._address
        self._held = None  # one frame has room: the other is uploaded again when it is asked for
        return self._upload(frame)

    def synchronize(self) -> None:
        """Wait until the stream has done everything. While active."""
        self.stream.synchronize()
        self._uploading = False

    def pinned_frame(self, height: int, width: int) -> Frame:
        """Return a black frame in pinned memory: one that a camera writes into is uploaded without a copy.

        It must not be used once the owner has ended.
        """
        with self.active():
            buffer: PinnedBuffer = self.own(PinnedBuffer(self.driver, height * width * 3))
        self._frames.append(buffer)
        buffer.bytes[:] = 0
        return buffer.bytes[: height * width * 3].reshape(height, width, 3)

    def close(self) -> None:
        """Give everything back; safe to call twice. Raises ModelError on another thread than the owner's."""
        if self._ended is not None:
            return
        if threading.get_ident() != self._thread:
            raise ModelError("the GPU belongs to the thread that opened it; close the model on that thread")
        with contextlib.suppress(ModelError), self.active():  # an error ends the owner, which is what is wanted
            self.synchronize()
        if self._ended is None:
            self._end("the GPU was closed; open the model again")

    def fail(self, reason: str) -> None:
        """End the owner after a CUDA error, which stays the answer to every later call."""
        if self._ended is None:
            self._end(f"the GPU failed ({reason}) and was closed; restart the program, or run .onnx or .pt weights")

    def _end(self, sentence: str) -> None:
        """Free everything, last first, and let the context go. Nothing here raises."""
        self._ended = sentence
        self._held = None
        if not self._current:
            self._context.push()
        for thing in reversed(self._owned):
            with contextlib.suppress(self.driver.Error):  # a failed context frees its memory with the process
                thing.free()
        self._owned.clear()
        self._frames.clear()
        self.stream = None
        self._current = False
        self.driver.Context.pop()
        self._context.detach()
        self._context = None
        if getattr(_threads, "gpu", None) is self:
            _threads.gpu = None

    def _upload(self, frame: Frame) -> int:
        """Copy a frame to the GPU, without waiting; return where it lies there."""
        if self._uploading:
            self.synchronize()  # the pinned memory and the room are still in use
        self._uploading = True
        self.uploads += 1
        target: DeviceBuffer = self._room.of(frame.nbytes)
        address = target.address
        if frame.flags.c_contiguous and any(buffer.holds(frame) for buffer in self._frames):
            self.driver.memcpy_htod_async(address, frame, self.stream)
            return address
        staging: PinnedBuffer = self._staging.of(frame.nbytes)
        pinned: NDArray[np.uint8] = staging.bytes[: frame.nbytes].reshape(frame.shape)
        line = frame.nbytes // frame.shape[0]
        edges = np.linspace(0, frame.shape[0], min(_PARTS, frame.shape[0]) + 1).astype(int).tolist()
        parts = [slice(first, last) for first, last in itertools.pairwise(edges)]
        for part, copied in zip(parts, self._copiers.copy(pinned, frame, parts), strict=True):
            copied.result()
            self.driver.memcpy_htod_async(address + part.start * line, pinned[part], self.stream)
        return address


def this_threads_gpu() -> Gpu:
    """Return the GPU that this thread's models share, opened with the first of them and closed with the last."""
    gpu: Gpu | None = getattr(_threads, "gpu", None)
    if gpu is None or gpu.closed:
        gpu = _threads.gpu = Gpu(lent=True)
    return gpu


def _driver() -> ModuleType:
    try:
        return importlib.import_module("pycuda.driver")
    except (ImportError, OSError) as error:
        raise MissingExtra('PyCUDA is not installed: pip install "platefleet[tensorrt]"') from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
