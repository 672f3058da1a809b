"""One 1080p frame with three vehicles, each with its plate, put together from barrier photos."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from platefleet.models.detections import Frame

PHOTOS = ("carlong_0120.png", "carlong_0130.png", "carlong_0133.png")
WIDTH, HEIGHT, TILE = 1920, 1080, (620, 465)
_TILES = ((10, 40), (650, 560), (1290, 40))


def scene(folder: Path, photos: tuple[str, ...] = PHOTOS) -> Frame:
    """Return the frame; the photos lie apart from each other on gray."""
    frame = np.full((HEIGHT, WIDTH, 3), 114, np.uint8)
    for name, (x, y) in zip(photos, _TILES, strict=True):
        photo = cv2.imread(str(folder / name))
        if photo is None:
            raise FileNotFoundError(folder / name)
        frame[y : y + TILE[1], x : x + TILE[0]] = cv2.resize(photo, TILE, interpolation=cv2.INTER_AREA)
    return frame
