"""Where the characters of a plate stand: rows of glyphs, found in the picture before anything is read.

A detector's box is loose: it is taller than the plate, and it does not turn with it. The characters are what stands
out of a plate in any country: connected strokes of one height whose middles lie on one line. Pure functions.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from platefleet.models.detections import Frame

WORKING_HEIGHT = 96
"""Pixels to which a box is scaled before strokes are looked for: characters of a tall box come out 25-60 high."""
STEEPEST = 0.36
"""Tangent of the largest tilt, 20 degrees: what a camera at a barrier sees, with room."""
SHORTEST, TALLEST = 0.14, 0.9
"""Height of a character in the box's: a plate turned by 15 degrees fills a third of its box, its characters less."""
MOST_GLYPHS = 48
"""Connected parts looked at, largest first; two lines of 12 characters and as much dirt again."""
SECOND_ROW_HEIGHT = 0.6
"""Least height of a second line in heights of the first: smaller text (country, dealer, slogan) is no second line."""
ENOUGH = 5
"""Characters on one line that are a find: another threshold rarely betters it."""
_THRESHOLDS = (0.15, 0.45)
"""Standard deviations below the local mean at which a pixel is ink: soft print first, then touching characters."""
_WINDOW = 0.35
"""Side of the square around a pixel that its local mean is taken over, in the picture's height: a character or less,
so that a shadow across the plate does not count (0.5 loses rows of tilted plates: measured)."""
_LEAST_CONTRAST = 4.0
"""Gray levels that ink must differ from its surroundings: less is a camera's noise."""

Parts = NDArray[np.float64]
"""(n, 4) float64: x, y, width, height of connected parts."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of characters in frame pixels.

    Its middle is y = `middle` + `slope` · x; characters are `height` tall (measured along y), stand between `x1` and
    `x2`, and are `count`. `dark`: on a brighter ground.
    """

    middle: float
    slope: float
    height: float
    x1: float
    x2: float
    count: int
    dark: bool

    def at(self, x: float) -> float:
        """Return the y of the row's middle at `x`."""
        return self.middle + self.slope * x


@dataclass(frozen=True, slots=True)
class _Found:
    score: float
    row: Row
    members: NDArray[np.bool_]


def find_rows(frame: Frame, box: NDArray[np.float32]) -> tuple[Row, ...]:
    """Return the rows of characters in a detector's box, top to bottom: none, one, or the two of a two-line plate.

    box: (4,) float32 x1 y1 x2 y2 in frame pixels, clipped here; a box of less than 4 pixels a side has no rows.
    """
    x1, y1 = (max(0, int(v)) for v in box[:2])
    x2, y2 = (min(side, int(np.ceil(v))) for side, v in zip(frame.shape[1::-1], box[2:], strict=True))
    if x2 - x1 < 4 or y2 - y1 < 4:
        return ()
    gray = cv2.cvtColor(frame[y1:y2, x1:x2], cv2.COLOR_BGR2GRAY)
    scale = WORKING_HEIGHT / gray.shape[0]
    width = min(max(round(gray.shape[1] * scale), 8), 16 * WORKING_HEIGHT)
    gray = cv2.resize(gray, (width, WORKING_HEIGHT), interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)
    across, down = gray.shape[1] / (x2 - x1), scale
    return tuple(_to_frame(row, x1, y1, across, down) for row in rows_in(np.asarray(gray, np.uint8)))


def rows_in(gray: NDArray[np.uint8]) -> tuple[Row, ...]:
    """Return the rows of characters in a gray picture (height, width) uint8, in its pixels, top to bottom."""
    best: tuple[float, tuple[Row, ...]] = (0.0, ())
    for deviations in _THRESHOLDS:
        for dark in (True, False):
            parts = _parts(gray, deviations, dark=dark)
            first = _best_row(parts, dark=dark)
            if first is None:
                continue
            second = _best_row(parts[_beside(parts, first.row)], dark=dark)
            rows, score = [first.row], first.score
            if second is not None and _pair(first.row, second.row):
                rows.append(second.row)
                score += second.score
            if score > best[0]:
                best = score, tuple(sorted(rows, key=lambda row: row.at((row.x1 + row.x2) / 2)))
        if best[0] >= ENOUGH:
            break
    return best[1]


