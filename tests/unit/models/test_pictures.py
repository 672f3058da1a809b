"""Pictures and videos from files, good and bad."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from platefleet.models.errors import PictureError
from platefleet.models.pictures import decode_picture, files_in, frames_of, read_picture, size_in_header


def encoded(suffix: str, shape: tuple[int, int] = (30, 47)) -> bytes:
    done, content = cv2.imencode(suffix, np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8))
    assert done
    return content.tobytes()


def a_png_that_claims(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + b"\x08\x02\0\0\0" + b"IEND"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp"])
def test_a_pictures_size_is_known_before_it_is_unpacked(suffix: str) -> None:
    assert size_in_header(encoded(suffix)) == (47, 30)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp"])
def test_a_picture_is_known_by_its_bytes_whatever_it_is_called(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.odd"
    path.write_bytes(encoded(suffix))
    ((number, frame),) = frames_of(path)
    assert (number, frame.shape, frame.dtype) == (0, (30, 47, 3), np.uint8)


def test_a_picture_of_a_hundred_megapixels_is_refused_by_its_header() -> None:
    with pytest.raises(PictureError, match=r"10000x10000 pixels are more than 64 million"):
        decode_picture(a_png_that_claims(10_000, 10_000), "big.png")


@pytest.mark.parametrize(("width", "height"), [(0, 0), (0, 20), (20, 0)])
def test_a_picture_without_a_pixel_is_refused(width: int, height: int) -> None:
    with pytest.raises(PictureError, match="empty or damaged"):
        decode_picture(a_png_that_claims(width, height), "flat.png")


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_picture_whose_end_is_missing_is_damaged(suffix: str, kept: float) -> None:
    content = encoded(suffix, (200, 300))
    with pytest.raises(PictureError, match="damaged"):
        decode_picture(content[: int(len(content) * kept)], "half")


def test_a_jpeg_with_a_film_behind_it_is_whole() -> None:
    assert decode_picture(encoded(".jpg") + bytes(100_000), "phone.jpg").shape == (30, 47, 3)


def test_the_end_of_a_preview_in_its_head_is_not_a_jpegs_own() -> None:
    content, preview = encoded(".jpg", (200, 300)), encoded(".jpg")
    head = content[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(preview)) + preview
    assert decode_picture(head + content[2:], "phone.jpg").shape == (200, 300, 3)
    with pytest.raises(PictureError, match="its end is missing"):
        decode_picture((head + content[2:])[: len(head) + 5000], "half.jpg")


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF1234WEBPVP8 "])
)
def test_any_bytes_are_a_picture_or_a_picture_error(tail: bytes, head: bytes) -> None:
    try:
        picture = decode_picture(head + tail, "bytes")
    except PictureError:
        return
    assert picture.size > 0


def test_a_large_file_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.truncate((256 << 20) + 1)
    with pytest.raises(PictureError, match="larger than 256 MB"):
        read_picture(path)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi"])
def test_a_video_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"not a video at all")
    with pytest.raises(PictureError, match="video"):
        list(frames_of(path))


def test_a_video_gives_all_its_frames_in_order(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for level in (0, 100, 200):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    frames = list(frames_of(path))
    assert [number for number, _ in frames] == [0, 1, 2]
    assert [round(float(frame.mean()), -1) for _, frame in frames] == [0, 100, 200]


def test_a_folder_is_read_by_name_with_its_folders_and_without_other_files(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b/2.JPG", "a.png", "notes.txt", "b/1.jpg"):
        (tmp_path / name).write_bytes(b"x")
    assert [path.relative_to(tmp_path).as_posix() for path in files_in(tmp_path)] == ["a.png", "b/1.jpg", "b/2.JPG"]


def test_a_folder_that_holds_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    assert len(files_in(tmp_path)) == 1


def test_a_path_that_is_not_there_and_a_folder_without_pictures_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="no such file"):
        files_in(tmp_path / "nowhere")
    with pytest.raises(PictureError, match="holds no pictures"):
        files_in(tmp_path)


def test_a_pipe_and_an_empty_file_are_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(PictureError, match="not a regular file"):
        list(frames_of(tmp_path / "pipe.jpg"))
    with pytest.raises(PictureError, match="empty"):
        list(frames_of(tmp_path / "empty.jpg"))
