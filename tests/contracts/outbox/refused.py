"""A program whose disk refuses: `refused.py DATABASE`; it may write no file above a limit until it is told to go on."""

from __future__ import annotations

import resource
import signal
import sys
from pathlib import Path

from platefleet.protocol.clock import SystemClock
from platefleet.protocol.delivery.durable import DurableOutbox
from tests.contracts.outbox.durable import a_durable
from tests.record_builders import a_crop
from tests.until import until

LIMIT_BYTES = 200_000


def main(path: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, most))
    outbox = a_durable(path, clock=SystemClock())
    fill(outbox)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))  # and it stays full, whatever is made of what it holds
    fill(outbox)
    record = outbox.append("crops", a_crop(5000), keep={"pass/1": b"open"})
    print(len(outbox.waiting(None, 10_000)), outbox.depth().appended, *outbox.problems(), flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    until(lambda: not outbox.volatile, 60)
    assert outbox.read(record.key) == record
    print(len(outbox.waiting(None, 10_000)), outbox.depth().appended, *outbox.problems(), flush=True)
    signal.pause()


def fill(outbox: DurableOutbox) -> None:
    """Append until the disk refuses."""
    while not outbox.volatile:
        outbox.append("crops", a_crop(5000))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
