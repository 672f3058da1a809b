"""A device that says what it is and then how it is doing, five times a second: a program, to be killed."""

from __future__ import annotations

import sys
import time

from platefleet.protocol.clock import SystemClock
from platefleet.protocol.codec import encode
from platefleet.protocol.session import Broker, Session
from platefleet.protocol.topics import health, info
from tests.console_builders import a_health, an_info


def main(name: str, port: int) -> None:
    session = Session(name, Broker("127.0.0.1", port, backoff_s=0.05, backoff_most_s=0.5), clock=SystemClock())
    session.retain(info(name), encode(an_info(name)))
    session.start()
    while True:
        session.next_event(0)
        session.publish(health(name), encode(a_health()), qos=0)
        time.sleep(0.2)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
