"""TensorRT engines on a CUDA GPU: letterbox, forward pass, decoding and suppression without leaving it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from platefleet.models.artifacts.plan_header import check_header, read_header
from platefleet.models.backends.digest import check_digest
from platefleet.models.backends.plan import Plan
from platefleet.models.backends.squares import Squares, Thresholds
from platefleet.models.backends.stages import StageMs
from platefleet.models.cuda.context import Gpu, this_threads_gpu
from platefleet.models.cuda.kernels import CANDIDATE_BYTES, Kernels, Work
from platefleet.models.cuda.memory import DeviceBuffer, Marks, PinnedBuffer
from platefleet.models.cuda.source import CANDIDATES, MOST_SQUARES
from platefleet.models.cuda.squares import RESULT_WORDS, places, results
from platefleet.models.detections import Detections, Frame, Region
from platefleet.models.errors import WeightsError
from platefleet.models.letterbox import Blob, within
from platefleet.models.tensorrt_release import tensorrt
from platefleet.protocol.errors import ModelError


class TensorrtDetector:
    """A `Detector` over an engine of a YOLOv8 or YOLO11 model. Opened, used and closed on one thread.

    Results equal NumPy's path over the same engine: letterboxed levels differ by one of 255 at most, and nothing else.
    """

    def __init__(
        self,
        path: Path,
        size: int,
        confidence: float,
        iou: float,
        classes: Sequence[int] | None = None,
        *,
        agnostic: bool = False,
        sha256: str | None = None,
        names: Sequence[str] | None = None,
        gpu: Gpu | None = None,
    ) -> None:
        """Load the engine: its digest, then its header, and only then TensorRT.

        Arguments and errors are those of `open_detector`; `sha256` is required. names: of the classes, for an engine
        without ultralytics' metadata. gpu: None shares the thread's.
        """
        self._path = path
        plan, metadata = checked_plan(path, sha256)
        self._classes = _class_names(path, names, metadata)
        chosen = None if classes is None else tuple(classes)
        self._limits = Thresholds(confidence, iou, chosen, agnostic)
        self._size = size
        self._gpu = gpu or this_threads_gpu()
        self._gpu.keep()
        self._closed = False
        self._marks: Marks | None = None
        self._stage_ms = StageMs()
        try:
            with self._gpu.active():
                self._plan: Plan = self._gpu.own(Plan(plan, self._gpu, path))
                self._make_room()
        except BaseException:
            self.close()
            raise

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the model's classes."""
        return self._classes

    @property
    def stage_ms(self) -> StageMs:
        """How long the GPU took for what in the last `detect`; noted from the first time it is asked for."""
        if self._marks is None and not self._closed:
            with self._gpu.active():
                self._marks = self._gpu.own(Marks(self._gpu.driver, self._gpu.stream, 4))
        return self._stage_ms

    @property
    def gpu(self) -> Gpu:
        """The owner that this detector runs on."""
        return self._gpu

    def holding(self, frame: Frame) -> contextlib.AbstractContextManager[None]:
        """Upload `frame` once for all detectors of this GPU that look at it inside."""
        return self._gpu.holding(frame)

    def detect(self, frame: Frame, regions: Sequence[Region]) -> list[Detections]:
        """Return one `Detections` for each region. Raises ModelError if CUDA or TensorRT fails or after `close`."""
        self._check_open()
        found: list[Detections | None] = [None] * len(regions)
        inside = [within(region, frame) for region in regions]
        filled = [index for index, region in enumerate(inside) if all(region.shape)]
        for start in range(0, len(filled), self._batch):
            part = filled[start : start + self._batch]
            for index, one in zip(part, self._looked(frame, [inside[index] for index in part]), strict=True):
                found[index] = one
        return [Detections.empty() if one is None else one for one in found]

    def forward(self, blob: Blob) -> NDArray[np.float32]:
        """Return the engine's output for squares made by `letterbox`: what NumPy's path and comparisons run on."""
        self._check_open()
        with self._gpu.active():
            self._plan.upload(blob)
            self._plan.enqueue(len(blob))
            output: NDArray[np.float32] = self._plan.output(range(len(blob)))
            return output

    def by_numpy(self, frame: Frame, regions: Sequence[Region]) -> list[Detections]:
        """Return what `detect` returns, with everything but the forward pass on the CPU: the reference."""
        return self._numpy.detect(self.forward, frame, regions)

    def close(self) -> None:
        """Give back the engine and its memory; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        for name in ("_marks", "_result", "_host", "_candidates", "_counts", "_wanted", "_kernels", "_plan"):
            thing = self.__dict__.get(name)
            if thing is not None and not self._gpu.closed:
                self._gpu.disown(thing)
        self._gpu.release()

    def _make_room(self) -> None:
        """Ask for all memory and load all code that a frame needs, and run once. While active."""
        own, driver, plan = self._gpu.own, self._gpu.driver, self._plan
        plan.check_detector(self._size, len(self._classes))
        self._batch = min(plan.most, MOST_SQUARES)
        self._kernels: Kernels = own(
            Kernels(driver, self._gpu.stream, self._gpu.compute_capability, picture=plan.picture, output=plan.element)
        )
        self._counts: DeviceBuffer = own(DeviceBuffer(driver, 4 * MOST_SQUARES))
        self._counts.clear()
        self._candidates: DeviceBuffer = own(DeviceBuffer(driver, CANDIDATE_BYTES * CANDIDATES * self._batch))
        self._result: DeviceBuffer = own(DeviceBuffer(driver, 4 * RESULT_WORDS * self._batch))
        self._host: PinnedBuffer = own(PinnedBuffer(driver, 4 * RESULT_WORDS * self._batch))
        self._wanted: DeviceBuffer | None = None
        if self._limits.classes is not None:
            flags = np.zeros(len(self._classes), np.uint8)
            flags[[number for number in self._limits.classes if 0 <= number < len(flags)]] = 1
            self._wanted = own(DeviceBuffer(driver, len(flags)))
            driver.memcpy_htod(self._wanted.address, flags)
        self._work = Work(
            plan.input_address,
            plan.output_address,
            0 if self._wanted is None else self._wanted.address,
            self._counts.address,
            self._candidates.address,
            self._result.address,
            size=self._size,
            anchors=plan.anchors,
            classes=len(self._classes),
            confidence=self._limits.confidence,
            iou=self._limits.iou,
            agnostic=self._limits.agnostic,
        )
        self._numpy = Squares(self._size, self._batch if plan.fixed else None, self._limits)
        black = np.zeros((self._size, self._size, 3), np.uint8)
        self._looked(black, [Region.whole(black)] * self._batch)

    def _looked(self, frame: Frame, regions: Sequence[Region]) -> list[Detections]:
        """Return what is in at most one batch of regions that hold a pixel."""
        gpu, plan, count = self._gpu, self._plan, len(regions)
        where = places(regions, self._size)
        marks = self._marks
        with gpu.active():
            if marks is not None:
                marks.set(0)
            address = gpu.frame_address(frame)
            self._kernels.letterbox(self._work, address, 3 * frame.shape[1], where, count)
            if marks is not None:
                marks.set(1)
            plan.enqueue(count)
            if marks is not None:
                marks.set(2)
            self._kernels.find(self._work, where, count)
            taken = self._host.bytes[: 4 * RESULT_WORDS * count]
            gpu.driver.memcpy_dtoh_async(taken, self._result.address, gpu.stream)
            if marks is not None:
                marks.set(3)
            gpu.synchronize()
            if marks is not None:
                self._stage_ms = StageMs(*marks.between())
            found = results(taken.view(np.float32), count)
            crowded = [index for index, one in enumerate(found) if one is None]
            outputs = plan.output(crowded) if crowded else np.zeros((0, 0, 0), np.float32)
        for index, output in zip(crowded, outputs, strict=True):
            found[index] = self._numpy.mapped(output, regions[index])
        return [one for one in found if one is not None]

    def _check_open(self) -> None:
        if self._closed:
            raise ModelError(f"{self._path}: the detector is closed; open it again")


def checked_plan(path: Path, sha256: str | None) -> tuple[bytes, dict[str, object]]:
    """Return a plan that is the pinned one and this TensorRT's, and ultralytics' metadata in front of it.

    Raises WeightsError for a file that cannot be read, has another digest or none pinned, PlanMismatch for a plan of
    another release or none at all, MissingExtra without TensorRT.
    """
    if sha256 is None:
        raise WeightsError(f"{path}: a wrong engine can end the process; pin its SHA-256, or give an .onnx")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    check_digest(data, sha256, path)
    header = read_header(data, str(path))
    check_header(header, str(tensorrt().__version__), str(path))
    return data[header.at :], header.metadata


def _class_names(path: Path, names: Sequence[str] | None, metadata: dict[str, object]) -> tuple[str, ...]:
    """Return the classes' names as given, else as ultralytics wrote them."""
    if names is not None:
        return tuple(names)
    listed = metadata.get("names")
    if isinstance(listed, dict) and listed:
        try:
            return tuple(str(listed[str(number)]) for number in range(len(listed)))
        except KeyError as error:
            raise WeightsError(f"{path}: its metadata numbers no class {error}; name the classes") from error
    raise WeightsError(f"{path}: an engine does not name its classes; give the names of the model it was built from")
