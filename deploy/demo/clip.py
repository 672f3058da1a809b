"""Clips made of the barrier photos: their cars drive over a car park's floor; the same scene, the same pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import cos, radians, sin
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from platefleet.deploy.demo.cars import BODY, STANDS
from platefleet.deploy.demo.scene import Placement, Scene
from platefleet.deploy.demo.sprites import Sprite, cut_out
from platefleet.deploy.interrupts import Interrupts
from platefleet.models.detections import Frame
from platefleet.protocol.errors import PlatefleetError

FLOOR = ("carlong_0120", slice(195, 285))
"""Rows of a photo that show nothing but the floor."""
BUMP = ("carlong_0174", slice(240, 277))
"""Rows of a photo that the yellow and black bump before the barrier fills from left to right."""
NOISE = 3.0
"""A camera's noise in a car park, standard deviation in grey levels."""
DRIFT, DRIFT_S = 0.04, 9.0
"""How much brighter and darker the picture becomes, and how long one wave of that takes."""
ARM_UP_DEGREES = 75.0

Canvas = NDArray[np.float32]


def render(scene: Scene, photos: Mapping[str, Path], interrupts: Interrupts, *, seed: int = 1) -> Iterator[Frame]:
    """Yield the frames of a scene, (height, width, 3) uint8 BGR.

    photos: the barrier photos by file name's stem (`by_name`). interrupts: asked before each car and each
    frame. Raises PlatefleetError if a photo that the scene needs is missing or no picture.
    """
    needed = {car.photo for car in scene.cars} | {FLOOR[0], BUMP[0]}
    missing = sorted(needed - set(photos))
    if missing:
        raise PlatefleetError(f"the clip needs the barrier photo {missing[0]}; fetch the photos again")
    dice = np.random.default_rng(seed)
    floor = _floor(scene, photos)
    sprites = {
        (car.photo, car.covered): cut_out(photos[car.photo], STANDS[car.photo], covered=car.covered)
        for car in interrupts.checking(scene.cars)
    }
    for number, placements in enumerate(interrupts.checking(scene.frames)):
        canvas = floor.copy()
        for placement in placements:
            car = scene.cars[placement.car]
            _put(canvas, sprites[car.photo, car.covered], placement)
        _draw_arm(canvas, scene.arm[number] if scene.arm else 0.0)
        seconds = number / scene.fps
        canvas *= 1 + DRIFT * sin(2 * np.pi * seconds / DRIFT_S)
        canvas += dice.normal(0, NOISE, (*canvas.shape[:2], 1)).astype(np.float32)
        frame = np.clip(canvas, 0, 255).astype(np.uint8)
        _draw_time(frame, seconds)
        yield frame


def by_name(photos: Iterable[Path]) -> dict[str, Path]:
    """Return photos by their file names' stems."""
    return {path.stem: path for path in photos}


def write(path: Path, frames: Iterable[Frame], fps: float) -> int:
    """Write frames as a Motion JPEG file (`.avi`, which OpenCV writes and reads without any codec) and return how many.

    Every frame is a key frame: a file that was cut short still opens. Raises PlatefleetError if it cannot be written.
    """
    writer: cv2.VideoWriter | None = None
    count = 0
    try:
        for frame in frames:
            if writer is None:
                size = (frame.shape[1], frame.shape[0])
                writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, size)
                if not writer.isOpened():
                    raise PlatefleetError(f"{path}: OpenCV cannot write a video here; name another folder")
            writer.write(frame)
            count += 1
    finally:
        if writer is not None:
            writer.release()
    return count


