"""What happens to passes and barriers when broker, camera and links fail. All from outside, with real programs.

Shortened; `make soak` (PLATEFLEET_SOAK=1) has the full times: 30 s away, 25 s stalled. Every scenario has a site of its
own and all are lived through at the same time: what they need is time.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from platefleet.deploy.bench.scenery import Visit
from tests.faults.site import DEVICE, Pulse, Site, sleep_until
from tests.mosquitto import Mosquitto, Options
from tests.prerequisites import broker as installed
from tests.proxy import Direction, Proxy

SOAK = os.environ.get("PLATEFLEET_SOAK") == "1"
AWAY_S = 30.0 if SOAK else 6.0
STALL_S = 25.0 if SOAK else 8.5
EVERY_S = 5.5
"""A car each; it stands for two seconds."""
RECONNECT_S = 15.5 if SOAK else 9.0
"""By when everybody has found the broker again: pauses grow to 15 s, after 6 s without it to 8 s."""
STANDS_ON_S = 6.0
REOPEN_S = 30.5 if SOAK else 9.0
"""The same for the camera, whose pauses grow to 30 s."""


def plates(seed: int, count: int = 60) -> list[str]:
    """Return plates that no misreading turns into each other."""
    dice = random.Random(seed)
    return ["".join(dice.choices("ABCDEFGHKLMNPRSTUVWXYZ", k=3) + dice.choices("123456789", k=4)) for _ in range(count)]


ALLOWED, STRANGERS = plates(1), plates(2)
pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(600)]


@contextlib.contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """Start a site with a broker and links of its own; end it all."""
    program = installed()
    if program is None:
        pytest.skip("mosquitto is not installed (Debian: apt-get install mosquitto)")
    with contextlib.ExitStack() as owned:
        (folder / "mosquitto").mkdir(parents=True)
        mosquitto = Mosquitto(program, folder / "mosquitto", Options())
        mosquitto.start()
        owned.callback(mosquitto.kill)
        links = [Proxy(mosquitto.port), Proxy(mosquitto.port)]
        for link in links:
            owned.callback(link.close)
        (folder / "site").mkdir()
        site = Site(folder / "site", mosquitto, *links, ALLOWED)
        owned.callback(site.end)
        site.start()
        yield site


def cars(from_s: float, until_s: float) -> list[Visit]:
    """One car after the other, every third one not on the list."""
    visits: list[Visit] = []
    while from_s + EVERY_S < until_s:
        number = len(visits)
        plate = STRANGERS[number] if number % 3 == 2 else ALLOWED[number]
        visits.append(Visit(plate, from_s, from_s + 1.2 + 2.0))
        from_s += EVERY_S
    return visits


@dataclass(frozen=True)
class Blackout:
    """What was there to see after the broker and the camera had been away. looks_s: the camera's first look again."""

    visits: list[Visit]
    broker_dies_s: float
    broker_back_s: float
    camera_cut_s: float
    mended_s: float
    looks_s: float
    finals: list[str]
    pulses: list[Pulse]
    device: dict[str, int]
    rows: int

    def seen_whole(self) -> list[Visit]:
        """The cars that the camera was there for all the time."""
        before = [visit for visit in self.visits if visit.gone_s < self.camera_cut_s - 2.0]
        return before + [visit for visit in self.visits if visit.appears_s > self.looks_s + 0.5]

    def heard_whole(self) -> list[Visit]:
        """Those of them for which everybody had the broker."""
        back_s = self.broker_back_s + RECONNECT_S
        return [v for v in self.seen_whole() if v.leaves_s < self.broker_dies_s or v.appears_s > back_s]


def live_through_blackout(folder: Path) -> Blackout:
    """Cars all the time; the broker is killed with all it held, later the camera is cut."""
    with running_site(folder) as site:
        began_s = time.time() + 0.5
        broker_dies_s = began_s + 1.4 * EVERY_S
        broker_back_s = broker_dies_s + AWAY_S
        camera_cut_s = broker_back_s + RECONNECT_S + 1.5 * EVERY_S
        mended_s = camera_cut_s + AWAY_S
        visits = cars(began_s, mended_s + REOPEN_S + 3 * EVERY_S)
        site.plan.write(visits)

        sleep_until(broker_dies_s)
        site.mosquitto.kill()
        sleep_until(broker_back_s)
        site.mosquitto.start()
        sleep_until(camera_cut_s)
        site.cut_camera()
        sleep_until(mended_s)
        site.mend_camera()
        sleep_until(visits[-1].gone_s + 2.5)

        site.check_committed()
        site.check_opened_once_and_in_time(visits)
        finals = [str(line["text"]) for line in site.read() if line["final"]]
        looks = [float(str(line["at_s"])) for line in site.said("looks")]
        device = site.stop_device()
        rows = len(site.seen.rows("SELECT 1 FROM records WHERE device = ?", DEVICE))
        return Blackout(
            visits,
            broker_dies_s,
            broker_back_s,
            camera_cut_s,
            mended_s,
            next(at_s for at_s in looks if at_s > mended_s),
            finals,
            site.pulses(),
            device,
            rows,
        )


