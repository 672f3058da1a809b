"""TensorRT and our kernels on a CUDA machine. `run.sh` runs this file there; elsewhere it is skipped as a whole."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from platefleet.models.backends.tensorrt import TensorrtDetector
from platefleet.models.cuda.context import Gpu, this_threads_gpu
from platefleet.models.cuda.squares import RESULT_WORDS, places, results
from platefleet.models.decode import decode
from platefleet.models.detections import Detections, Region
from platefleet.models.errors import PlanMismatch, WeightsError
from platefleet.models.letterbox import letterbox, to_frame
from platefleet.models.nms import suppress
from platefleet.models.pipeline import Pipeline
from platefleet.protocol.errors import ModelError
from tests.fake_reader import FakeReader
from tests.gpu.engines import digest_of, engine, folder, photos, photos_folder, plate, vehicle
from tests.gpu.scene import scene

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(importlib.util.find_spec("pycuda") is None or folder() is None, reason="no CUDA machine"),
]
ONE_LEVEL = 1.001 / 255
MOST_PIXELS, MOST_CONFIDENCE = 1.5, 0.01
"""By which a box and a confidence may differ from NumPy's path over the same engine.

Levels of a square differ by one of 255 at most, in one of a hundred; an FP16 engine's boxes come in steps of half a
pixel of the square, which is 1.5 of the largest frame here. Seen on 90 boxes: 0.65 pixels, 0.0023 of confidence.
"""
ODD = [(1, 1), (1, 900), (900, 1), (33, 17), (37, 2000), (2000, 37), (700, 517), (1080, 1920)]


@pytest.fixture(scope="module")
def gpu() -> Iterator[Gpu]:
    with Gpu() as opened:
        yield opened


@pytest.fixture(scope="module")
def vehicles(gpu: Gpu) -> Iterator[TensorrtDetector]:
    detector = vehicle(gpu=gpu)
    yield detector
    detector.close()


@pytest.fixture(scope="module")
def plates(gpu: Gpu) -> Iterator[TensorrtDetector]:
    detector = plate(gpu=gpu)
    yield detector
    detector.close()


def apart(ours: Detections, theirs: Detections) -> tuple[float, float]:
    assert ours.classes.tolist() == theirs.classes.tolist()
    return (
        float(np.abs(ours.boxes - theirs.boxes).max(initial=0)),
        float(np.abs(ours.confidences - theirs.confidences).max(initial=0)),
    )


def test_boxes_are_numpys_over_the_same_engine(vehicles: TensorrtDetector, plates: TensorrtDetector) -> None:
    seen, count = [(0.0, 0.0)], 0
    for frame in [*photos(), scene(photos_folder())]:
        height, width = frame.shape[:2]
        regions = [
            Region.whole(frame),
            Region(5, 7, width // 2, height - 3),
            Region(width // 3, height // 4, width, height),
        ]
        for detector in (vehicles, plates):
            ours, theirs = detector.detect(frame, regions), detector.by_numpy(frame, regions)
            count += sum(map(len, theirs))
            seen += [apart(a, b) for a, b in zip(ours, theirs, strict=True)]
    pixels, confidence = (max(each) for each in zip(*seen, strict=True))
    print(f"\nSEEN boxes {count}: at most {pixels:.4f} pixels, {confidence:.6f} of confidence apart")
    assert count > 80
    assert pixels <= MOST_PIXELS
    assert confidence <= MOST_CONFIDENCE


@pytest.mark.parametrize("shape", ODD)
def test_squares_are_numpys_within_a_level(plates: TensorrtDetector, shape: tuple[int, int]) -> None:
    frame = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    plates.detect(frame, [Region.whole(frame)] * 2)
    ours = np.empty((2, 3, 416, 416), np.float32)
    with plates.gpu.active():
        plates.gpu.driver.memcpy_dtoh(ours, plates._plan.input_address)
    difference = np.abs(ours - letterbox(frame, [Region.whole(frame)] * 2, 416))
    print(f"\nSEEN square {shape}: {(difference > 0).mean():.6f} of the levels differ, by {difference.max() * 255:.2f}")
    assert difference.max() <= ONE_LEVEL


def test_what_is_found_in_an_output_is_numpys_to_the_bit(plates: TensorrtDetector) -> None:
    work, gpu, rng = plates._work, plates.gpu, np.random.default_rng(2)
    regions = [Region(0, 0, 1920, 1080), Region(3, 5, 90, 300), Region(400, 20, 816, 436)]
    for _ in range(150):
        anchors = work.anchors
        scores = np.round(rng.uniform(0, 1, (3, 1, anchors)) ** rng.uniform(8, 30) * 40) / 40
        boxes = np.concatenate([rng.uniform(0, 416, (3, 2, anchors)), rng.uniform(0, 180, (3, 2, anchors))], axis=1)
        output = np.ascontiguousarray(np.concatenate([boxes, scores], axis=1), np.float32)
        with gpu.active():
            gpu.driver.memcpy_htod(work.output, output)
            plates._kernels.find(work, places(regions, 416), 3)
            gpu.synchronize()
            words = np.empty(3 * RESULT_WORDS, np.float32)
            gpu.driver.memcpy_dtoh(words, work.result)
        for found, own, region in zip(results(words, 3), output, regions, strict=True):
            candidates = decode(own, work.confidence)
            if found is None:
                assert len(candidates) > 1024
                continue
            kept = suppress(candidates, work.iou)
            np.testing.assert_array_equal(found.boxes, to_frame(kept.boxes, region, 416))
            np.testing.assert_array_equal(found.confidences, kept.confidences)


def test_more_candidates_than_there_is_room_for_are_found_all_the_same(gpu: Gpu) -> None:
    detector = plate(confidence=0.0, gpu=gpu)
    frame = scene(photos_folder())
    ours, theirs = detector.detect(frame, [Region.whole(frame)])[0], detector.by_numpy(frame, [Region.whole(frame)])[0]
    detector.close()
    assert len(ours) == len(theirs) == 300
    np.testing.assert_allclose(ours.confidences[:3], theirs.confidences[:3], atol=MOST_CONFIDENCE)


def test_a_region_is_found_the_same_in_any_batch(plates: TensorrtDetector) -> None:
    frame = scene(photos_folder())
    regions = [Region(10 * k, 5 * k, 700 + 100 * k, 600 + 40 * k) for k in range(11)]
    together = plates.detect(frame, regions)
    for region, found in zip(regions, together, strict=True):
        pixels, confidence = apart(found, plates.detect(frame, [region])[0])
        assert pixels <= MOST_PIXELS
        assert confidence <= MOST_CONFIDENCE


def test_a_frame_goes_up_once_for_both_stages(gpu: Gpu, vehicles: TensorrtDetector, plates: TensorrtDetector) -> None:
    frame = scene(photos_folder())
    pipeline = Pipeline(vehicles, plates, FakeReader({}))
    pipeline.look(frame)
    before = gpu.uploads
    assert len(pipeline.look(frame).plates) == 3
    assert gpu.uploads == before + 1


def test_a_frame_that_changed_in_place_is_seen_changed(plates: TensorrtDetector) -> None:
    frame = scene(photos_folder())
    assert len(plates.detect(frame, [Region.whole(frame)])[0]) > 0
    frame[:] = 0
    assert len(plates.detect(frame, [Region.whole(frame)])[0]) == 0


def test_a_pinned_frame_and_one_with_gaps_are_seen_like_any_other(gpu: Gpu, vehicles: TensorrtDetector) -> None:
    frame = scene(photos_folder())
    pinned = gpu.pinned_frame(*frame.shape[:2])
    pinned[:] = frame
    wide = np.zeros((1080, 2500, 3), np.uint8)
    wide[:, 300:2220] = frame
    (theirs,) = vehicles.detect(frame, [Region.whole(frame)])
    for other in (pinned, wide[:, 300:2220], np.asfortranarray(frame)):
        (ours,) = vehicles.detect(other, [Region.whole(frame)])
        np.testing.assert_array_equal(ours.boxes, theirs.boxes)


def test_nothing_is_asked_for_after_the_first_frame(
    gpu: Gpu, vehicles: TensorrtDetector, plates: TensorrtDetector
) -> None:
    frame = scene(photos_folder())
    pipeline = Pipeline(vehicles, plates, FakeReader({}))
    pipeline.look(frame)
    growths = gpu.growths  # ours alone: what the card has free changes with every program on it
    for k in range(200):
        pipeline.look(frame[: 1080 - k])
    assert gpu.growths == growths


def test_the_parts_of_a_look_are_timed_by_the_gpu_once_asked_for(plates: TensorrtDetector) -> None:
    frame = scene(photos_folder())
    assert plates.stage_ms.inference == 0
    plates.detect(frame, [Region.whole(frame)])
    told = plates.stage_ms
    print(f"\nSEEN {told}")
    assert told.pre > 0
    assert 0.1 < told.inference < 50
    assert told.post > 0


def test_another_thread_is_refused(vehicles: TensorrtDetector) -> None:
    said: list[str] = []

    def look() -> None:
        try:
            vehicles.detect(np.zeros((9, 9, 3), np.uint8), [Region(0, 0, 9, 9)])
        except ModelError as error:
            said.append(str(error))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert said
    assert "thread" in said[0]


def test_the_threads_gpu_is_closed_with_its_last_model() -> None:
    first, second = plate(), plate()
    shared = this_threads_gpu()
    assert first.gpu is second.gpu is shared
    first.close()
    first.close()
    assert not shared.closed
    frame = scene(photos_folder())
    assert len(second.detect(frame, [Region.whole(frame)])[0]) > 0
    second.close()
    assert shared.closed
    with pytest.raises(ModelError, match="closed"):
        second.detect(frame, [Region.whole(frame)])


def test_another_size_other_names_and_another_digest_are_refused(gpu: Gpu, tmp_path: Path) -> None:
    path = engine("plate-fp16")
    digest = digest_of(path)
    with pytest.raises(WeightsError, match="made for 416x416 pixels, not 640"):
        TensorrtDetector(path, 640, 0.25, 0.7, sha256=digest, names=("plate",), gpu=gpu)
    with pytest.raises(WeightsError, match="2 classes"):
        TensorrtDetector(path, 416, 0.25, 0.7, sha256=digest, names=("plate", "other"), gpu=gpu)
    with pytest.raises(WeightsError, match="not the pinned"):
        TensorrtDetector(path, 416, 0.25, 0.7, sha256="0" * 64, names=("plate",), gpu=gpu)
    other = tmp_path / "other.engine"
    data = bytearray(path.read_bytes())
    data[25] += 1
    other.write_bytes(data)
    with pytest.raises(PlanMismatch, match=r"built with TensorRT 8\.7"):
        TensorrtDetector(other, 416, 0.25, 0.7, sha256=digest_of(other), names=("plate",), gpu=gpu)


FAILING = """
import numpy as np
from platefleet.models.cuda.squares import places
from platefleet.models.detections import Region
from platefleet.protocol.errors import ModelError
from tests.gpu.engines import plate, vehicle
first, second = vehicle(), plate()
frame = np.zeros((400, 400, 3), np.uint8)
try:
    with first.gpu.active():
        first._kernels.letterbox(first._work, 0x10, 1200, places([Region.whole(frame)], 640), 1)
        first.gpu.synchronize()
