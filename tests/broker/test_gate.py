"""The gate at the real Mosquitto: one device announces, one gate opens, and everything around them goes wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from platefleet.fleet.gate.controller import Gate
from platefleet.fleet.gate.lane_settings import LaneSettings
from platefleet.fleet.gate.library import controller
from platefleet.fleet.gate.outputs.base import Order
from platefleet.fleet.gate.running import open_by_hand
from platefleet.fleet.gate.settings import CommandOutput
from platefleet.fleet.ingest.worker import Ingest, ingest_session
from platefleet.fleet.store.sqlite import SqliteStore
from platefleet.protocol import topics
from platefleet.protocol.codec import decode, encode
from platefleet.protocol.errors import GateError
from platefleet.protocol.messages import Health, Info, LivePlate, Presence
from platefleet.protocol.session import Broker, Received, Session
from tests.gate_builders import ON_THE_LIST
from tests.gate_site import CLOCK, Site, now
from tests.proxy import Proxy
from tests.seen import Seen
from tests.until import BUSY, until

pytestmark = pytest.mark.broker


def next_body(session: Session, kind: Any, timeout_s: float = 5.0) -> Any:
    def look() -> Any:
        event = session.next_event(0.1)
        wanted = isinstance(event, Received) and event.payload and event.topic.endswith(kind.__name__.lower())
        return decode(kind, event.payload) if wanted and isinstance(event, Received) else None

    return until(look, timeout_s)


def test_a_resident_is_let_in_once_and_a_stranger_is_not(site: Site) -> None:
    gate, uplink = site.gate(), site.device()
    site.ready(uplink, gate)
    stranger, resident = site.event("STRANGER", number=1), site.event()
    for _ in range(5):
        uplink.tell(stranger, now())
        uplink.tell(resident, now())
        time.sleep(0.05)
    until(lambda: ("result", "opened") in site.verdicts())
    until(lambda: gate.counts["again"] + gate.counts["standing"] >= 2)
    assert [order.plate for order in site.orders] == [ON_THE_LIST]
    assert sorted(site.verdicts()) == [("intent", "opened"), ("refusal", "not on the list"), ("result", "opened")]


def test_every_decision_is_committed_by_the_store(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(path, clock=CLOCK)
    ingest = Ingest(ingest_session("ingest-1", site.broker, "1", store, clock=CLOCK), store, clock=CLOCK)
    ingest.start()
    gate, uplink = site.gate(), site.device()
    site.ready(uplink, gate)
    uplink.tell(site.event(), now())
    until(lambda: ("result", "opened") in site.verdicts())
    assert gate.committed(10)
    rows = Seen(path).rows("SELECT type FROM records WHERE device = ? ORDER BY seq", "gate-1")
    assert rows == [("epoch",), ("decision",), ("decision",)]
    ingest.stop()
    store.close()


def test_the_gate_says_what_it_is_and_how_it_is(site: Site) -> None:
    listener = site.listener(topics.info("gate-1"), topics.health("gate-1"), topics.presence("gate-1"))
    gate = site.gate()
    assert next_body(listener, Info).kind == "gate"
    health = next_body(listener, Health)
    assert "device north-1: not heard of" in health.problems
    assert {"outbox_fallbacks", "outbox_volatile_records"} <= set(health.counters)
    assert {"uplink_clashes", "uplink_malformed", "uplink_denied", "session_dropped"} <= set(health.counters)
    gate.stop()
    until(lambda: next_body(listener, Presence).state == "stopped")


def test_it_stops_within_two_seconds(site: Site) -> None:
    gate = site.gate()
    began = time.monotonic()
    gate.stop()
    assert time.monotonic() - began < 2 * BUSY


def test_a_list_that_changes_lets_in_who_waits_and_a_broken_one_changes_nothing(site: Site) -> None:
    gate, uplink = site.gate(), site.device()
    site.ready(uplink, gate)
    record = site.event("NEW123")
    uplink.tell(record, now())
    until(lambda: ("refusal", "not on the list") in site.verdicts())
    site.allow.write_text("plate,valid_from\nNEW123,\nbroken!,\n")
    until(lambda: any("line 3" in problem for problem in gate.problems()))
    uplink.tell(record, now())
    until(lambda: gate.counts["standing"])
    site.allow.write_text("plate,valid_from\nNEW123,\n")
    until(lambda: gate.counts["relisted"])
    assert not any("line 3" in problem for problem in gate.problems())
    uplink.tell(record, now())
    until(lambda: ("result", "opened") in site.verdicts())


def test_a_link_that_stalls_opens_nothing_late_and_who_still_stands_is_let_in_afterwards(
    site: Site, make_proxy: Callable[[int], Proxy]
) -> None:
    proxy = make_proxy(site.broker.port)
    lane = LaneSettings(device="north-1", lane="entry", output="barrier", age_limit_ms=1000)
    gate, uplink = site.gate(lanes=[lane]), site.device(Broker("127.0.0.1", proxy.port))
    site.ready(uplink, gate)
    passed, stands = site.event(number=1), site.event("XYZ789", number=2)
    site.allow.write_text(f"plate,valid_from\n{ON_THE_LIST},\nXYZ789,\n")
    until(lambda: gate.counts["relisted"])
    proxy.stall("up")
    uplink.tell(passed, now())
    uplink.tell(stands, now())
    time.sleep(1.5)
    proxy.resume()
    until(lambda: site.verdicts().count(("refusal", "late")) == 2)
    assert site.orders == []
    until(lambda: uplink.tell(stands, now()) or site.orders)  # type: ignore[func-returns-value]
    assert [order.plate for order in site.orders] == ["XYZ789"]


def test_a_gate_that_restarts_inside_a_stall_does_not_know_the_age_and_opens_nothing(
    site: Site, make_proxy: Callable[[int], Proxy]
) -> None:
    proxy = make_proxy(site.broker.port)
    gate, uplink = site.gate(), site.device(Broker("127.0.0.1", proxy.port))
    site.ready(uplink, gate)
    record = site.event()
    proxy.stall("up")
    uplink.tell(record, now())
    gate.stop()
    again = site.gate()
    until(lambda: again._session.health().state == "online")  # nothing is kept for who is not there yet
    proxy.resume()
    until(lambda: ("refusal", "age unknown") in site.verdicts())
    site.ready(uplink, again)
    until(lambda: uplink.tell(record, now()) or site.orders)  # type: ignore[func-returns-value]
    assert len(site.orders) == 1


def test_a_gate_that_restarts_does_not_open_again_for_who_still_stands(site: Site) -> None:
    gate, uplink = site.gate(), site.device()
    site.ready(uplink, gate)
    record = site.event()
    uplink.tell(record, now())
    until(lambda: ("result", "opened") in site.verdicts())
    gate.stop()
    again = site.gate()
    until(lambda: uplink.tell(record, now()) or again.counts["again"])  # type: ignore[func-returns-value]
    assert len(site.orders) == 1


def test_two_controllers_cannot_share_a_journal(site: Site) -> None:
    site.gate()
    with pytest.raises(GateError, match="has this journal"):
        site.gate()


def test_two_machines_under_one_name_open_nothing_until_one_is_left(site: Site) -> None:
    first, uplink = site.gate(), site.device()
    site.ready(uplink, first)
    second = site.gate(journal=site.folder / "other.journal")
    until(lambda: any("another machine" in problem for problem in second.problems()))
    record = site.event()

    def refused() -> bool:
        uplink.tell(record, now())
        return ("refusal", "another machine") in site.verdicts()

    until(refused, 120)  # where both were thrown out, they come back after a minute
    assert site.orders == []


def test_hostile_and_foreign_messages_open_nothing_and_are_counted(site: Site) -> None:
    gate, uplink = site.gate(), site.device()
    site.ready(uplink, gate)
    attacker = site.listener()
    live = encode(LivePlate(age_ms=0, heard={}, record=site.event().frame))
    topic = topics.plate("north-1")
    rotten = bytearray(live)
    rotten[-1] ^= 1
    for payload in (b"", b"\xc1", bytes(200_000), bytes(rotten)):
        until(lambda payload=payload: attacker.publish(topic, payload, qos=1))
    until(lambda: attacker.publish(topic, live, qos=1))
    until(lambda: attacker.publish(topics.plate("stranger"), live, qos=1))
    until(lambda: gate.counts["malformed"] >= 4)
    until(lambda: gate.counts["age unknown"])
    assert site.orders == []


def test_a_retained_plate_event_opens_nothing(site: Site) -> None:
    attacker = site.listener()
    live = encode(LivePlate(age_ms=0, heard={}, record=site.event().frame))
    until(lambda: attacker.publish(topics.plate("north-1"), live, qos=1, retain=True))
    gate = site.gate()
    until(lambda: gate.counts["retained"])
    assert site.orders == []


def test_a_lane_is_opened_by_hand_while_the_controller_runs_and_while_it_does_not(site: Site) -> None:
    moved = site.folder / "moved"
    append = CommandOutput(kind="command", argv=["/bin/sh", "-c", f"echo $PLATEFLEET_LANE >> {moved}"])
    settings = site.settings(outputs={"barrier": append})
    gate = Gate(Session("gate-1", site.broker, clock=CLOCK), settings, clock=CLOCK)
    with gate:
        assert "north-1/entry opened" in open_by_hand(settings, "entry", "fire brigade")
        with pytest.raises(GateError, match="no such lane"):
            open_by_hand(settings, "exit", "fire brigade")
        with pytest.raises(GateError, match="a reason has to be given"):
            open_by_hand(settings, "entry", "  ")
    assert "north-1/entry opened" in open_by_hand(settings, "north-1/entry", "power cut")
    assert moved.read_text() == "entry\nentry\n"
    site.gate(outputs={"barrier": append})
    until(lambda: len(site.decisions) == 2)
    assert [(d.phase, d.verdict) for d in site.decisions] == [("intent", "by hand"), ("result", "by hand")]
    assert "power cut" in site.decisions[0].reason


def test_an_output_that_hangs_does_not_keep_the_gate_from_deciding(site: Site) -> None:
    free = threading.Event()
    site.allow.write_text(f"plate,valid_from\n{ON_THE_LIST},\nXYZ789,\n")
    gate, uplink = site.gate(lift=lambda _: free.wait(30)), site.device()
    site.ready(uplink, gate)
    uplink.tell(site.event(), now())
    uplink.tell(site.event("STRANGER", number=1), now())
    until(lambda: ("refusal", "not on the list") in site.verdicts())
    assert ("result", "opened") not in site.verdicts()
    free.set()
    until(lambda: ("result", "opened") in site.verdicts())


def test_a_controller_of_ones_own_takes_a_few_lines(site: Site, tmp_path: Path) -> None:
    orders: list[Order] = []
    lanes = {("north-1", "entry"): orders.append}
    with controller(
        "gate-1", site.broker, lanes, allowed=lambda plate: plate == ON_THE_LIST, journal=tmp_path / "own.journal"
    ) as gate:
        uplink = site.device()
        site.ready(uplink, gate)
        uplink.tell(site.event("STRANGER", number=1), now())
        uplink.tell(site.event(), now())
        verdicts = []
        for decision in gate.decisions():
            verdicts.append((decision.phase, decision.verdict))
            if decision.phase == "result":
                break
    assert sorted(verdicts) == [("intent", "opened"), ("refusal", "not on the list"), ("result", "opened")]
    assert [order.plate for order in orders] == [ON_THE_LIST]
