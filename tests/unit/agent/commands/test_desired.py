"""The desired state: adopted when it is newer, worked towards once, and never against what was chosen since."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from platefleet.agent.commands.desired import LOOK_NS, DesiredState
from platefleet.models.artifacts.activation import Active, activated, confirmed
from platefleet.models.artifacts.passport import Passport
from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.codec import encode
from platefleet.protocol.commands.holds import Hours, Situation
from platefleet.protocol.commands.lifecycle import Event, RolledBack, Started, Succeeded
from platefleet.protocol.messages import Desired
from tests.commanded import BOOT, DEVICE, Commanded
from tests.painted_models import as_artifact, painted_model
from tests.trust_builders import ordered
from tests.turned_clock import TurnedClock


class Site:
    """A device with two plate artifacts, the first of which serves."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, TurnedClock()
        self.begin()
        self.store = self.device.host.store
        path = painted_model(folder / "painted.onnx", 2, "license_plate")
        self.first, self.other, self.third = (as_artifact(self.store, "plate", path, opset=n) for n in (17, 18, 16))
        self.store.choose("plate", lambda now: activated(now, self.first))

    def begin(self) -> None:
        self.device = Commanded(self.folder, clock=self.clock)
        device = self.device
        self.desired = DesiredState(
            DEVICE,
            device.journal,
            device.clerk,
            device.choices,
            store=device.host.store,
            trust=lambda: device.trust,
            now_utc_ns=lambda: device.clock.now().utc_ns if device.clock_good else None,
            ask=lambda order, arguments, also: device.clerk.take(order, arguments, role="device", also=also),
            boot=BOOT,
            clock=self.clock,
            figures=device.figures,
        )

    def begin_anew(self) -> None:
        self.device.journal.close()
        self.begin()

    def said(self, version: int, passport: Passport | None = None, *, by: str = "ada", **more: Any) -> bytes:
        active = {} if passport is None else {"plate": passport.key}
        told: dict[str, Any] = {"device": DEVICE, "install": self.device.install, "choices": version}
        desired = Desired(**{**told, "issued_at": self.clock.now().utc_ns, "active": active, **more})
        return ordered(by, encode(desired), "desired")

    def look(self, *, clock_good: bool = True) -> tuple[str, ...]:
        """Look; return the drift that is reported."""
        self.clock.turn(LOOK_NS / SECOND_NS)
        self.desired.look(Situation(self.clock.now(), BOOT, clock_good, Hours(True)))
        return self.desired.reported().drift

    @property
    def asked(self) -> list[tuple[str, dict[str, Any]]]:
        """What is open: by whom, with which arguments."""
        clerk = self.device.clerk
        return [(e.order.operator, dict(clerk.written(id_).arguments)) for id_, e in clerk.entries().items()]  # type: ignore[union-attr]

    def end(self, *events: Event) -> None:
        for id_ in self.device.clerk.entries():
            for event in (Started("choosing"), *events):
                self.device.clerk.advance(id_, event)

    def serves(self, passport: Passport) -> None:
        def decide(now: Active | None) -> Active:
            return confirmed(activated(now, passport), passport.key)

        self.store.choose("plate", decide)

    def chosen_by_hand(self, passport: Passport, builds_on: int) -> None:
        """An operator's `activate` is heard, done, and over."""
        arguments = {"role": "plate", "key": passport.key}
        _, payload = self.device.command("activate", arguments=arguments, builds_on=builds_on)
        self.device.hearing.heard(payload)
        self.serves(passport)
        self.end(Succeeded())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.device.journal.close()


def test_what_is_desired_is_activated_by_a_command_of_the_device_s_own(site: Site) -> None:
    site.desired.heard(site.said(1, site.other))
    assert "being activated" in site.look()[0]
    assert site.asked == [("desired:ada", {"role": "plate", "key": site.other.key})]
    assert site.look() == site.desired.reported().drift
    assert len(site.asked) == 1
    site.serves(site.other)
    site.end(Succeeded())
    assert site.look() == ()
    assert site.desired.reported().choices == 1


def test_what_did_not_stay_is_drift_and_not_tried_again(site: Site) -> None:
    site.desired.heard(site.said(1, site.other))
    site.look()
    site.end(RolledBack("it finds less"))
    for _ in range(3):
        assert "did not stay" in site.look()[0]
        site.begin_anew()
    assert site.asked == []


def test_an_operator_s_choice_since_is_not_undone_by_what_was_desired_before(site: Site) -> None:
    site.desired.heard(site.said(1, site.first))
    assert site.look() == ()
    site.chosen_by_hand(site.other, builds_on=1)
    for _ in range(3):
        assert site.look() == ()
        site.begin_anew()
    assert site.asked == []
    active = site.store.active("plate")
    assert active is not None
    assert active.key == site.other.key


def test_an_operator_s_trial_is_not_fought_while_it_runs(site: Site) -> None:
    site.desired.heard(site.said(1, site.first))
    arguments = {"role": "plate", "key": site.other.key}
    site.device.hearing.heard(site.device.command("activate", arguments=arguments, builds_on=1)[1])
    site.store.choose("plate", lambda now: activated(now, site.other))
    assert site.look() == ()
    assert [by for by, _ in site.asked] == ["ada"]


def test_what_is_desired_after_an_operator_s_choice_counts_again(site: Site) -> None:
    site.desired.heard(site.said(1, site.first))
    site.chosen_by_hand(site.other, builds_on=1)
    site.look()
    site.desired.heard(site.said(3, site.third))
    assert "being activated" in site.look()[0]
    assert site.asked == [("desired:ada", {"role": "plate", "key": site.third.key})]


def test_a_change_by_hand_at_the_device_shows_as_drift(site: Site) -> None:
    site.desired.heard(site.said(1, site.first))
    site.look()
    site.serves(site.other)
    assert site.first.key[:8] in site.look()[0]


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_or_the_same_version_changes_nothing(site: Site, version: int) -> None:
    site.desired.heard(site.said(2, site.first))
    site.desired.heard(site.said(version, site.other))
    assert site.look() == ()
    assert site.asked == []


def test_an_artifact_that_the_device_has_not_got_is_told_and_not_asked_for(site: Site) -> None:
    missing = site.first.model_copy(update={"key": "f" * 32})
    site.desired.heard(site.said(1, missing))
    assert "ffffffff is desired" in site.look()[0]
    assert site.asked == []


@pytest.mark.parametrize(
    ("by", "more", "says"),
    [
        ("anna", {}, "takes an administrator"),
        ("ada", {"device": "south-1"}, "for another device"),
        ("ada", {"install": "0" * 32}, "for another device"),
        ("mallory", {}, ""),
    ],
)
def test_what_may_not_be_desired_is_counted_and_told(site: Site, by: str, more: dict[str, Any], says: str) -> None:
    site.desired.heard(site.said(1, site.other, by=by, **more))
    assert site.look() == ()
    assert site.device.figures.counts()["desired_refused"] == 1
    assert any(says in trouble for trouble in site.device.figures.troubles())


def test_what_came_before_the_clock_was_good_is_judged_when_it_is(site: Site) -> None:
    site.device.clock_good = False
    site.desired.heard(site.said(1, site.other))
    assert site.look(clock_good=False) == ()
    site.device.clock_good = True
    assert "being activated" in site.look()[0]


def test_an_empty_message_says_nothing(site: Site) -> None:
    site.desired.heard(site.said(1, site.other))
    site.desired.heard(b"")
    assert "being activated" in site.look()[0]
