"""Whether anybody commits."""

from __future__ import annotations

from platefleet.protocol.delivery.hosts import MOST_SLOTS, Hosts
from platefleet.protocol.messages import Host
from tests.record_builders import an_epoch


def host(slot: str = "1", *, committing: bool = True, life: int = 1) -> Host:
    return Host(slot=slot, incarnation=an_epoch(life), committing=committing, store="store-1")


def test_who_was_never_heard_of_means_nothing() -> None:
    assert not Hosts().nobody()


def test_one_worker_that_commits_is_enough() -> None:
    hosts = Hosts()
    hosts.heard(host("1", committing=False))
    assert hosts.nobody()
    hosts.heard(host("2"))
    assert not hosts.nobody()


def test_the_will_of_an_earlier_life_counts_for_nothing() -> None:
    hosts = Hosts()
    hosts.heard(host(life=2))
    hosts.heard(host(life=1, committing=False))
    assert not hosts.nobody()
    hosts.heard(host(life=2, committing=False))
    assert hosts.nobody()


def test_what_an_earlier_connection_heard_is_forgotten() -> None:
    hosts = Hosts()
    hosts.heard(host(committing=False))
    hosts.forget()
    assert not hosts.nobody()


def test_made_up_slots_cannot_fill_the_memory() -> None:
    hosts = Hosts()
    for slot in range(MOST_SLOTS + 10):
        hosts.heard(host(str(slot), committing=False))
    hosts.heard(host("late"))
    assert hosts.nobody()
