"""A plan's first bytes: what is read from them, and that nothing is taken for what it is not."""

from __future__ import annotations

import json
import struct

import pytest

from platefleet.models.artifacts.plan_header import HEAD_BYTES, check_header, read_header
from platefleet.models.errors import PlanMismatch
from tests.plan_headers import a_plan, try_headers


def ultralytics(metadata: bytes, plan: bytes) -> bytes:
    return struct.pack("<I", len(metadata)) + metadata + plan


def test_a_plan_tells_who_wrote_it() -> None:
    header = read_header(a_plan((8, 6, 2)), "x")
    assert (header.tensorrt, header.serialization, header.at, header.metadata) == ((8, 6, 2), 239, 0, {})
    check_header(header, "8.6.2.3", "x")


def test_an_engine_of_ultralytics_comes_with_its_metadata() -> None:
    metadata = {"names": {"0": "plate"}, "imgsz": [416, 416]}
    raw = json.dumps(metadata).encode()
    header = read_header(ultralytics(raw, a_plan((10, 3, 0))), "x")
    assert (header.metadata, header.at, header.tensorrt) == (metadata, 4 + len(raw), (10, 3, 0))


def test_the_longest_metadata_fits_into_what_is_read() -> None:
    raw = json.dumps({"names": "x" * ((1 << 20) - 13)}).encode()
    assert len(raw) == 1 << 20
    assert read_header(ultralytics(raw, a_plan((10, 3, 0)))[:HEAD_BYTES], "x").tensorrt == (10, 3, 0)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "ends after 0 bytes"),
        (a_plan((8, 6, 2))[:31], "ends after 31 bytes"),
        (b"trtf" + a_plan((8, 6, 2))[4:], "does not begin like a TensorRT engine"),
        (struct.pack("<I", 99) + b'{"a": 1}', "metadata is cut off"),
        (ultralytics(b"{not json}", a_plan((8, 6, 2))), "metadata is no JSON"),
        (ultralytics(b'{"a":' * 50_000, a_plan((8, 6, 2))), "metadata is no JSON"),
        (ultralytics(b'{"a": 1}', b"nothing"), "ends after"),
    ],
)
def test_what_is_no_plan_is_told_in_one_sentence(data: bytes, said: str) -> None:
    with pytest.raises(PlanMismatch, match=f"x: .*{said}"):
        read_header(data, "x")


@pytest.mark.parametrize("theirs", [(8, 6, 2), (10, 3, 1), (10, 7, 0), (11, 0, 0), (0, 0, 0), (255, 255, 255)])
def test_another_release_is_refused(theirs: tuple[int, int, int]) -> None:
    with pytest.raises(PlanMismatch, match=r"this device has 10\.3\.0"):
        check_header(read_header(a_plan(theirs), "x"), "10.3.0", "x")


def test_a_release_whose_plans_do_not_tell_takes_those_that_do_not() -> None:
    check_header(read_header(a_plan((0, 0, 0)), "x"), "8.5.2", "x")
    with pytest.raises(PlanMismatch, match=r"TensorRT 8\.6\.2, this device has 8\.5\.2"):
        check_header(read_header(a_plan((8, 6, 2)), "x"), "8.5.2", "x")


def test_no_mutation_crashes_or_passes_for_another_release() -> None:
    outcome = try_headers(3000, seed=1)
    assert outcome["refused"] > 2000
    assert outcome["taken"] > 100
