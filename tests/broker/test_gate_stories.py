"""One opening or none, and an alarm where none: restarts, kills, revisions and failures at the real Mosquitto."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from platefleet.fleet.gate.lane_settings import LaneSettings, PassbackSettings
from platefleet.fleet.gate.running import forgive, hold
from platefleet.fleet.ingest.worker import Ingest, ingest_session
from platefleet.fleet.store.sqlite import SqliteStore
from platefleet.protocol.delivery.frame import Record
from platefleet.protocol.delivery.memory import MemoryOutbox
from platefleet.protocol.delivery.uplink import Uplink
from platefleet.protocol.errors import GateError
from tests.gate_builders import ON_THE_LIST, a_pass_id
from tests.gate_program import GateProgram
from tests.gate_site import CLOCK, Site, now
from tests.mosquitto import Mosquitto
from tests.seen import Seen
from tests.until import until

pytestmark = pytest.mark.broker
PATIENCE_S = 60.0
"""A program of ours needs a second to start, and on a busy machine many."""
PLATES = tuple(f"CAR{number}" for number in range(4))


@pytest.fixture
def program(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[GateProgram]:
    folder = tmp_path / "program"
    folder.mkdir()
    made = GateProgram(folder, mosquitto.port, (ON_THE_LIST, *PLATES))
    yield made
    made.hang(False)
    made.end()


@pytest.fixture
def seen(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Seen]:
    """What ingest has committed."""
    path = tmp_path / "store.db"
    store = SqliteStore(path, clock=CLOCK)
    ingest = Ingest(ingest_session("ingest-1", mosquitto.broker, "1", store, clock=CLOCK), store, clock=CLOCK)
    ingest.start()
    yield Seen(path)
    ingest.stop()
    store.close()


def announcing(uplink: Uplink, record: Record, happened: Callable[[], object]) -> Callable[[], object]:
    """Announce a standing vehicle again with each look at whether something happened."""

    def look() -> object:
        uplink.tell(record, now())
        return happened()

    return look


def decided(seen: Seen) -> list[tuple[str, str]]:
    return seen.rows("SELECT phase, verdict FROM decisions ORDER BY rowid")


def openings(seen: Seen) -> list[tuple[str, str]]:
    return [(phase, verdict) for phase, verdict in decided(seen) if phase != "refusal"]


def test_a_controller_killed_while_the_barrier_moves_repeats_nothing_and_calls_a_person(
    site: Site, program: GateProgram, seen: Seen
) -> None:
    uplink, record = site.device(), site.event()
    program.hang()
    program.start()
    until(announcing(uplink, record, program.pulses), PATIENCE_S)
    program.kill()
    program.hang(False)
    program.start()
    until(announcing(uplink, record, program.alarms), PATIENCE_S)
    until(lambda: len(openings(seen)) == 2)
    program.end()
    assert program.pulses() == [a_pass_id()]
    assert program.alarms() == ["crashed"]
    assert openings(seen) == [("intent", "opened"), ("result", "output failed")]
    program.start()
    stranger = site.event("STRANGER", number=1)
    refused = announcing(uplink, stranger, lambda: ("refusal", "not on the list") in decided(seen))
    until(announcing(uplink, record, refused), PATIENCE_S)
    assert (program.pulses(), program.alarms(), len(openings(seen))) == ([a_pass_id()], ["crashed"], 2)


def test_an_output_that_failed_is_not_moved_again_for_the_vehicle_under_any_pass_and_calls_a_person_once(
    site: Site, program: GateProgram, seen: Seen
) -> None:
    uplink, record = site.device(), site.event()
    program.fail()
    program.start()
    until(announcing(uplink, record, program.alarms), PATIENCE_S)
    program.fail(False)
    again = site.event(number=1)
    until(announcing(uplink, again, lambda: ("refusal", "output failed") in decided(seen)))
    assert (program.pulses(), program.alarms()) == ([a_pass_id()], ["output failed"])


def test_killed_again_and_again_every_vehicle_is_let_in_once_or_a_person_is_called(
    site: Site, program: GateProgram, seen: Seen
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    uplink = site.device()
    records = [site.event(plate, number=number) for number, plate in enumerate(PLATES)]
    passes = {a_pass_id(number) for number in range(len(PLATES))}

    def told() -> set[str]:
        return {row[0] for row in seen.rows("SELECT pass FROM decisions WHERE phase = 'intent'")}

    program.start()
    for number, record in enumerate(records):
        until(announcing(uplink, record, lambda number=number: a_pass_id(number) in told()), PATIENCE_S)
        if number in (0, 2):
            for later in records[: number + 2]:
                uplink.tell(later, now())
            reached = now() + chance.randrange(30_000_000)
            until(lambda reached=reached: now() >= reached)
            program.kill()
            program.start()
    until(lambda: len(seen.rows("SELECT 1 FROM decisions WHERE phase = 'result'")) == len(PLATES), PATIENCE_S)
    program.end()
    pulses = Counter(program.pulses())
    assert max(pulses.values()) == 1
    opened = seen.rows("SELECT pass FROM decisions WHERE phase = 'result' AND verdict = 'opened'")
    failed = seen.rows("SELECT pass FROM decisions WHERE phase = 'result' AND verdict = 'output failed'")
    assert {row[0] for row in opened} <= set(pulses)
    assert {row[0] for row in opened + failed} == passes
    assert len(opened) + len(failed) == len(passes)
    assert program.alarms().count("crashed") >= len(failed)


def test_an_agent_that_restarts_under_a_standing_car_is_not_let_in_again(site: Site) -> None:
    gate, uplink = site.gate(), site.device()
    site.ready(uplink, gate)
    uplink.tell(site.event(), now())
    until(lambda: ("result", "opened") in site.verdicts())
    uplink.stop()
    # Its outbox and with it every name is new; a pass that it resumed has its old id, another has not.
    site.outbox = MemoryOutbox(clock=CLOCK)
    uplink = site.device()
    resumed, anew = site.event(), site.event(number=1)
    until(announcing(uplink, resumed, lambda: gate.counts["again"]))
    until(announcing(uplink, anew, lambda: ("refusal", "already open") in site.verdicts()))
    assert len(site.orders) == 1


def test_a_reading_that_gets_better_is_let_in_with_the_revision_that_is_good_enough_and_once(site: Site) -> None:
    gate, uplink = site.gate(), site.device()
    site.ready(uplink, gate)
    uplink.tell(site.event("B128ABC"), now())
    until(lambda: ("refusal", "not on the list") in site.verdicts())
    better, best = site.event(revision=2), site.event(revision=3)
    uplink.tell(better, now())
    until(lambda: ("result", "opened") in site.verdicts())
    for record in (better, best, site.event(revision=4, final=True)):
        uplink.tell(record, now())
    until(lambda: gate.counts["again"] == 3)
    assert [order.pass_id for order in site.orders] == [a_pass_id()]


def test_a_car_that_stands_through_a_broker_that_loses_everything_is_let_in_once(
    site: Site, mosquitto: Mosquitto
) -> None:
    gate, uplink = site.gate(), site.device()
    site.ready(uplink, gate)
    record = site.event()
    for _ in range(2):
        mosquitto.kill()
        uplink.tell(record, now())
        mosquitto.start()
        until(announcing(uplink, record, lambda: gate.counts["again"]), PATIENCE_S)
        gate.counts["again"] = 0
    assert len(site.orders) == 1


def test_a_full_outbox_of_the_gate_keeps_no_barrier_shut(site: Site) -> None:
    small = MemoryOutbox(clock=CLOCK, quota_records=1)
    gate = site.gate(outbox=small)
    uplink = site.device()
    site.ready(uplink, gate)
    until(announcing(uplink, site.event(), lambda: ("result", "opened") in site.verdicts()))
    assert small.depth().gone


def test_a_person_holds_a_lane_open_releases_it_and_forgives_a_plate_at_this_machine(site: Site) -> None:
    lane = LaneSettings(device="north-1", lane="entry", output="barrier", area="yard", way="in")
    changes = {"lanes": [lane], "passback": PassbackSettings(mode="hard")}
    gate, uplink = site.gate(**changes), site.device()
    site.ready(uplink, gate)
    settings = site.settings(**changes)
    told = hold(settings, "entry", "removal van", 600)
    assert told == "north-1/entry is held open; nothing was moved, because the lane has no hold_output"
    assert any("removal van" in problem for problem in gate.problems())
    uplink.tell(site.event(), now())
    until(lambda: [d.verdict for d in site.decisions if d.pass_id] == ["held open"])
    told = hold(settings, "entry", "done", 0)
    assert told == "north-1/entry is released; nothing was moved, because the lane has no release_output"
    again = site.event(number=1)
    until(announcing(uplink, again, lambda: ("refusal", "already inside") in site.verdicts()))
    assert site.orders == []
    assert forgive(settings, ON_THE_LIST) == f"{ON_THE_LIST} may go in again"
    until(announcing(uplink, again, lambda: ("result", "opened") in site.verdicts()))
    with pytest.raises(GateError, match="nobody went in"):
        forgive(settings, "XYZ789")