@dataclass(frozen=True)
class Stall:
    """Whose link holds back what, and whether the gate is killed and started again meanwhile."""

    whose: Literal["agent", "gate"]
    direction: Direction
    restarts: bool = False

    @property
    def holds_plates(self) -> bool:
        """Whether plate events are what is held back."""
        return self.direction == ("up" if self.whose == "agent" else "down")


STALLS = [Stall("agent", "up"), Stall("agent", "up", restarts=True), Stall("agent", "down"), Stall("gate", "down")]
STALLS += [Stall("gate", "up")] if SOAK else []


@dataclass(frozen=True)
class Outcome:
    """What was there to see after a stall."""

    visits: list[Visit]
    resumed_s: float
    finals: list[str]
    pulses: list[Pulse]

    def opened(self, visit: Visit) -> list[float]:
        """When the barrier was lifted for this car."""
        return [pulse.at_s for pulse in self.pulses if pulse.plate == visit.plate]


def live_through(stall: Stall, folder: Path) -> Outcome:
    """Four cars: before the stall, leaving inside it, standing through its end, after it."""
    with running_site(folder) as site:
        stalls_s = time.time() + 0.5 + EVERY_S
        resumes_s = stalls_s + STALL_S
        before = Visit(ALLOWED[0], stalls_s - EVERY_S, stalls_s - EVERY_S + 3.0)
        leaves = Visit(ALLOWED[1], stalls_s - 1.0, stalls_s + 1.5, legible_s=stalls_s + 0.3, rolls_s=0.8)
        stands = Visit(ALLOWED[2], stalls_s + 4.5, resumes_s + STANDS_ON_S)
        after = Visit(ALLOWED[3], stands.gone_s + 1.0, stands.gone_s + 4.0)
        visits = [before, leaves, stands, after]
        site.plan.write(visits)
        link = site.agent_link if stall.whose == "agent" else site.gate_link

        sleep_until(stalls_s)
        link.stall(stall.direction)
        if stall.restarts:
            sleep_until(stalls_s + STALL_S / 2)
            site.kill("gate")
            site.start_gate()
        sleep_until(resumes_s)
        link.resume()
        sleep_until(after.gone_s + 2.5)

        site.check_committed()
        site.check_opened_once_and_in_time(visits)
        finals = [str(line["text"]) for line in site.read() if line["final"]]
        return Outcome(visits, resumes_s, finals, site.pulses())


@dataclass(frozen=True)
class Running:
    """Every scenario, under way."""

    blackout: Future[Blackout]
    stalls: dict[Stall, Future[Outcome]]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("sites")
    with ThreadPoolExecutor(1 + len(STALLS)) as threads:
        blackout = threads.submit(live_through_blackout, folder / "blackout")
        stalls = {stall: threads.submit(live_through, stall, folder / str(n)) for n, stall in enumerate(STALLS)}
        yield Running(blackout, stalls)


@pytest.mark.parametrize("stall", STALLS, ids=lambda s: f"{s.whose}-{s.direction}{'-restart' if s.restarts else ''}")
def test_after_a_stall_nothing_opens_late_and_a_car_that_still_stands_is_let_in(running: Running, stall: Stall) -> None:
    outcome = running.stalls[stall].result()
    before, leaves, stands, after = outcome.visits
    assert sorted(outcome.finals) == sorted(visit.plate for visit in outcome.visits)
    assert [len(outcome.opened(visit)) for visit in (before, stands, after)] == [1, 1, 1]
    (let_in_s,) = outcome.opened(stands)
    if stall.holds_plates:
        assert outcome.opened(leaves) == []
        assert let_in_s > outcome.resumed_s
    print(
        f"\n{stall} of {STALL_S:g} s: the car that stood was let in {let_in_s - outcome.resumed_s:+.2f} s from its end"
    )


def test_a_broker_that_dies_with_all_it_held_and_a_camera_that_is_cut_lose_no_pass_that_was_read(
    running: Running,
) -> None:
    blackout = running.blackout.result()
    finals = Counter(blackout.finals)
    whole, heard = blackout.seen_whole(), blackout.heard_whole()
    assert {visit.plate: finals[visit.plate] for visit in whole} == {visit.plate: 1 for visit in whole}
    assert max(finals.values()) == 1
    opened = Counter(pulse.plate for pulse in blackout.pulses)
    assert {v.plate: opened[v.plate] for v in heard} == {v.plate: int(v.plate in ALLOWED) for v in heard}
    assert heard[-1].appears_s > blackout.mended_s, "no car came after both"
    assert blackout.device["appended"] == blackout.device["committed"] == blackout.rows
    print(
        f"\n{AWAY_S:g} s away each: {len(blackout.visits)} cars, {len(whole)} of them seen whole, "
        f"{sum(finals.values())} passes, {blackout.device['appended']} records appended, {blackout.rows} committed, "
        f"{len(blackout.pulses)} opened; camera back {blackout.looks_s - blackout.mended_s:.1f} s after it was mended"
    )
