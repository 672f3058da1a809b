"""The agent, a program of its own, killed and stopped under a standing car: with real broker, gate, ingest and disk."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from platefleet.deploy.bench.scenery import Visit
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.delivery.durable import open_outbox
from tests.faults.site import DEVICE, Site
from tests.faults.test_link_faults import ALLOWED, running_site
from tests.until import until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]
REVISIONS = (
    "SELECT pass, revision, final, interrupted, text FROM plates WHERE device = ? ORDER BY captured_utc_ns, revision"
)
LONG_S = 600.0


def revisions(site: Site) -> list[tuple[str, int, bool, bool, str]]:
    """What the store has: pass, revision, final, interrupted, text."""
    return [
        (str(pass_id), int(revision), bool(final), bool(interrupted), str(text))
        for pass_id, revision, final, interrupted, text in site.seen.rows(REVISIONS, DEVICE)
    ]


def told(site: Site, count: int) -> bool:
    return len(revisions(site)) >= count


def check_all_committed(site: Site) -> None:
    """Everything that the device's outbox ever held is in the store, and nothing is there that it did not append."""
    outbox = open_outbox(site.folder / "device.outbox", clock=SystemClock())
    try:
        ends = {end.epoch: end.last for end in outbox.epochs() if end.epoch != outbox.epoch}
        assert len(ends) == 3  # one for each start
        wanted = sorted((DEVICE, epoch, seq) for epoch, last in ends.items() for seq in range(1, last + 1))
        assert [name for name in site.seen.names() if name[0] == DEVICE] == wanted
    finally:
        outbox.close()


def test_a_car_that_stands_over_a_kill_and_a_stop_is_one_pass_and_one_opening(tmp_path: Path) -> None:
    plate = ALLOWED[0]
    with running_site(tmp_path) as site:
        appears_s = time.time() + 0.5
        site.plan.write([Visit(plate, appears_s, appears_s + LONG_S)])
        until(lambda: site.opened(plate), 30)

        site.ready_agent()
        site.kill("agent")
        site.take_over()
        until(lambda: told(site, 2), 60)

        site.ready_agent()
        site.stop_device()
        site.take_over()
        until(lambda: told(site, 3), 60)

        leaves_s = time.time() + 0.2
        site.plan.write([Visit(plate, appears_s, leaves_s)])
        until(lambda: any(final for _, _, final, _, _ in revisions(site)), 60)
        site.stop_device()
        until(lambda: site.seen.names() == site.seen.covered_names(), 30)

        passes = revisions(site)
        assert {text for *_, text in passes} == {plate}
        assert len({pass_id for pass_id, *_ in passes}) == 1
        assert [(revision, final, interrupted) for _, revision, final, interrupted, _ in passes] == [
            (1, False, False),
            (2, False, False),
            (3, False, False),
            (4, True, False),
        ]
        assert [pulse.pass_id for pulse in site.pulses()] == [passes[0][0]]
        check_all_committed(site)
