"""Reads plates with a PP-OCR text recogniser: rows of characters, made straight, read in batches.

A row is read once; if a character of it is less than certain it is looked at twice more with less of the ground above
and below, and the probabilities are averaged step by step (all three strips share their horizontal scale). The
recogniser was trained on cuts of every tightness, so its errors in one differ from those in the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from platefleet.models.backends.onnx import open_session, runtime_errors
from platefleet.models.backends.stages import StageMs, split
from platefleet.models.ctc import ALPHABET, MOST_CHARACTERS, Fold, Probabilities, decode, most_certain
from platefleet.models.detections import Frame
from platefleet.models.errors import WeightsError
from platefleet.models.glyphs import Row, find_rows
from platefleet.models.ports import PlateText
from platefleet.models.reading import Reading
from platefleet.models.rectify import (
    CUT,
    STRIP_HEIGHT,
    Corners,
    box_corners,
    plate_corners,
    row_corners,
    strip,
    strip_width,
)
from platefleet.protocol.errors import ModelError

FIRST_MARGIN = 0.25
"""Ground in a strip above and below the characters, in their height, at the first look."""
FURTHER_MARGINS = (0.05, 0.1)
WIDTH_MARGIN = 0.22
"""The margin at which a strip keeps the plate's proportions; the others are a little stretched to share its width."""
CERTAIN = 0.9
"""A row whose characters are all at least this certain is not looked at again."""
BUCKET = 32
"""Strips of a batch are padded to a multiple of this many pixels, so that the runtime meets few shapes."""
MOST_IN_A_BATCH = 16
SQUARISH = 0.55
"""Height of a box in its widths from which its plate may have two lines where no row shows."""


Forward = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(n, 3, STRIP_HEIGHT, width) BGR from -1 to 1 to (n, steps, classes) probabilities, both float32."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadPlate:
    """What was read in one box. corners: (4, 2) float32, fitted to the characters."""

    reading: Reading
    corners: Corners


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """One line to read: its strips' corners, the first look first, all sampled `width` pixels wide."""

    looks: tuple[Corners, ...]
    width: int


