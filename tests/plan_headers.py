"""Headers of TensorRT plans, and mutations of them; `python -m tests.plan_headers 100000` tries that many.

Each is a real header with bytes changed, cut, inserted or put behind JSON as ultralytics does it. None may raise
anything but PlanMismatch, and none that names another release than this device's may pass.
"""

from __future__ import annotations

import json
import struct
import sys

import numpy as np

from platefleet.models.artifacts.plan_header import MAGIC, TELLS, check_header, read_header, version_of
from platefleet.models.errors import PlanMismatch

RELEASES = ("8.5.2", "8.6.2", "10.3.0", "10.7.0")


def a_plan(release: tuple[int, int, int], body: bytes = b"\x5a" * 200, build: int = 6) -> bytes:
    """Return the beginning of a plan that says it was written by `release`."""
    return MAGIC + struct.pack("<I", 239) + bytes(16) + bytes([*release, build]) + bytes(4) + body


def mutated(plan: bytes, random: np.random.Generator) -> bytes:
    """Return the plan changed in one to four places."""
    data = bytearray(plan)
    for _ in range(int(random.integers(1, 5))):
        at = int(random.integers(0, max(min(len(data), 40), 1)))
        match int(random.integers(0, 6)):
            case 0 if data:
                data[at % len(data)] ^= 1 << int(random.integers(0, 8))
            case 1 if data:
                data[at % len(data)] = int(random.integers(0, 256))
            case 2:
                data = data[:at]
            case 3:
                data[at:at] = random.bytes(int(random.integers(1, 8)))
            case 4:
                data = bytearray(random.bytes(4)) + data
            case _:
                metadata = json.dumps({"names": {0: "x" * int(random.integers(0, 50))}}).encode()
                length = len(metadata) + int(random.integers(-2, 3)) * int(random.integers(0, 2))
                data = bytearray(struct.pack("<I", length) + metadata) + data
    return bytes(data)


def try_headers(count: int, seed: int) -> dict[str, int]:
    """Try `count` mutations and return how many were taken and refused. Raises AssertionError for a false accept."""
    random = np.random.default_rng(seed)
    outcome = {"taken": 0, "refused": 0}
    for _ in range(count):
        theirs, ours = (str(random.choice(RELEASES)) for _ in range(2))
        data = mutated(a_plan(version_of(theirs)), random)
        try:
            header = read_header(data, "plan")
            check_header(header, ours, "plan")
        except PlanMismatch:
            outcome["refused"] += 1
            continue
        outcome["taken"] += 1
        plan = data[header.at :]
        assert plan[:4] == MAGIC, f"seed {seed}: no plan was taken for one: {data.hex()}"
        if version_of(ours) >= TELLS:
            said = tuple(plan[24:27])
            assert said == version_of(ours), f"seed {seed}: {said} was taken on {ours}: {data.hex()}"
    return outcome


if __name__ == "__main__":
    print(try_headers(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5))