except ModelError as error:
    print("first:", error)
for detector in (second, first):
    try:
        detector.detect(frame, [Region.whole(frame)])
    except ModelError as error:
        print("then:", error)
second.close(), first.close()
print("over:")
"""


def in_a_child(source: str) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run([sys.executable, "-c", source], check=False, capture_output=True, text=True, timeout=120)
    print("\nSEEN", ran.returncode, ran.stdout, ran.stderr[-800:])
    return ran


def test_a_cuda_error_ends_the_owner_and_the_process_goes_on() -> None:
    ran = in_a_child(FAILING)
    lines = ran.stdout.strip().splitlines()
    assert ran.returncode == 0
    assert [line.split(":")[0] for line in lines] == ["first", "then", "then", "over"]
    assert all("the GPU failed" in line for line in lines[:3])


ROTTEN = """
import sys
from pathlib import Path
from platefleet.models.backends.tensorrt import TensorrtDetector
from platefleet.models.errors import ArtifactError, WeightsError
from platefleet.protocol.errors import ModelError
path, digest = Path(sys.argv[1]), sys.argv[2]
try:
    TensorrtDetector(path, 416, 0.25, 0.7, sha256=digest, names=("plate",)).close()
except ModelError as error:
    print("refused:", error)
"""


def test_an_engine_rotten_inside_is_refused_by_its_digest_or_ends_no_more_than_a_child(
    gpu: Gpu, plates: TensorrtDetector, tmp_path: Path
) -> None:
    """With the digest forged nothing protects a process that opens it; so the agent's never does it first."""
    path = engine("plate-fp16")
    rng, ends = np.random.default_rng(8), []
    for number in range(8):
        data = bytearray(path.read_bytes())
        for at in rng.integers(64, len(data), 4000):
            data[at] ^= 0xFF
        if number == 0:
            data = data[:1_000_000]
        rotten = tmp_path / f"rotten-{number}.engine"
        rotten.write_bytes(data)
        with pytest.raises(WeightsError, match="not the pinned"):
            TensorrtDetector(rotten, 416, 0.25, 0.7, sha256=digest_of(path), names=("plate",), gpu=gpu)
        ran = subprocess.run(
            [sys.executable, "-c", ROTTEN, str(rotten), digest_of(rotten)],
            check=False, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        ends.append((ran.returncode, ran.stdout.strip()[-160:] or ran.stderr.strip()[-160:]))
    print("\nSEEN", *ends, sep="\n")
    frame = scene(photos_folder())
    assert len(plates.detect(frame, [Region.whole(frame)])[0]) > 0
