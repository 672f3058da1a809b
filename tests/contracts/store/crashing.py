"""A program that commits and is killed by itself before its n-th statement: `crashing.py DATABASE SEED N`."""

from __future__ import annotations

import os
import random
import signal
import sys
from typing import Any

import psycopg
from sqlalchemy import Engine, event

from platefleet.fleet.store.opening import open_store
from platefleet.fleet.store.port import Batch
from platefleet.protocol.clock import SystemClock
from tests.record_builders import a_pass, a_record, an_arrival

BATCHES = 12


def main(url: str, seed: int, last_statement: int) -> None:
    store = open_store(url, clock=SystemClock())
    left = last_statement

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    if url.startswith("sqlite"):
        for moment in ("before_cursor_execute", "after_cursor_execute", "commit"):
            event.listen(Engine, moment, count)
    else:  # whatever psycopg waits for: each message to the server and each answer
        waiting = psycopg.Connection.wait

        def wait(self: psycopg.Connection[Any], *arguments: Any, **options: Any) -> Any:
            count()
            answer = waiting(self, *arguments, **options)
            count()
            return answer

        psycopg.Connection.wait = wait  # type: ignore[method-assign, assignment]
    rng = random.Random(seed)
    for _ in range(BATCHES):
        seqs = [rng.randint(1, 40) for _ in range(6)]
        store.commit(Batch([an_arrival(record=a_record(seq), body=a_pass()) for seq in seqs]))
        print(*seqs, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