def _floor(scene: Scene, photos: Mapping[str, Path]) -> Canvas:
    """Return the empty lane: real concrete, continued by its reflection, with the bump and a kerb."""
    patch = _rows(photos, *FLOOR)
    size = (scene.width, round(patch.shape[0] * scene.width / patch.shape[1]))
    patch = np.asarray(cv2.resize(patch, size, interpolation=cv2.INTER_CUBIC), np.float32)
    light = np.asarray(cv2.GaussianBlur(patch, (0, 0), 40), np.float32)
    patch = patch - light + light.mean(axis=(0, 1))
    rows = [patch if number % 2 == 0 else patch[::-1] for number in range(scene.height // patch.shape[0] + 1)]
    floor = np.concatenate(rows)[: scene.height]
    floor *= np.linspace(0.75, 1.1, scene.height, dtype=np.float32)[:, None, None]
    _kerb(floor)
    bump = _rows(photos, *BUMP)
    bump = np.asarray(cv2.resize(bump, (scene.width, round(scene.height * 0.085))), np.float32)
    top = round(scene.height * 0.86)
    floor[top : top + len(bump)] = bump
    return floor


def _rows(photos: Mapping[str, Path], name: str, rows: slice) -> Canvas:
    photo = cv2.imread(str(photos[name]), cv2.IMREAD_COLOR)
    if photo is None:
        raise PlatefleetError(f"{photos[name]}: is no picture; remove it so that it is fetched again")
    return np.asarray(photo[rows], np.float32)


def _kerb(floor: Canvas) -> None:
    """Paint the yellow and black kerb at the lane's right side."""
    height, width = floor.shape[:2]
    for part in range(9):
        ends = [(part + offset) / 9 for offset in (0, 1)]
        points = [
            (width * (0.86 + 0.13 * end + side), height * 0.86 * end)
            for end, side in ((ends[0], 0), (ends[0], 0.03), (ends[1], 0.04), (ends[1], 0))
        ]
        colour = (30, 150, 190) if part % 2 else (35, 38, 40)
        cv2.fillPoly(floor, [np.array(points, np.float64).astype(np.int32)], colour, cv2.LINE_AA)


def _put(canvas: Canvas, sprite: Sprite, placement: Placement) -> None:
    """Blend a car, and the shadow under it, into the picture."""
    size = (canvas.shape[1], canvas.shape[0])
    scale, shift_x, shift_y = placement.scale, placement.shift_x, placement.shift_y - placement.scale * BODY
    # Pixel centres: (x + 0.5) · scale + shift - 0.5, or small scales move the plate by half a pixel.
    matrix = np.array([[scale, 0, shift_x + (scale - 1) / 2], [0, scale, shift_y + (scale - 1) / 2]], np.float64)
    alpha = np.asarray(cv2.warpAffine(sprite.alpha, matrix, size, flags=cv2.INTER_LINEAR), np.float32)
    if not alpha.any():
        return
    picture = np.asarray(cv2.warpAffine(sprite.picture, matrix, size, flags=cv2.INTER_CUBIC), np.float32)
    small = cv2.resize(alpha, (size[0] // 4, size[1] // 4), interpolation=cv2.INTER_AREA)
    shadow = cv2.resize(cv2.GaussianBlur(small, (0, 0), 5 * scale), size, interpolation=cv2.INTER_LINEAR)
    canvas *= 1 - 0.55 * np.asarray(shadow, np.float32)[..., None]
    canvas += alpha[..., None] * (picture - canvas)


def _draw_arm(canvas: Canvas, up: float) -> None:
    """Draw the barrier's arm, white with red, `up` from 0 (across the lane) to 1 (open)."""
    height, width = canvas.shape[:2]
    angle = radians(3 + ARM_UP_DEGREES * up)
    foot = np.array((-0.02 * width, 0.82 * height))
    along, across = np.array((cos(angle), -sin(angle))), np.array((sin(angle), cos(angle)))
    length, thick = 0.66 * width, 0.024 * height
    for part in range(9):
        begin, end = foot + along * length * part / 9, foot + along * length * (part + 1) / 9
        points = np.array((begin - across * thick, end - across * thick, end + across * thick, begin + across * thick))
        colour = (60, 50, 200) if part % 3 == 2 else (225, 228, 230)
        cv2.fillPoly(canvas, [points.astype(np.int32)], colour, cv2.LINE_AA)


def _draw_time(frame: Frame, seconds: float) -> None:
    """Write what cameras write into their pictures."""
    text = f"GATE 1   {int(seconds) // 60:02}:{seconds % 60:04.1f}"
    where = (8, frame.shape[0] - 10)
    cv2.putText(frame, text, where, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(frame, text, where, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (240, 240, 240), 1, cv2.LINE_AA)
