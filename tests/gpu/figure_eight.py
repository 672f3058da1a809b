"""Figure eight: engines with rotten bodies. Refused by their digest; with the digest forged, only a child is at risk.

    python -m tests.gpu.figure_eight MODELS OUT [COUNT]

A rotten engine goes the way of any artifact that is activated: `warm` runs it once in a child. All the while this
process has the sound engine open, and looks with it after each.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from platefleet.models.artifacts.passport import Passport
from platefleet.models.artifacts.warm import warm
from platefleet.models.detections import Region
from platefleet.models.errors import WeightsError
from platefleet.protocol.errors import ModelError
from tests.gpu.barrier import saved
from tests.gpu.engine_store import Site
from tests.gpu.engines import digest_of, photos_folder, plate
from tests.gpu.scene import scene

WAYS = ("one byte", "sixteen bytes", "4000 bytes", "a block of zeros", "cut off", "a block of noise")
AT_ONCE = 6
BEHIND_HEADER = 64


def rotten(sound: bytes, seed: int) -> tuple[str, bytes]:
    """Return how the body was spoilt, and the plan; its header is as it was."""
    rng, data, way = np.random.default_rng(seed), bytearray(sound), WAYS[seed % len(WAYS)]
    at = int(rng.integers(BEHIND_HEADER, len(data) - 70_000))
    match way:
        case "a block of zeros":
            data[at : at + 65_536] = bytes(65_536)
        case "a block of noise":
            data[at : at + 65_536] = rng.bytes(65_536)
        case "cut off":
            del data[at:]
        case _:
            count = {"one byte": 1, "sixteen bytes": 16}.get(way, 4000)
            for place in rng.integers(BEHIND_HEADER, len(data), count):
                data[place] ^= int(rng.integers(1, 256))
    return way, bytes(data)


def main(models: str, out: str, count: str = "50") -> int:
    site = Site.at(Path(models))
    passport = site.built("plate-fp16")
    sound = site.store.model(passport)
    kinds: Counter[str] = Counter()
    ends, refused, same = [], 0, 0
    folder = Path(out, "rotten")
    folder.mkdir(exist_ok=True)
    detector, frame = plate(), scene(photos_folder())
    expected = detector.detect(frame, [Region.whole(frame)])[0].boxes

    def tried(seed: int) -> tuple[str, str]:
        way, data = rotten(sound.read_bytes(), seed)
        path = folder / f"{seed}.engine"
        path.write_bytes(data)
        forged = Passport.model_validate({**passport.model_dump(), "files": {path.name: digest_of(path)}})
        try:
            warm(forged, path, deadline_s=120)
            return way, "ran: what was hit is weights or unused"
        except ModelError as error:
            return way, f"{type(error).__name__}: {str(error).partition(': ')[2]}"
        finally:
            path.unlink()

    for seed in range(int(count)):  # first by the digest, in this process
        path = folder / "by_digest.engine"
        path.write_bytes(rotten(sound.read_bytes(), seed)[1])
        try:
            plate_at(path, passport.files[passport.model])
        except WeightsError:
            refused += 1
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for seed, (way, end) in enumerate(pool.map(tried, range(int(count)))):
            ends.append({"seed": seed, "way": way, "end": end})
            died = "ended by SIG" in end
            kinds["the child died" if died else "ran" if end.startswith("ran") else "TensorRT refused"] += 1
            now = detector.detect(frame, [Region.whole(frame)])[0].boxes
            same += int(np.array_equal(now, expected))
    detector.close()
    said = {
        "count": int(count),
        "refused_by_digest": refused,
        "with_the_digest_forged": dict(kinds),
        "the_sound_engine_saw_the_same_after": same,
        "ends": ends,
    }
    saved(Path(out, "figure_eight.json"), json.dumps(said, indent=1))
    return int(refused != int(count) or same != int(count))


def plate_at(path: Path, sha256: str) -> None:
    """Open a plate engine by the digest that it should have."""
    from platefleet.models.backends.tensorrt import TensorrtDetector  # noqa: PLC0415

    TensorrtDetector(path, 416, 0.25, 0.7, sha256=sha256, names=("license_plate",)).close()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
