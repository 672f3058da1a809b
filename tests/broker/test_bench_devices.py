"""The devices that load ingest in the benchmark: what they say was covered is in the store, once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from platefleet.deploy.bench import ingest_flood
from platefleet.fleet.ingest.worker import Ingest, ingest_session
from platefleet.fleet.store.sqlite import SqliteStore
from platefleet.protocol.clock import SystemClock
from tests.mosquitto import Mosquitto
from tests.seen import Seen
from tests.until import until

pytestmark = pytest.mark.broker
CLOCK = SystemClock()


def test_what_the_cheap_devices_appended_is_committed_once_and_acknowledged(
    mosquitto: Mosquitto, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = SqliteStore(tmp_path / "store.db", clock=CLOCK)
    worker = Ingest(ingest_session("ingest-1", mosquitto.broker, "1", store, clock=CLOCK), store, clock=CLOCK)
    worker.start()
    try:
        until(worker._session.room, 20)  # subscribed before anybody tells
        ingest_flood.main(mosquitto.broker.port, 0.5)
    finally:
        worker.stop()
        store.close()
    told = json.loads(capsys.readouterr().out)
    seen = Seen(tmp_path / "store.db")
    assert told["covered"]
    assert seen.count("records") == seen.count("crops") == told["appended"] > 100
    assert 0 < told["ack_ms_p50"] <= told["ack_ms_p99"]
    assert worker.counters.troubles == {}
