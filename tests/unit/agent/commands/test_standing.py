"""Standing rules at work: asked and remembered in one, outcomes taken down once, retried on other days, an alarm."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from platefleet.agent.commands.rules import DAY_NS, RETRIES
from platefleet.agent.commands.standing import LOOK_NS, Alarm, StandingRules
from platefleet.models.artifacts.activation import activated
from platefleet.models.artifacts.passport import Machine, Recipe
from platefleet.protocol.clock import SECOND_NS, SystemClock
from platefleet.protocol.commands.desk import Move, moves
from platefleet.protocol.commands.holds import Hours, Situation
from platefleet.protocol.commands.lifecycle import ATTEMPTS, Event, Failed, Started, Succeeded, TooLate
from platefleet.protocol.commands.order import Order
from platefleet.protocol.messages import Rule
from tests.artifact_stores import placed
from tests.commanded import BOOT, Commanded
from tests.turned_clock import TurnedClock
from tests.until import until

ORIN = Machine(cpu="arm", gpu="Orin", compute_capability="8.7", tensorrt="10.3.0")
DAY_S = 86_400


class Cut(Exception):
    """The power went at a commit."""


class Site:
    """A device with one source that has no engine yet: the rule `engines` wants a build."""

    def __init__(self, folder: Path, *rules: str) -> None:
        self.folder, self.clock = folder, TurnedClock()
        self.names = rules or ("engines",)
        self.after_commit: Callable[[], None] = lambda: None
        self.begin()
        store = self.device.host.store
        weights = folder / "weights.onnx"
        weights.write_bytes(b"\x08\x08")
        self.source = store.add_source("plate", weights)

    def begin(self) -> None:
        rules = tuple(Rule.model_validate({"name": name}) for name in self.names)
        self.device = Commanded(self.folder, clock=self.clock, rules=rules, after_commit=self._committed)
        device = self.device
        self.rules = StandingRules(
            device.journal,
            device.clerk,
            device.choices,
            device.host.store,
            machine=lambda: ORIN,
            has_frames=lambda: True,
            ask=lambda order, arguments, also: device.clerk.take(order, arguments, role="device", also=also),
            boot=BOOT,
            figures=device.figures,
        )

    def _committed(self) -> None:
        self.after_commit()

    def begin_anew(self) -> None:
        self.device.journal.close()
        self.begin()

    def how(self, **more: object) -> Situation:
        return replace(Situation(self.clock.now(), BOOT, True, Hours(True)), **more)  # type: ignore[arg-type]

    def look(self, **more: object) -> list[str]:
        """Look once; return the ids of what is open."""
        self.rules.wake()
        self.rules.look(self.how(**more))
        return list(self.device.clerk.entries())

    def happen(self, id_: str, *events: Event) -> None:
        for event in events:
            self.device.clerk.advance(id_, event)

    def fail_by_something_that_passes(self, id_: str) -> None:
        for _ in range(ATTEMPTS):
            self.happen(id_, Started("building"), Failed("no memory", passing=True))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.device.journal.close()


def operators(site: Site) -> list[str]:
    return [written.order.operator for written, _ in site.device.journal.history(100)]


def test_what_a_rule_asks_for_is_a_command_with_a_trail_of_the_rules_own(site: Site) -> None:
    (id_,) = site.look()
    written = site.device.journal.command(id_)
    assert written is not None
    assert (written.order.operation, written.order.operator) == ("build", "rule:engines")
    assert site.device.telling.tell() == 1
    assert [status.operator for status in site.device.statuses(id_)] == ["rule:engines"]


def test_nothing_is_asked_for_outside_the_window_or_by_a_clock_that_is_not_good(site: Site) -> None:
    assert site.look(hours=Hours(False)) == []
    assert site.look(clock_good=False) == []


def test_it_is_asked_for_once_however_often_it_is_looked_and_whoever_begins_anew(site: Site) -> None:
    (id_,) = site.look()
    for _ in range(3):
        assert site.look() == [id_]
        site.begin_anew()
    site.clock.turn(30 * DAY_S)
    assert site.look() == [id_]


def test_what_rules_ask_for_at_one_moment_begins_in_the_order_of_the_rules_a_missing_engine_first(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path, "engines", "benchmark", "evaluate", "prune")
    store = site.device.host.store
    for size in (320, 352, 384):
        recipe = Recipe(role="plate", source=site.source, format="onnx", precision="fp32", size=size, batch=None)
        placed(
            store,
            recipe,
            store.source("plate", site.source),
            verdict={"judged": "undecided", "numbers": {"recall": 0.9}},
        )
    site.look()
    begun: list[str] = []
    while waiting := site.device.clerk.entries():
        (first,) = (
            move.id for move in moves(waiting, site.how()) if isinstance(move, Move) and isinstance(move.event, Started)
        )
        begun.append(waiting[first].order.operation)
        site.happen(first, Started("preparing"), Failed("it is broken"))
    assert begun == ["build", "benchmark", "evaluate", "evaluate", "evaluate", "prune"]
    site.device.journal.close()


def test_a_power_cut_at_the_commit_leaves_it_asked_for_and_remembered(site: Site) -> None:
    def cut() -> None:
        raise Cut

    site.after_commit = cut
    with pytest.raises(Cut):
        site.look()
    site.after_commit = lambda: None
    site.begin_anew()
    (id_,) = site.look()
    assert operators(site) == ["rule:engines"]
    site.happen(id_, Started("building"), Failed("it is broken"))
    assert site.look() == []  # the mark was there: it is not asked for again before another night


def test_how_it_ended_is_taken_down_once(site: Site) -> None:
    (id_,) = site.look()
    site.happen(id_, Started("building"), Failed("it is broken"))
    for _ in range(3):
        site.look()
        site.begin_anew()
    site.clock.turn(DAY_S)
    (again,) = site.look()
    site.happen(again, TooLate())
    site.clock.turn(DAY_S)
    assert site.look() == []  # failed twice: two days
    site.clock.turn(DAY_S)
    assert len(site.look()) == 1


def test_after_success_the_pause_is_the_usual_one_again(site: Site) -> None:
    for event in (Failed("it is broken"), Succeeded()):
        (id_,) = site.look()
        site.happen(id_, Started("building"), event)
        site.clock.turn(DAY_S)
    assert len(site.look()) == 1


def test_the_marks_of_rules_do_not_stand_in_the_way_of_the_device_s_next_start(site: Site) -> None:
    site.look()
    site.begin_anew()
    assert [rule.name for rule in site.device.choices.rules] == ["engines"]


# retry


def asked_by_a_person(site: Site, **arguments: object) -> str:
    now = site.clock.now()
    id_ = site.device.command("benchmark")[0]
    order = Order(id_, "benchmark", "anna", now.utc_ns, now.utc_ns + DAY_NS, now, BOOT)
    site.device.clerk.take(order, {"role": "plate", **arguments}, role="operator")
    return id_


@pytest.fixture
def retrying(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path, "retry")
    yield site
    site.device.journal.close()


def test_what_was_deferred_is_asked_for_on_other_days_three_times_at_most(retrying: Site) -> None:
    site = retrying
    site.fail_by_something_that_passes(asked_by_a_person(site, rounds=7))
    asked = []
    for day in range(40):
        for id_ in site.look():
            asked.append(day)
            written = site.device.journal.command(id_)
            assert written is not None
            assert dict(written.arguments) == {"role": "plate", "rounds": 7}
            site.fail_by_something_that_passes(id_)
        if day % 7 == 3:
            site.begin_anew()
        site.clock.turn(DAY_S)
    assert len(asked) == RETRIES
    assert asked[0] == 1


def test_what_went_well_at_the_second_time_is_not_asked_for_again(retrying: Site) -> None:
    site = retrying
    site.fail_by_something_that_passes(asked_by_a_person(site))
    site.clock.turn(DAY_S)
    (id_,) = site.look()
    site.happen(id_, Started("measuring"), Succeeded())
    site.clock.turn(30 * DAY_S)
    assert site.look() == []


@pytest.mark.parametrize("event", [Failed("it is broken"), TooLate()])
def test_what_failed_for_good_or_had_no_time_is_not_asked_for_again(retrying: Site, event: Event) -> None:
    id_ = asked_by_a_person(retrying)
    retrying.happen(id_, *(() if isinstance(event, TooLate) else (Started("measuring"),)), event)
    retrying.clock.turn(30 * DAY_S)
    assert retrying.look() == []


def test_a_person_who_asked_for_the_same_since_is_not_helped_a_second_time(retrying: Site) -> None:
    site = retrying
    site.fail_by_something_that_passes(asked_by_a_person(site))
    site.clock.turn(60)
    again = asked_by_a_person(site)
    site.happen(again, Started("measuring"), Succeeded())
    site.clock.turn(30 * DAY_S)
    assert site.look() == []


# what an operator chose


def test_an_operator_who_chose_onnx_by_hand_is_left_alone_for_weeks(site: Site) -> None:
    store = site.device.host.store
    recipe = Recipe(role="plate", source=site.source, format="onnx", precision="fp32", size=416)
    chosen = placed(store, recipe, store.source("plate", site.source), verdict={"judged": "baseline"})
    store.choose("plate", lambda now: activated(now, chosen))
    for _ in range(21):
        assert site.look() == []
        site.clock.turn(DAY_S)


# when it looks


def test_it_looks_at_once_when_it_is_woken_and_now_and_then_while_the_window_is_open(site: Site) -> None:
    site.rules.look(site.how())
    (id_,) = site.device.clerk.entries()
    site.happen(id_, Started("building"), Succeeded())
    site.clock.turn(DAY_S)
    site.rules.look(site.how())
    assert len(site.device.clerk.entries()) == 1
    (id_,) = site.device.clerk.entries()
    site.happen(id_, Started("building"), Failed("it is broken"))
    site.device.journal.remember({"rule marks": "{}"})
    site.rules._marks = {}
    site.clock.turn(LOOK_NS / SECOND_NS - 1)
    site.rules.look(site.how())
    assert site.device.clerk.entries() == {}
    site.rules.wake()
    site.rules.look(site.how())
    site.clock.turn(1)
    assert len(site.rules._marks) == 1


class Rung:
    def __init__(self) -> None:
        self.count, self._lock = 0, threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self.count += 1


@pytest.fixture
def rung() -> Rung:
    return Rung()


@pytest.fixture
def alarm(rung: Rung) -> Iterator[Alarm]:
    alarm = Alarm(rung)
    alarm.start()
    yield alarm
    alarm.stop()


def in_s(seconds: float) -> int:
    return SystemClock().now().utc_ns + round(seconds * SECOND_NS)


def test_the_alarm_rings_at_its_moment(alarm: Alarm, rung: Rung) -> None:
    at_ns = in_s(0.3)
    alarm.set(at_ns)
    until(lambda: rung.count == 1, 60)
    assert SystemClock().now().utc_ns >= at_ns - SECOND_NS // 100


def test_the_last_moment_that_was_set_counts_when_the_window_changes(alarm: Alarm, rung: Rung) -> None:
    alarm.set(in_s(86_400))
    alarm.set(in_s(0.1))
    until(lambda: rung.count == 1, 60)


def test_a_moment_that_was_missed_while_the_machine_slept_rings_all_the_same(alarm: Alarm, rung: Rung) -> None:
    alarm.set(in_s(-3 * 86_400))
    until(lambda: rung.count == 1, 60)


def test_no_moment_and_an_alarm_that_ended_do_not_ring(rung: Rung) -> None:
    alarm = Alarm(rung)
    alarm.set(in_s(0))  # before it began
    alarm.start()
    alarm.set(in_s(86_400))
    alarm.set(None)
    assert alarm._scheduler is not None
    assert alarm._scheduler.get_jobs() == []
    alarm.stop()
    alarm.stop()
    alarm.set(in_s(0))
    assert rung.count == 0


def test_an_alarm_that_is_stopped_while_it_rings_ends_in_silence(rung: Rung) -> None:
    ended: list[object] = []
    before, threading.excepthook = threading.excepthook, lambda told: ended.append(told.exc_value)
    try:
        for turn in range(100):
            alarm = Alarm(rung)
            alarm.start()
            alarm.set(in_s(0))
            time.sleep(turn * 1e-5)
            alarm.stop()
    finally:
        threading.excepthook = before
    assert ended == []


def test_the_rules_set_their_alarm_to_when_the_window_opens_next(site: Site) -> None:
    site.rules.alarm.start()
    try:
        for opens_ns in (in_s(3600), in_s(7200)):
            site.rules.look(site.how(hours=Hours(False, opens_ns=opens_ns)))
            scheduler = site.rules.alarm._scheduler
            assert scheduler is not None
            (job,) = scheduler.get_jobs()
            assert abs(job.next_run_time.timestamp() - opens_ns / SECOND_NS) < 0.01
    finally:
        site.rules.alarm.stop()