def _parts(gray: NDArray[np.uint8], deviations: float, *, dark: bool) -> Parts:
    """Return the connected parts of ink that may be characters, by Niblack's threshold with a floor."""
    side = int(gray.shape[0] * _WINDOW) | 1
    values = gray.astype(np.float32)
    mean = cv2.boxFilter(values, -1, (side, side), borderType=cv2.BORDER_REFLECT)
    square = cv2.boxFilter(values * values, -1, (side, side), borderType=cv2.BORDER_REFLECT)
    margin = deviations * np.sqrt(np.maximum(square - mean * mean, 0)) + _LEAST_CONTRAST
    ink = values < mean - margin if dark else values > mean + margin
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=4)
    x, y, width, height, filled = stats[1:].astype(np.float64).T
    tall = gray.shape[0]
    fits = (height > SHORTEST * tall) & (height < TALLEST * tall) & (y > 0) & (y + height < tall)
    fits &= (width < 1.15 * height) & (width > 0.08 * height) & (filled > 0.12 * width * height)
    chosen = np.flatnonzero(fits)
    chosen = chosen[np.argsort(-height[chosen], kind="stable")[:MOST_GLYPHS]]
    return np.stack([x, y, width, height], axis=1)[chosen]


def _best_row(parts: Parts, *, dark: bool) -> _Found | None:
    """Return the line through two parts with the most others of their height on it, or None."""
    if len(parts) < 2:
        return None
    x, y, width, height = parts.T
    centre, middle = x + width / 2, y + height / 2
    away = centre[None, :] - centre[:, None]
    mean_height = (height[:, None] + height[None, :]) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (middle[None, :] - middle[:, None]) / away
        alike = (height[:, None] / height[None, :] > 0.8) & (height[:, None] / height[None, :] < 1.25)
    first, second = np.nonzero((away >= 0.3 * height[:, None]) & alike & (np.abs(slope) <= STEEPEST))
    if len(first) == 0:
        return None
    slopes, heights = slope[first, second, None], mean_height[first, second, None]
    off_line = np.abs(middle - middle[first, None] - slopes * (centre - centre[first, None]))
    off_height = np.abs(height - heights)
    members = (off_line < 0.12 * heights) & (off_height < 0.18 * heights)
    scores = (members * (1 - off_height / heights)).sum(axis=1) - np.abs(slopes[:, 0])
    winner = int(scores.argmax())
    inside = members[winner]
    line = float(slopes[winner, 0])
    if inside.sum() >= 3:
        offset = centre[inside] - centre[inside].mean()
        line = float((offset * middle[inside]).sum() / (offset * offset).sum())
    row = Row(
        middle=float(np.median(middle[inside] - line * centre[inside])),
        slope=line,
        height=float(np.median(height[inside])),
        x1=float(x[inside].min()),
        x2=float((x + width)[inside].max()),
        count=int(inside.sum()),
        dark=dark,
    )
    return _Found(float(scores[winner]), row, inside)


def _beside(parts: Parts, row: Row) -> NDArray[np.bool_]:
    """Return which parts stand clearly above or below a row."""
    x, y, width, height = parts.T
    distance = np.abs(y + height / 2 - (row.middle + row.slope * (x + width / 2)))
    clear: NDArray[np.bool_] = distance > 0.45 * (row.height + height)
    return clear


def _pair(first: Row, second: Row) -> bool:
    """Whether two rows are the lines of one plate: nearly parallel, of like height, one above the other."""
    if not SECOND_ROW_HEIGHT < second.height / first.height < 1 / SECOND_ROW_HEIGHT:
        return False
    shared = min(first.x2, second.x2) - max(first.x1, second.x1)
    return abs(first.slope - second.slope) < 0.12 and shared > 0.5 * min(first.x2 - first.x1, second.x2 - second.x1)


def _to_frame(row: Row, x0: int, y0: int, across: float, down: float) -> Row:
    """Return a row of a scaled cut in frame pixels."""
    slope = row.slope * across / down
    x1, x2 = x0 + row.x1 / across, x0 + row.x2 / across
    return Row(y0 + row.middle / down - slope * x0, slope, row.height / down, x1, x2, row.count, row.dark)
