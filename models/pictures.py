"""Pictures and videos from files, with their limits checked before anything is unpacked."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from platefleet.models.detections import Frame
from platefleet.models.errors import PictureError

MOST_PIXELS = 64_000_000
"""Pixels of one picture: the largest cameras for roads have 25, phones 50 million; 64 million take 192 MB unpacked."""
MOST_BYTES = 256 << 20
"""Bytes of one picture's file: 64 million pixels, not compressed at all, with room."""
PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp"}
)

_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG's markers that carry the size (ITU-T T.81, table B.1); C4, C8 and CC are tables and reserved."""


def files_in(path: Path) -> list[Path]:
    """Return the pictures and videos that a path names: itself, or all in the folder and its folders, by name.

    Links to folders are not followed, so a loop ends. Raises PictureError for a path that is not there, cannot be
    listed or is a folder without pictures.
    """
    if not path.exists():
        raise PictureError(f"{path}: there is no such file or folder; check the path")
    if not path.is_dir():
        return [path]
    refused: list[OSError] = []
    found = [
        Path(folder) / name
        for folder, _, names in os.walk(path, onerror=refused.append, followlinks=False)
        for name in names
        if Path(name).suffix.lower() in PICTURE_SUFFIXES | VIDEO_SUFFIXES
    ]
    if refused:
        raise PictureError(f"{refused[0].filename}: cannot be listed ({refused[0].strerror}); check its permissions")
    if not found:
        raise PictureError(f"{path}: holds no pictures or videos ({', '.join(sorted(PICTURE_SUFFIXES))}, .mp4, …)")
    return sorted(found)


def frames_of(path: Path) -> Iterator[tuple[int, Frame]]:
    """Yield the frames of a file with their numbers from 0: one of a picture, all of a video.

    A picture is known by its first bytes, whatever it is called. Raises PictureError for what is neither, is damaged,
    empty, not a file or over the limits.
    """
    if not path.is_file():
        raise PictureError(f"{path}: not a regular file; give a picture, a video or a folder")
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise PictureError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if not head:
        raise PictureError(f"{path}: an empty file; copy it again")
    if path.suffix.lower() in VIDEO_SUFFIXES:
        yield from _video(path)
    else:
        yield 0, read_picture(path)


def read_picture(path: Path) -> Frame:
    """Return one picture as (height, width, 3) uint8 BGR, turned as its EXIF says. Raises PictureError."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise PictureError(f"{path}: larger than {MOST_BYTES >> 20} MB; scale it down")
        content = path.read_bytes()
    except OSError as error:
        raise PictureError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    return decode_picture(content, str(path))


def decode_picture(content: bytes, where: str) -> Frame:
    """Return the picture in the bytes of a file called `where`. Raises PictureError; see `read_picture`."""
    size = size_in_header(content)
    if size is None:
        raise PictureError(f"{where}: not a picture that can be read; give JPEG, PNG, BMP or WebP, or a video")
    width, height = size
    if width < 1 or height < 1:
        raise PictureError(f"{where}: empty or damaged, its header says {width}x{height} pixels; copy it again")
    if width * height > MOST_PIXELS:
        raise PictureError(
            f"{where}: {width}x{height} pixels are more than {MOST_PIXELS // 1_000_000} million; scale it down"
        )
    if _cut_short(content):
        raise PictureError(f"{where}: a damaged picture, its end is missing; copy it again")
    try:
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise PictureError(f"{where}: a damaged picture ({error.err}); copy it again") from error
    if picture is None or picture.size == 0:
        raise PictureError(f"{where}: a damaged picture; copy it again")
    return np.asarray(picture, np.uint8)


def size_in_header(content: bytes) -> tuple[int, int] | None:
    """Return the (width, height) in pixels that a JPEG, PNG, BMP or WebP claims, or None for anything else.

    >>> begin = bytes.fromhex("89504e470d0a1a0a0000000d49484452")
    >>> size_in_header(begin + bytes([0, 0, 2, 128, 0, 0, 1, 224]))
    (640, 480)
    """
    try:
        if content.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = struct.unpack_from(">II", content, 16)
        elif content.startswith(b"\xff\xd8\xff"):
            return _size_of_jpeg(content)
        elif content.startswith(b"BM"):
            width, height = (abs(side) for side in struct.unpack_from("<ii", content, 18))
        elif content.startswith(b"RIFF") and content[8:12] == b"WEBP":
            return _size_of_webp(content)
        else:
            return None
    except struct.error:
        return 0, 0  # it begins like one and ends within its header
    return width, height


def _size_of_jpeg(content: bytes) -> tuple[int, int]:
    """Return the size in the first start-of-frame segment; none holds nothing."""
    at = 2
    while at + 9 <= len(content):
        if content[at] != 0xFF:
            break
        marker = content[at + 1]
        if marker == 0xFF:  # fill
            at += 1
        elif marker in _START_OF_FRAME:
            height, width = struct.unpack_from(">HH", content, at + 5)
            return width, height
        else:
            at += 2 + struct.unpack_from(">H", content, at + 2)[0]
    return 0, 0


def _size_of_webp(content: bytes) -> tuple[int, int]:
    """Return the size in the first chunk: extended, lossless or lossy (RFC 9649, section 2)."""
    match content[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(content[24:27], "little"), 1 + int.from_bytes(content[27:30], "little")
        case b"VP8L":
            bits = struct.unpack_from("<I", content, 21)[0]
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", content, 26)
            return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def _cut_short(content: bytes) -> bool:
    """Whether a JPEG or PNG lacks its end: decoders fill the rest with gray and say nothing.

    A JPEG's end is looked for after its first scan begins: a preview in its head has an end of its own, and phones put
    a film behind the picture.
    """
    if content.startswith(b"\xff\xd8"):
        return content.find(b"\xff\xd9", _first_scan(content)) < 0
    return content.startswith(b"\x89PNG") and b"IEND" not in content[-(64 << 10) :]


def _first_scan(content: bytes) -> int:
    """Return where a JPEG's first scan begins (marker DA), or the file's length if none does."""
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xDA:
            return at
        at += 1 if marker == 0xFF else 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return len(content)


def _video(path: Path) -> Iterator[tuple[int, Frame]]:
    """Yield a video's frames; the decoder is given back when the last is taken or the caller stops."""
    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            raise PictureError(f"{path}: not a video that can be read; convert it to H.264 in .mp4")
        width, height = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if width * height > MOST_PIXELS:
            raise PictureError(
                f"{path}: {width}x{height} pixels are more than {MOST_PIXELS // 1_000_000} million; scale it down"
            )
        number = 0
        while True:
            there, frame = capture.read()
            if not there:
                break
            yield number, np.asarray(frame, np.uint8)
            number += 1
        if number == 0:
            raise PictureError(f"{path}: a video without a frame that can be read; convert it to H.264 in .mp4")
    finally:
        capture.release()
