"""The embedded broker as a program: `python -m platefleet.deploy.simulate.embedded PORT`, until it is killed."""

from __future__ import annotations

import signal
import sys

from platefleet.deploy.demo.broker import EmbeddedBroker


def main(port: int) -> None:
    """Serve on `port` of 127.0.0.1."""
    broker = EmbeddedBroker()
    broker.port = port
    with broker:
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main(int(sys.argv[1]))
