"""`activate`, `rollback`, `prune`: what serves afterwards, what is refused, and nothing half-done."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from platefleet.models.artifacts.activation import Active, activated, confirmed, rolled_back
from platefleet.models.artifacts.passport import Passport
from platefleet.models.errors import ArtifactError
from platefleet.models.operations import operations
from platefleet.models.operations.port import StoppedEarly, UndoneAgain
from platefleet.models.operations.prune import MOST
from platefleet.models.operations.reading import arguments_of, packed
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.messages.command import RESULT_LIMIT_BYTES
from tests.commanded import ATestHost
from tests.one_job import OneJob, carried_out, settled
from tests.painted_models import as_artifact, painted_model
from tests.until import until


class Site:
    """A store with a plate artifact that serves, and others."""

    def __init__(self, folder: Path) -> None:
        self.host = ATestHost(folder)
        self.store = self.host.store
        self.path = painted_model(folder / "painted.onnx", 2, "license_plate")
        self.first = self.an_artifact(17)
        self.store.choose("plate", lambda now: activated(now, self.first))

    def an_artifact(self, opset: int, judged: str = "accepted") -> Passport:
        return as_artifact(self.store, "plate", self.path, opset=opset, judged=judged)

    @property
    def active(self) -> Active:
        active = self.store.active("plate")
        assert active is not None
        return active

    def judge(self, passport: Passport, *, good: bool) -> threading.Thread:
        """Confirm a trial, or roll it back, once it has begun, as the agent does."""

        def decide(now: Active | None) -> Active:
            assert now is not None
            return confirmed(now, passport.key) if good else rolled_back(now, passport.key)

        def watch() -> None:
            until(lambda: self.active.key == passport.key, 60)
            self.store.choose("plate", decide)

        thread = threading.Thread(target=watch)
        thread.start()
        return thread


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


# activate


def test_an_artifact_serves_when_its_watch_has_confirmed_it(site: Site) -> None:
    better = site.an_artifact(18)
    watch = site.judge(better, good=True)
    result = carried_out("activate", site.host, role="plate", key=better.key[:8])
    watch.join()
    assert (result.key, result.confirmed) == (better.key, True)
    assert site.active.key == better.key


def test_one_that_did_worse_is_rolled_back_and_its_command_says_so(site: Site) -> None:
    worse = site.an_artifact(18)
    watch = site.judge(worse, good=False)
    with pytest.raises(UndoneAgain, match="did not stay"):
        carried_out("activate", site.host, role="plate", key=worse.key)
    watch.join()
    assert site.active.key == site.first.key


def test_what_serves_already_is_no_work(site: Site) -> None:
    job = OneJob()
    assert carried_out("activate", site.host, job, role="plate", key=site.first.key).confirmed
    assert job.steps == ["choosing"]


def test_the_newest_accepted_one_of_a_precision_is_meant_by_the_precision(site: Site) -> None:
    site.an_artifact(18, "rejected")
    assert carried_out("activate", site.host, role="plate", precision="fp32").key == site.first.key


@pytest.mark.parametrize(
    ("judged", "says"),
    [("rejected", "was rejected"), ("unmeasured", "was not measured"), ("undecided", "too little was measured")],
)
def test_what_was_not_accepted_does_not_serve(site: Site, judged: str, says: str) -> None:
    with pytest.raises(ArtifactError, match=says):
        carried_out("activate", site.host, role="plate", key=site.an_artifact(18, judged).key)
    assert site.active.key == site.first.key


def test_an_undecided_one_serves_where_the_order_names_it_so(site: Site) -> None:
    undecided = site.an_artifact(18, "undecided")
    watch = site.judge(undecided, good=True)
    assert carried_out("activate", site.host, role="plate", key=undecided.key, undecided=True).confirmed
    watch.join()


@pytest.mark.parametrize(
    "wrong", [{"role": "plate"}, {"role": "wheel", "key": "abcd"}, {"role": "plate", "key": "xyz"}, {"key": "abcd"}]
)
def test_an_order_that_names_no_artifact_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError, match="activate"):
        arguments_of(operations()["activate"], wrong)


@pytest.mark.parametrize("key", ["ffff", ""])
def test_a_key_that_no_artifact_or_several_have_is_refused(site: Site, key: str) -> None:
    site.an_artifact(18)
    with pytest.raises(ArtifactError):
        carried_out("activate", site.host, role="plate", **({"key": key} if key else {"precision": "int8"}))


def test_a_trial_that_is_stopped_is_taken_back(site: Site) -> None:
    better = site.an_artifact(18)
    with pytest.raises(StoppedEarly, match="taken back"):
        carried_out("activate", site.host, OneJob(stop_at="on trial"), role="plate", key=better.key)
    assert (site.active.key, site.active.confirmed) == (site.first.key, True)


def test_a_trial_that_the_agent_s_end_cut_off_is_over_and_lost(site: Site) -> None:
    better = site.an_artifact(18)
    site.store.choose("plate", lambda now: activated(now, better))
    with pytest.raises(UndoneAgain, match="began anew"):
        settled("activate", site.host, OneJob(kept={"activated": better.key}), role="plate", key=better.key)
    assert site.active.key == site.first.key


def test_one_that_was_confirmed_before_the_agent_s_end_is_done(site: Site) -> None:
    better = site.an_artifact(18)
    site.store.choose("plate", lambda now: activated(now, better))
    site.store.choose("plate", lambda now: confirmed(now, better.key) if now else site.active)
    job = OneJob(kept={"activated": better.key})
    assert settled("activate", site.host, job, role="plate", key=better.key).confirmed
    assert settled("activate", site.host, OneJob(), role="plate", key=better.key) is None


# rollback


def test_what_served_before_serves_again(site: Site) -> None:
    better = site.an_artifact(18)
    site.store.choose("plate", lambda now: confirmed(activated(now, better), better.key))
    result = carried_out("rollback", site.host, role="plate")
    assert (result.key, result.given_up) == (site.first.key, better.key)
    assert site.active.key == site.first.key


def test_a_rollback_that_was_cut_off_does_not_roll_back_twice(site: Site) -> None:
    better = site.an_artifact(18)
    site.store.choose("plate", lambda now: confirmed(activated(now, better), better.key))
    job = OneJob()
    first = carried_out("rollback", site.host, job, role="plate")
    again = settled("rollback", site.host, job, role="plate") or carried_out("rollback", site.host, job, role="plate")
    assert again == first
    assert site.active.key == site.first.key


def test_where_nothing_ran_before_or_nothing_is_active_it_says_so(site: Site) -> None:
    with pytest.raises(ArtifactError, match="nothing ran before"):
        carried_out("rollback", site.host, role="plate")
    with pytest.raises(ArtifactError, match="nothing is active"):
        carried_out("rollback", site.host, role="vehicle")
    assert site.active.key == site.first.key


def test_a_rollback_that_was_stopped_first_has_done_nothing(site: Site) -> None:
    better, job = site.an_artifact(18), OneJob()
    site.store.choose("plate", lambda now: confirmed(activated(now, better), better.key))
    job.stopped = True
    with pytest.raises(StoppedEarly):
        carried_out("rollback", site.host, job, role="plate")
    assert site.active.key == better.key


# prune


def test_what_nothing_needs_is_let_go_of_and_named(site: Site) -> None:
    rejected, kept = site.an_artifact(18, "rejected"), site.an_artifact(16, "rejected")
    result = carried_out("prune", site.host, keep=(kept.key[:8],))
    keys = {each.key for each in site.store.passports("plate")}
    assert site.first.key in keys
    assert kept.key in keys
    assert rejected.key not in keys
    assert any(rejected.key in path for path in result.removed)
    assert site.active.key == site.first.key


def test_there_may_be_nothing_to_let_go_of(site: Site) -> None:
    carried_out("prune", site.host)
    assert carried_out("prune", site.host).removed == ()


def test_a_long_list_of_what_was_let_go_of_fits_into_a_status() -> None:
    operation = operations()["prune"]
    result = operation.result(removed=tuple(f"plate/built/{number:032x}" for number in range(MOST)), more=10_000)
    assert len(packed(result)) <= RESULT_LIMIT_BYTES
    assert operation.lines(result)[-1] == "and 10000 more"
