"""Letterbox, decoding and suppression against ultralytics' own, in the same run: time as a ratio, and the difference.

Each row is `{"name", "ours_ms", "reference_ms", "ratio", "largest_difference", "cases"}`: medians in milliseconds of
both on the same inputs, taken in turns so that a busy machine slows both; ratio is ours / reference, below 1 is
faster; the difference is the largest absolute one over all `cases`, in the unit of the output.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, TypedDict

import cv2
import numpy as np
from numpy.typing import NDArray

from platefleet.models.decode import decode
from platefleet.models.detections import Detections, Frame, Region
from platefleet.models.errors import MissingExtra
from platefleet.models.letterbox import letterbox, to_frame
from platefleet.models.nms import suppress

Array = NDArray[Any]
SIZE = 640
SHAPES = ((285, 380), (720, 1280), (1080, 1920), (1081, 607), (37, 1999), (640, 640), (3, 2))
"""Height and width: the barrier photos', two cameras', odd, wide, one that needs no scaling, tiny."""


class Row(TypedDict):
    """One comparison."""

    name: str
    ours_ms: float
    reference_ms: float
    ratio: float
    largest_difference: float
    cases: int


def rows(rounds: int = 15, seed: int = 1) -> list[Row]:
    """Measure; takes a few seconds. Raises MissingExtra without ultralytics."""
    reference = _Reference()
    random = np.random.default_rng(seed)
    frames = [random.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in SHAPES]
    outputs = [_an_output(random, classes, anchors) for classes, anchors in ((80, 8400), (1, 8400), (1, 3549), (80, 7))]
    buffer = np.empty((1, 3, SIZE, SIZE), np.float32)

    def ours_letterbox(frame: Frame) -> Array:
        return letterbox(frame, [Region.whole(frame)], SIZE, buffer)

    def ours_back(case: tuple[Array, tuple[int, int]]) -> Array:
        return to_frame(case[0], Region(0, 0, case[1][1], case[1][0]), SIZE)

    boxes = [(random.uniform(-20, SIZE + 20, (300, 4)).astype(np.float32), shape) for shape in SHAPES]
    previous = cv2.getNumThreads(), reference.torch.get_num_threads()
    cv2.setNumThreads(1)
    reference.torch.set_num_threads(1)
    try:
        return [
            _row("letterbox", ours_letterbox, reference.letterbox, frames, rounds),
            _row("boxes to frame", ours_back, reference.to_frame, boxes, rounds),
            _row("decode", lambda o: _table(decode(o, 0.25)), reference.decode, outputs, rounds),
            _row(
                "decode and suppress", lambda o: _table(suppress(decode(o, 0.25), 0.45)), reference.nms, outputs, rounds
            ),
        ]
    finally:
        cv2.setNumThreads(previous[0])
        reference.torch.set_num_threads(previous[1])


def _row(
    name: str, ours: Callable[[Any], Array], theirs: Callable[[Any], Array], cases: Sequence[Any], rounds: int
) -> Row:
    """Compare two functions on each case; the times are sums over the cases."""
    ours_ms = theirs_ms = worst = 0.0
    for case in cases:
        one, other = ours(case), theirs(case)  # also the warm-up
        if one.shape != other.shape:
            worst = float("inf")
        elif one.size:
            worst = max(worst, float(np.abs(one - other).max()))
        times = [(_ms(ours, case), _ms(theirs, case)) for _ in range(rounds)]
        ours_ms += statistics.median(pair[0] for pair in times)
        theirs_ms += statistics.median(pair[1] for pair in times)
    return Row(
        name=name,
        ours_ms=round(ours_ms / len(cases), 4),
        reference_ms=round(theirs_ms / len(cases), 4),
        ratio=round(ours_ms / theirs_ms, 3),
        largest_difference=worst,
        cases=len(cases),
    )


def _ms(function: Callable[[Any], Array], case: Any) -> float:
    start = time.perf_counter()
    function(case)
    return (time.perf_counter() - start) * 1e3


def _an_output(random: np.random.Generator, classes: int, anchors: int) -> Array:
    """Return a network's output as a street gives it: a dozen clusters of confident boxes, the rest near zero."""
    output = np.empty((4 + classes, anchors), np.float32)
    output[:2] = random.uniform(0, SIZE, (2, anchors))
    output[2:4] = random.uniform(8, 200, (2, anchors))
    output[4:] = random.beta(0.3, 60, (classes, anchors))
    for _ in range(12):
        cluster = random.integers(0, anchors, 9)
        output[:4, cluster] = output[:4, cluster[:1]] + random.normal(0, 4, (4, 9))
        output[4 + random.integers(0, classes), cluster] = random.uniform(0.2, 0.95, 9)
    return output


def _table(found: Detections) -> Array:
    """Return detections as the reference has them: x1 y1 x2 y2 confidence class."""
    return np.concatenate([found.boxes, found.confidences[:, None], found.classes[:, None]], axis=1, dtype=np.float32)


class _Reference:
    """Ultralytics' own functions, from arrays to arrays."""

    def __init__(self) -> None:
        try:
            import torch  # noqa: PLC0415 - an extra, loaded when used
            import torchvision  # type: ignore[import-untyped]  # noqa: F401, PLC0415 - the reference takes its NMS
            from ultralytics.data.augment import LetterBox  # noqa: PLC0415
            from ultralytics.utils.nms import non_max_suppression  # noqa: PLC0415
            from ultralytics.utils.ops import scale_boxes, xywh2xyxy  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtra('ultralytics is not installed: pip install "platefleet[torch]"') from error
        self.torch: Any = torch
        self._square = LetterBox((SIZE, SIZE), auto=False, scaleup=True)
        self._suppress: Any = non_max_suppression
        self._scale: Any = scale_boxes
        self._corners: Any = xywh2xyxy

    def letterbox(self, frame: Frame) -> Array:
        """As `BasePredictor.preprocess` does it."""
        boxed: Any = np.stack([self._square(image=frame)])  # type: ignore[list-item]  # a frame, since no labels went in
        tensor = self.torch.from_numpy(np.ascontiguousarray(boxed[..., ::-1].transpose(0, 3, 1, 2))).float()
        tensor /= 255
        return np.asarray(tensor)

    def to_frame(self, case: tuple[Array, tuple[int, int]]) -> Array:
        """`scale_boxes`; a copy goes in, because it works in place."""
        return np.asarray(self._scale((SIZE, SIZE), self.torch.from_numpy(case[0].copy()), case[1]))

    def decode(self, output: Array) -> Array:
        """Run the lines of `non_max_suppression` before it suppresses."""
        x = self.torch.from_numpy(output).T
        x = x[x[:, 4:].amax(1) > 0.25]
        confidence, number = x[:, 4:].max(1, keepdim=True)
        return np.asarray(self.torch.cat((self._corners(x[:, :4]), confidence, number.float()), 1))

    def nms(self, output: Array) -> Array:
        """`non_max_suppression`; a copy goes in, because it may work in place."""
        return np.asarray(self._suppress(self.torch.from_numpy(output[None].copy()), 0.25, 0.45)[0])
