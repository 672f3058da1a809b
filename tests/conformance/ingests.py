"""The ingests that the kit is tried on: ours, and the reference with each of its breaks."""

from __future__ import annotations

from pathlib import Path

from platefleet.fleet.conformance.ingest.run import Run
from platefleet.fleet.conformance.ingest.site import Site
from platefleet.fleet.conformance.outcome import Outcome
from platefleet.protocol.clock import SystemClock
from tests.conformance.reference_ingest import Ingest
from tests.conformance.trying import STARTS_S, Ends, Program, platefleet
from tests.mosquitto import Mosquitto
from tests.until import until

CLOCK = SystemClock()

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


def ours(mosquitto: Mosquitto, folder: Path, ends: Ends) -> list[Outcome]:
    """Try `platefleet ingest run`, with every restart."""
    folder.mkdir()
    program = Program(platefleet("ingest", "run", "--broker", f"127.0.0.1:{mosquitto.port}"), folder)
    ends.append(program.kill)

    def restart_broker() -> None:
        mosquitto.kill()
        mosquitto.start()

    restarts = {"broker": restart_broker, "ingest": program.restart}
    return Run(Site(mosquitto.broker, wait_s=STARTS_S, restarts=restarts), clock=CLOCK).run()


def reference(mosquitto: Mosquitto, name: str, wrong: str, ends: Ends) -> list[Outcome]:
    """Try the tests' own small ingest, broken as `wrong` says."""
    devices = (name, f"other-{name}")
    ingest = Ingest(mosquitto.broker, devices, wrong=wrong)
    ends.append(ingest.stop)
    until(ingest.serves)
    return Run(Site(mosquitto.broker, *devices, wait_s=5.0, restarts={"ingest": ingest.restart}), clock=CLOCK).run()
