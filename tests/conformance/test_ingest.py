"""The kit against ingests: ours passes, broken ones fail exactly where they are broken. All are tried at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from platefleet.fleet.conformance.ingest.points import names
from platefleet.fleet.conformance.ingest.run import Run
from platefleet.fleet.conformance.ingest.stage import Site
from platefleet.fleet.conformance.outcome import Outcome
from platefleet.protocol.clock import SystemClock
from tests.conformance.reference_ingest import Ingest
from tests.conformance.trying import Program, a_broker, platefleet
from tests.mosquitto import Mosquitto
from tests.until import until

pytestmark = pytest.mark.broker
CLOCK = SystemClock()
Results = dict[str, "Future[list[Outcome]]"]

BROKEN = {
    "acknowledges before it commits": ("acks first", {"killed"}),
    "loses what came live": ("live is lost", {"kept"}),
    "takes a duplicate for a clash": ("duplicate", {"duplicate", "first-stays"}),
    "keeps the last of two": ("last stays", {"first-stays"}),
    "tells no clash": ("no clash", {"clash"}),
    "answers without the nonce": ("nonce", {"ask"}),
    "checks no checksum": ("rotten", {"rotten"}),
    "lets one rotten frame spoil its batch": ("spoils the batch", {"rotten"}),
    "drops what it cannot decode": ("no quarantine", {"quarantine", "live"}),
    "believes one device's names for another's": ("one device", {"two-devices"}),
    "sends an ack for each message": ("an ack each", {"coalesced"}),
    "does not know of gone ranges": ("no gone", {"gone"}),
    "says on no host that it commits": ("no host", {"host"}),
    "reads other versions": ("version", {"version"}),
    "acknowledges what was never sent": ("covers too much", {"only-sent", "kept", "rotten"}),
    "dies of hostile bytes": ("dies", {"hostile"}),
}


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Results]:
    """Everything that is tried, by name; each begins at once and is waited for by its own test."""
    folder = tmp_path_factory.mktemp("ingests")
    shared, own, silent = (a_broker(folder / name) for name in ("shared", "own", "silent"))
    ends: list[Callable[[], object]] = [shared.kill, own.kill, silent.kill]
    with ThreadPoolExecutor(len(BROKEN) + 2) as pool:
        results = {"ours": pool.submit(ours, own, folder / "ours", ends)}
        for name, wrong in [("right", ""), *((name, wrong) for name, (wrong, _) in BROKEN.items())]:
            results[name] = pool.submit(reference, silent if wrong == "no host" else shared, name, wrong, ends)
        yield results
    for end in ends:
        end()


def ours(mosquitto: Mosquitto, folder: Path, ends: list[Callable[[], object]]) -> list[Outcome]:
    """Try `platefleet ingest run`, with every restart."""
    folder.mkdir()
    program = Program(platefleet("ingest", "run", "--broker", f"127.0.0.1:{mosquitto.port}"), folder)
    ends.append(program.kill)

    def restart_broker() -> None:
        mosquitto.kill()
        mosquitto.start()

    until_it_serves(mosquitto)
    restarts = {"broker": restart_broker, "ingest": program.restart}
    return Run(Site(mosquitto.broker, restarts=restarts), clock=CLOCK).run()


def until_it_serves(mosquitto: Mosquitto) -> None:
    """Return when the ingest acknowledges."""
    site = Site(mosquitto.broker, "early-1", "early-2")
    while Run(site, clock=CLOCK).run(["commits"])[0].status != "passed":
        pass


def reference(mosquitto: Mosquitto, name: str, wrong: str, ends: list[Callable[[], object]]) -> list[Outcome]:
    """Try the tests' own small ingest, broken as `wrong` says."""
    device = name.replace(" ", "-").replace("'", "")
    devices = (device, f"other-{device}")
    ingest = Ingest(mosquitto.broker, devices, wrong=wrong)
    ends.append(ingest.stop)
    until(ingest.serves)
    return Run(Site(mosquitto.broker, *devices, restarts={"ingest": ingest.restart}), clock=CLOCK).run()


def failed(outcomes: list[Outcome]) -> dict[str, str]:
    return {outcome.point: outcome.reason for outcome in outcomes if outcome.status == "failed"}


def test_our_ingest_passes_every_point_as_a_program_that_is_killed_and_whose_broker_is(tried: Results) -> None:
    outcomes = tried["ours"].result()
    assert failed(outcomes) == {}
    assert [(outcome.point, outcome.status) for outcome in outcomes] == [(name, "passed") for name in names()]


def test_an_ingest_of_other_code_passes_and_what_was_not_tried_is_said(tried: Results) -> None:
    outcomes = tried["right"].result()
    assert failed(outcomes) == {}
    assert {outcome.point for outcome in outcomes if outcome.status == "not run"} == {"broker-restart"}


@pytest.mark.parametrize("name", BROKEN)
def test_an_ingest_that(name: str, tried: Results) -> None:
    assert set(failed(tried[name].result())) == BROKEN[name][1]
