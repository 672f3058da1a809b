"""Folders of pictures with labels of every kind that is read, and what is said of those that do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from platefleet.models.acceptance.dataset import load_dataset, pooled
from platefleet.models.errors import ArtifactError


def a_picture(folder: Path, name: str, shade: int = 7) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / name), np.full((100, 200, 3), shade, np.uint8))
    return folder / name


def test_yolos_lines_are_boxes_in_pixels(tmp_path: Path) -> None:
    a_picture(tmp_path, "a.png")
    (tmp_path / "a.txt").write_text("2 0.5 0.5 0.2 0.4\n")
    a_picture(tmp_path, "b.png")
    (tmp_path / "b.txt").write_text("")
    truths = load_dataset(tmp_path).truths(["x", "y", "z"])
    assert truths is not None
    assert truths.labelled
    assert truths.boxes.tolist() == [[80, 30, 120, 70]]
    assert (truths.frames.tolist(), truths.classes.tolist()) == ([0], [2])


def test_own_frames_are_pooled_with_labelled_ones_and_keep_being_unlabelled(tmp_path: Path) -> None:
    a_picture(tmp_path / "labelled", "a.png")
    (tmp_path / "labelled" / "a.txt").write_text("0 0.5 0.5 0.2 0.4\n")
    a_picture(tmp_path / "own", "b.png", 8)
    a_picture(tmp_path / "plain", "c.png", 9)
    labelled, own, plain = (load_dataset(tmp_path / name) for name in ("labelled", "own", "plain"))
    both = pooled(labelled, own)
    assert (len(both), both.own_from, both.paths) == (2, 1, (*labelled.paths, *own.paths))
    assert both.digest not in {labelled.digest, own.digest}
    truths = both.truths(["plate"])
    assert truths is not None
    assert truths.frames.tolist() == [0]
    assert pooled(plain, own).labels is None


def test_own_frames_that_count_twice_or_have_labels_are_refused(tmp_path: Path) -> None:
    for folder in ("one", "other"):
        a_picture(tmp_path / folder, "a.png")
    a_picture(tmp_path / "labelled", "b.png", 8)
    (tmp_path / "labelled" / "b.txt").write_text("0 0.5 0.5 0.2 0.4\n")
    one, other, labelled = (load_dataset(tmp_path / name) for name in ("one", "other", "labelled"))
    with pytest.raises(ArtifactError, match="1 of its pictures are among the others"):
        pooled(one, other)
    with pytest.raises(ArtifactError, match="own frames with labels beside them"):
        pooled(one, labelled)


def test_corners_give_their_bounds(tmp_path: Path) -> None:
    a_picture(tmp_path, "a.png")
    (tmp_path / "a.txt").write_text("0 0.1 0.2 0.5 0.1 0.6 0.4 0.2 0.5")
    truths = load_dataset(tmp_path).truths(["plate"])
    assert truths is not None
    assert truths.boxes[0] == pytest.approx([20, 10, 120, 50])


def test_labels_may_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    a_picture(tmp_path / "images", "a.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 1 1")
    truths = load_dataset(tmp_path / "images").truths(["plate"])
    assert truths is not None
    assert truths.boxes.tolist() == [[0, 0, 200, 100]]


def test_a_plates_text_comes_with_its_pixels(tmp_path: Path) -> None:
    a_picture(tmp_path, "a.jpg")
    (tmp_path / "a.txt").write_text("a.jpg\t10\t20\t30\t40\tAB123")
    truths = load_dataset(tmp_path).truths(["plate"])
    assert truths is not None
    assert (truths.boxes.tolist(), truths.texts) == ([[10, 20, 40, 60]], ("AB123",))


def test_cocos_annotations_are_told_by_the_classes_names(tmp_path: Path) -> None:
    a_picture(tmp_path, "a.png")
    coco = {
        "images": [{"id": 7, "file_name": "a.png"}],
        "categories": [{"id": 3, "name": "car"}, {"id": 9, "name": "boat"}],
        "annotations": [
            {"image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4]},
            {"image_id": 7, "category_id": 9, "bbox": [1, 2, 3, 4]},
        ],
    }
    (tmp_path / "labels.json").write_text(json.dumps(coco))
    truths = load_dataset(tmp_path).truths(["person", "car"])
    assert truths is not None
    assert (truths.boxes.tolist(), truths.classes.tolist()) == ([[1, 2, 4, 6]], [1])


def test_pictures_alone_are_labelled_by_nobody(tmp_path: Path) -> None:
    a_picture(tmp_path, "a.png")
    assert load_dataset(tmp_path).truths(["plate"]) is None


def test_the_digest_changes_with_a_picture_and_with_a_label(tmp_path: Path) -> None:
    a_picture(tmp_path, "a.png")
    (tmp_path / "a.txt").write_text("0 0.5 0.5 1 1")
    digests = [load_dataset(tmp_path).digest]
    (tmp_path / "a.txt").write_text("0 0.5 0.5 1 0.9")
    digests.append(load_dataset(tmp_path).digest)
    a_picture(tmp_path, "a.png", shade=8)
    digests.append(load_dataset(tmp_path).digest)
    assert len(set(digests)) == 3


def test_calibration_pictures_that_are_in_the_evaluation_are_found_whatever_they_are_called(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        a_picture(tmp_path / "one", name, shade=ord(name[0]))
    a_picture(tmp_path / "other", "x.png", shade=ord("b"))
    assert load_dataset(tmp_path / "one").shares_with(load_dataset(tmp_path / "other")) == 1


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("0 0.5 0.5 1", "line 1: no label"),
        ("0 0.5 0.5 1 1\nplate 0 0 1 1", "line 2: no label"),
        ("0 50 50 10 10", "line 1: no label"),
        ("-1 0.5 0.5 1 1", "line 1: no label"),
        ("0 0.5 0.5 nan 1", "line 1: no label"),
        ("", "labels that name nothing at all"),
    ],
)
def test_a_label_that_is_none_is_told_by_file_and_line(tmp_path: Path, label: str, said: str) -> None:
    a_picture(tmp_path, "a.png")
    (tmp_path / "a.txt").write_text(label)
    with pytest.raises(ArtifactError, match=said):
        load_dataset(tmp_path)


def test_labels_for_some_pictures_only_are_refused(tmp_path: Path) -> None:
    a_picture(tmp_path, "a.png")
    a_picture(tmp_path, "b.png")
    (tmp_path / "a.txt").write_text("0 0.5 0.5 1 1")
    with pytest.raises(ArtifactError, match=r"1 of 2 pictures have no label file \(b\.png"):
        load_dataset(tmp_path)


def test_other_folders_get_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no such folder"):
        load_dataset(tmp_path / "nowhere")
    with pytest.raises(ArtifactError, match="holds no pictures"):
        load_dataset(tmp_path)
    a_picture(tmp_path, "a.png")
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(ArtifactError, match="not COCO's annotations"):
        load_dataset(tmp_path)
    (tmp_path / "y.json").write_text("{}")
    with pytest.raises(ArtifactError, match="2 JSON files"):
        load_dataset(tmp_path)
