from __future__ import annotations

import pytest

from platefleet.models.bench.detection import rows


@pytest.mark.reference
def test_the_bench_finds_no_difference_from_the_reference() -> None:
    pytest.importorskip("ultralytics")
    measured = rows(rounds=1)
    assert {row["name"]: row["largest_difference"] for row in measured} == {
        "letterbox": 0.0,
        "boxes to frame": 0.0,
        "decode": 0.0,
        "decode and suppress": 0.0,
    }
    assert all(row["ours_ms"] > 0 and row["reference_ms"] > 0 for row in measured)
