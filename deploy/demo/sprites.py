"""A car cut out of its barrier photo, to be put into another picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from platefleet.deploy.demo.cars import BODY, PHOTO_HEIGHT, PHOTO_WIDTH, WHOLE, Stand
from platefleet.models.detections import Frame
from platefleet.protocol.errors import PlatefleetError

Mask = NDArray[np.float32]
GRABCUT_ROUNDS = 4
UNEVEN = 19
"""Pixels by which the two sides of a car may differ: one is nearer to the camera."""
BONNET = 70
"""Rows of a photo whose reflection may reach beyond its upper edge, where nothing is known."""
GLASS = (38, 34, 30)
"""Colour of a windscreen in the dark, BGR."""


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """A car on nothing.

    picture: (BODY + 285, 380, 3) uint8 BGR, its row BODY is the photo's row 0; alpha: the same height and width,
    float32 in 0–1, what of it is the car.
    """

    picture: Frame
    alpha: Mask


def cut_out(path: Path, stand: Stand, *, covered: bool = False) -> Sprite:
    """Return the car of a photo. covered: with a plate that nobody can read. Raises PlatefleetError without a photo.

    Found by GrabCut (Rother, Kolmogorov, Blake 2004) from where the plate is. What a barrier arm hides is filled in
    from the other side: cars are symmetrical about their plate.
    """
    photo = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if photo is None or photo.shape != (PHOTO_HEIGHT, PHOTO_WIDTH, 3):
        raise PlatefleetError(f"{path}: is no barrier photo of 380×285 pixels; remove it so that it is fetched again")
    picture: Frame = np.asarray(photo, np.uint8)
    inside = _car(picture, stand)
    if stand.arm is not None:
        picture, inside = _without_arm(picture, inside, stand)
    if path.stem in WHOLE:
        other = _mirrored(inside, stand)
        other[:BONNET] = 1
        inside = inside * np.asarray(cv2.dilate(other, np.ones((UNEVEN, UNEVEN), np.uint8)), np.float32)
    if covered:
        picture = _smeared(picture, stand)
    return _with_body(picture, inside)


def _outline(stand: Stand, half: float, above: float, below: float) -> NDArray[np.int32]:
    """Return a hexagon around the plate, its sizes in plate widths."""
    (x, y), wide = stand.middle, stand.wide
    corners = [(-half, -above), (half, -above), (half, 0), (0.75 * half, below), (-0.75 * half, below), (-half, 0)]
    return np.array([(x + wide * dx, y + wide * (dy + stand.slope * dx)) for dx, dy in corners], np.float64).astype(
        np.int32
    )


def _car(photo: Frame, stand: Stand) -> Mask:
    """Return where the car is: (285, 380) float32, 0 or 1."""
    labels = np.full(photo.shape[:2], cv2.GC_BGD, np.uint8)
    cv2.fillPoly(labels, [_outline(stand, 1.75, 3.0, 0.5)], cv2.GC_PR_FGD)
    cv2.fillPoly(labels, [_outline(stand, 0.95, 2.2, 0.16)], cv2.GC_FGD)
    cv2.setRNGSeed(1)
    back, front = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(photo, labels, (0, 0, 0, 0), back, front, GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8)).astype(np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8)).astype(np.uint8)
    parts, numbers = cv2.connectedComponents(found)
    x, y = (int(value) for value in stand.middle)
    own = numbers[y, x] if parts > 1 else 1
    return np.asarray(numbers == own, np.float32)


def _mirrored(picture: NDArray[np.float32], stand: Stand) -> NDArray[np.float32]:
    """Return a picture or mask reflected about the car's own middle, along the plate's slope."""
    (x, _), slope = stand.middle, stand.slope
    back = np.array([[-1, 0, 2 * x], [-2 * slope, 1, 2 * slope * x]], np.float64)
    size = (PHOTO_WIDTH, PHOTO_HEIGHT)
    return np.asarray(cv2.warpAffine(picture, back, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP), np.float32)


def _without_arm(photo: Frame, inside: Mask, stand: Stand) -> tuple[Frame, Mask]:
    """Return the car with its other side where the arm was."""
    assert stand.arm is not None
    x2, y1, y2 = stand.arm
    hidden = np.zeros(inside.shape, np.float32)
    hidden[y1:y2, :x2] = 1
    hidden = np.asarray(cv2.GaussianBlur(hidden, (0, 0), 4), np.float32)
    other_inside = _mirrored(inside, stand)
    other = _mirrored(photo.astype(np.float32), stand)
    mixed = photo * (1 - hidden[..., None]) + other * hidden[..., None]
    return mixed.astype(np.uint8), np.asarray(inside * (1 - hidden) + other_inside * hidden, np.float32)


def _smeared(photo: Frame, stand: Stand) -> Frame:
    """Return the photo with mud on its plate: white enough to be found, not to be read."""
    (x, y), wide, tall = stand.middle, stand.wide, stand.tall
    plate = cv2.RotatedRect((x, y), (wide * 0.96, tall * 0.9), float(np.degrees(np.arctan(stand.slope))))
    mask = np.zeros(photo.shape[:2], np.float32)
    cv2.fillPoly(mask, [np.array(plate.points(), np.float64).astype(np.int32)], 1.0)
    mud = cv2.GaussianBlur(photo, (0, 0), tall * 0.5).astype(np.float32) * (0.9, 0.95, 1.0)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 1), np.float32)
    return np.asarray(photo * (1 - mask[..., None]) + mud * mask[..., None], np.uint8)


def _with_body(photo: Frame, inside: Mask) -> Sprite:
    """Return the car with the bonnet, windscreen and roof that the photo's upper edge cuts away, simply painted."""
    picture = np.zeros((BODY + PHOTO_HEIGHT, PHOTO_WIDTH, 3), np.uint8)
    alpha = np.zeros(picture.shape[:2], np.float32)
    picture[BODY:], alpha[BODY:] = photo, inside
    top = np.flatnonzero(inside[2:6].max(axis=0) > 0.5)
    if len(top) > 40:
        x1, x2 = float(top[0]), float(top[-1])
        edge = photo[2:8].astype(np.float32).mean(axis=0)
        paint = np.median(photo[30:70][inside[30:70] > 0.5], axis=0) * 0.8
        rows = np.arange(BODY, dtype=np.float32)[::-1]
        bonnet, glass = 0.3 * BODY, 0.72 * BODY
        for row, up in enumerate(rows):
            shrink = 0.10 * (x2 - x1) * (up / BODY) ** 1.5
            left, right = int(x1 + shrink), int(x2 - shrink)
            colour = edge[left:right] if up < bonnet else np.array(GLASS) + 25 * (up - bonnet) / BODY
            picture[row, left:right] = colour if up < glass else paint
            alpha[row, left:right] = 1
        picture[:BODY] = cv2.GaussianBlur(picture[:BODY], (0, 0), 1.5)
    return Sprite(picture, np.asarray(cv2.GaussianBlur(alpha, (0, 0), 1.2), np.float32))
