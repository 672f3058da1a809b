"""A program that appends until it is killed: `appending.py DATABASE SEED`; it tells each name once it is durable."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from platefleet.protocol.clock import SystemClock
from platefleet.protocol.messages import EpochCoverage
from tests.contracts.outbox.durable import a_durable
from tests.record_builders import a_crop, a_pass


def main(path: Path, seed: int) -> None:
    rng = random.Random(seed)
    outbox = a_durable(path, clock=SystemClock(), quota_records=300)
    print(outbox.epoch, 1, "epoch", flush=True)
    for number in range(100_000):
        crops = rng.random() < 0.5
        note = {f"pass/{rng.randint(1, 5)}": str(number).encode()}
        record = outbox.append("crops" if crops else "plate", a_crop(2000) if crops else a_pass(), keep=note)
        print(*record.key, record.digest.hex(), *note, number, flush=True)
        if number % 7 == 0:  # what is committed may be deleted
            outbox.cover([EpochCoverage(epoch=outbox.epoch, covered=((1, max(1, record.seq - 20)),))])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