class StripReader:
    """A `Reader` but for the forward pass: what every backend does around it. For one thread at a time."""

    def __init__(
        self, forward: Forward, symbols: Sequence[str], alphabet: str, most: int, *, width: int | None = None,
        batch: int | None = None, step: int = MOST_IN_A_BATCH,
    ) -> None:  # fmt: skip
        """Decode what `forward` puts out: probabilities of the blank and then of `symbols`.

        alphabet, most: see `OnnxReader`. width: the one width of strip that the model takes, None for any; a plate that
        is longer is squeezed into it. batch: strips of every pass, filled up; None for any number up to `step`.
        """
        self._forward = forward
        self._fold = Fold(list(symbols), alphabet)
        self._most = most
        self._width, self._batch, self._step = width, batch, batch or step
        self._spans: list[tuple[float, float]] = []
        self.stage_ms = StageMs()
        """How long the last `read` took for what; what lies between two looks at a plate counts as `post`."""

    def read(self, frame: Frame, boxes: NDArray[np.float32]) -> list[PlateText]:
        """Return one `PlateText` for each of the (n, 4) boxes, in order; a box without a pixel reads as nothing.

        Raises ModelError if the runtime fails or after `close`.
        """
        began = perf_counter()
        self._spans.clear()
        rows = [find_rows(frame, box) for box in boxes]
        layouts = [_layouts(frame, box, found) for box, found in zip(boxes, rows, strict=True)]
        lines = [line for plate in layouts for layout in plate for line in layout]
        texts = iter(self._read_lines(frame, lines))
        plates: list[PlateText] = []
        for box, found, plate in zip(boxes, rows, layouts, strict=True):
            readings = [Reading(tuple(c for _ in layout for c in next(texts).characters)) for layout in plate]
            best = max(readings, key=_merit, default=Reading())
            best = Reading(most_certain(best.characters, self._most))
            plates.append(ReadPlate(best, plate_corners(frame, found, box)))
        self.stage_ms = split(began, self._spans, perf_counter())
        return plates

    def close(self) -> None:
        """Give back what the backend holds; safe to call twice."""

    def _read_lines(self, frame: Frame, lines: Sequence[_Line]) -> list[Reading]:
        """Return the reading of each line: one look at all, then the further looks at those that are uncertain."""
        first = self._probabilities(frame, [(line.looks[0], line.width) for line in lines])
        readings = [self._decoded(probabilities) for probabilities in first]
        again = [i for i, reading in enumerate(readings) if len(lines[i].looks) > 1 and not _certain(reading)]
        further = iter(
            self._probabilities(frame, [(look, lines[i].width) for i in again for look in lines[i].looks[1:]])
        )
        for i in again:
            looks = [first[i], *(next(further) for _ in lines[i].looks[1:])]
            readings[i] = self._decoded(np.mean(looks, axis=0, dtype=np.float32))
        return readings

    def _decoded(self, probabilities: Probabilities) -> Reading:
        return Reading(decode(probabilities, self._fold.alphabet, self._most))

    def _probabilities(self, frame: Frame, looks: Sequence[tuple[Corners, int]]) -> list[Probabilities]:
        """Return the folded probabilities of each strip, batched by like width, in the order given."""
        results: list[Probabilities] = [np.zeros((0, 1), np.float32)] * len(looks)
        if self._width is not None:
            looks = [(corners, min(width, self._width)) for corners, width in looks]
        padded = [self._width or -(-width // BUCKET) * BUCKET for _, width in looks]
        for width in sorted(set(padded)):
            members = [i for i, own in enumerate(padded) if own == width]
            for start in range(0, len(members), self._step):
                part = members[start : start + self._step]
                blob = _blob([strip(frame, *looks[i]) for i in part], width, self._batch)
                began = perf_counter()
                output = self._forward(blob)
                self._spans.append((began, perf_counter()))
                for i, steps in zip(part, output, strict=False):  # a fixed batch puts out more
                    results[i] = self._fold(steps)
        return results


class OnnxReader(StripReader):
    """A `Reader` over a PP-OCR recogniser in ONNX with its symbols in its metadata. For one thread at a time."""

    def __init__(
        self,
        path: Path,
        *,
        alphabet: str = ALPHABET,
        most: int = MOST_CHARACTERS,
        threads: int | None = None,
        sha256: str | None = None,
        width: int | None = None,
    ) -> None:
        """Load the model.

        alphabet: characters that a plate may have. most: characters of one plate, at least 1. threads: None takes the
        cores that may be used. width: of every strip, in pixels, as an engine has it; None keeps to the plate's.
        Raises MissingExtra without ONNX Runtime, WeightsError for a file that is no such recogniser or another than
        `sha256`, ValueError for an alphabet that the model cannot write.
        """
        self._path = path
        self._session: Any = open_session(path, threads, sha256=sha256)
        self._input, symbols = _recogniser(self._session, path)
        self._symbols, self._classes = tuple(symbols), len(symbols) + 1
        self._errors = runtime_errors()
        batch, own = _fixed(self._session)
        super().__init__(self._run, symbols, alphabet, most, width=own or width, batch=batch)

    @property
    def symbols(self) -> tuple[str, ...]:
        """What the model can write, by class number from 1."""
        return self._symbols

    def close(self) -> None:
        """Give back the session's memory; safe to call twice."""
        self._session = None

    def _run(self, blob: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._session is None:
            raise ModelError(f"{self._path}: the reader is closed; open it again")
        try:
            output: NDArray[np.float32] = self._session.run(None, {self._input: blob})[0]
        except self._errors as error:
            raise ModelError(f"{self._path}: the forward pass failed ({error}); check memory") from error
        if output.ndim != 3 or output.shape[0] != len(blob) or output.shape[2] != self._classes:
            raise ModelError(f"{self._path}: put out {output.shape}, not steps of {self._classes} classes each")
        return output


def strips_of(frame: Frame, boxes: NDArray[np.float32], width: int, batch: int | None) -> Iterator[NDArray[np.float32]]:
    """Yield what the network gets for the first looks at the plates in `boxes`, as `_blob` has it."""
    lines = [line for box in boxes for layout in _layouts(frame, box, find_rows(frame, box)) for line in layout]
    for start in range(0, len(lines), batch or MOST_IN_A_BATCH):
        part = lines[start : start + (batch or MOST_IN_A_BATCH)]
        yield _blob([strip(frame, line.looks[0], min(line.width, width)) for line in part], width, batch)


def _layouts(frame: Frame, box: NDArray[np.float32], rows: tuple[Row, ...]) -> tuple[tuple[_Line, ...], ...]:
    """Return the ways in which a plate's lines may lie, of which the best reading counts: one where rows are seen."""
    height, width = float(box[3] - box[1]), float(box[2] - box[0])
    if height < 2 or width < 4 or min(box[2], frame.shape[1]) - max(box[0], 0) < 4 or frame.size == 0:
        return ()
    if rows:
        return (tuple(_row_line(row, box) for row in rows),)
    middle = (_cut_line(box_corners(box, CUT)),)
    if height < SQUARISH * width:
        return (middle,)
    upper, lower = box_corners(box, 0.1), box_corners(box, 0.1)
    upper[2:, 1] = lower[:2, 1] = float(box[1] + box[3]) / 2
    return middle, (_cut_line(upper), _cut_line(lower))


def _row_line(row: Row, box: NDArray[np.float32]) -> _Line:
    """Return the looks at a row over the whole width of the box: characters at its ends may not stand out."""
    x1, x2 = float(box[0]), float(box[2])
    margins = (FIRST_MARGIN, *FURTHER_MARGINS)
    looks = tuple(row_corners(row, x1, x2, 0.5 + margin, 0.5 + margin) for margin in margins)
    return _Line(looks, strip_width(row_corners(row, x1, x2, 0.5 + WIDTH_MARGIN, 0.5 + WIDTH_MARGIN)))


def _cut_line(corners: Corners) -> _Line:
    return _Line((corners,), strip_width(corners))


def _fixed(session: Any) -> tuple[int | None, int | None]:
    """Return batch and width of a recogniser that takes only these; None where it takes any."""
    batch, _, _, width = session.get_inputs()[0].shape
    return batch if isinstance(batch, int) else None, width if isinstance(width, int) else None


def _blob(strips: Sequence[Frame], width: int, batch: int | None = None) -> NDArray[np.float32]:
    """Return (n, 3, STRIP_HEIGHT, width) float32, BGR in -1 to 1, zero beside each strip (PP-OCR's preparation).

    batch: n, filled up with zeros; None: as many as there are strips.
    """
    blob = np.zeros((batch or len(strips), 3, STRIP_HEIGHT, width), np.float32)
    for row, picture in zip(blob, strips, strict=False):
        row[:, :, : picture.shape[1]] = picture.transpose(2, 0, 1) / np.float32(127.5) - np.float32(1)
    return blob


def _certain(reading: Reading) -> bool:
    return bool(reading.characters) and reading.minimum >= CERTAIN


def _merit(reading: Reading) -> float:
    """Return what a layout's reading is worth: its mean confidence, which a line cut in half lowers."""
    return reading.mean


def _recogniser(session: Any, path: Path) -> tuple[str, list[str]]:
    """Return the input's name and the model's symbols by class number from 1; refuse what is no recogniser."""
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].shape[1:3] != [3, STRIP_HEIGHT]:
        raise WeightsError(f"{path}: not a text recogniser {STRIP_HEIGHT} pixels high; give a PP-OCR one")
    listed = session.get_modelmeta().custom_metadata_map.get("character")
    if not listed:
        raise WeightsError(f"{path}: its metadata lists no characters; give a PP-OCR recogniser exported with them")
    symbols = listed.split("\n")
    classes = session.get_outputs()[0].shape[-1]
    if isinstance(classes, int) and classes == len(symbols) + 2:
        symbols.append(" ")  # PaddleOCR adds the space without listing it (`use_space_char`)
    if isinstance(classes, int) and classes != len(symbols) + 1:
        raise WeightsError(f"{path}: lists {len(symbols)} characters for {classes} classes; give the export as it was")
    return inputs[0].name, symbols
