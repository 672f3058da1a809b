"""What is told to devices, and when."""

from __future__ import annotations

from platefleet.fleet.ingest.acks import EVERY_NS, RANGES_MOST, Acks
from platefleet.protocol.codec import encode
from platefleet.protocol.messages import Answer, EpochCoverage
from tests.record_builders import an_epoch

T0 = 1_000 * EVERY_NS


def covered(*ranges: tuple[int, int], epoch: int = 1) -> tuple[EpochCoverage, ...]:
    return (EpochCoverage(epoch=an_epoch(epoch), covered=ranges),)


def tell(acks: Acks, now_ns: int) -> dict[str, tuple[EpochCoverage, ...]]:
    due = list(acks.due(now_ns))
    for device, _ in due:
        acks.told(device, now_ns)
    return {device: ack.covered for device, ack in due}


def test_the_first_ack_goes_at_once_and_the_next_ones_are_gathered_for_half_a_second() -> None:
    acks = Acks("store-1")
    acks.committed({"north-1": covered((1, 1))})
    assert tell(acks, T0) == {"north-1": covered((1, 1))}
    acks.committed({"north-1": covered((2, 2))})
    acks.committed({"north-1": covered((1, 3), (7, 7))})
    assert tell(acks, T0 + EVERY_NS - 1) == {}
    assert acks.next_ns() == T0 + EVERY_NS
    assert tell(acks, T0 + EVERY_NS) == {"north-1": covered((1, 3), (7, 7))}
    assert acks.next_ns() is None


def test_one_device_waits_for_no_other() -> None:
    acks = Acks("store-1")
    acks.committed({"north-1": covered((1, 1))})
    tell(acks, T0)
    acks.committed({"south-1": covered((5, 5))})
    assert tell(acks, T0 + 1) == {"south-1": covered((5, 5))}


def test_what_the_session_did_not_take_stays_due() -> None:
    acks = Acks("store-1")
    acks.committed({"north-1": covered((1, 1))})
    assert list(acks.due(T0)) == list(acks.due(T0 + 1))


def test_an_answer_ends_with_the_connection_and_an_ack_does_not() -> None:
    acks = Acks("store-1")
    acks.answer("north-1", Answer(nonce="0" * 32, epochs=()))
    acks.answer("south-1", Answer(nonce="0" * 32, epochs=()))
    acks.committed({"south-1": covered((1, 1))})
    acks.disconnected()
    ((device, ack),) = acks.due(T0)
    assert (device, ack.answer, ack.covered) == ("south-1", None, covered((1, 1)))


def test_a_newer_answer_takes_the_place_of_an_older_one() -> None:
    acks = Acks("store-1")
    for nonce in ("0" * 32, "1" * 32):
        acks.answer("north-1", Answer(nonce=nonce, epochs=()))
    ((_, ack),) = acks.due(T0)
    assert ack.answer is not None
    assert ack.answer.nonce == "1" * 32


def test_a_clash_is_told_beside_what_is_covered() -> None:
    acks = Acks("store-1")
    acks.clash("north-1", an_epoch(), 4)
    ((_, ack),) = acks.due(T0)
    assert ack.clash == covered((4, 4))


def test_an_ack_stays_small_however_torn_the_coverage_is() -> None:
    acks = Acks("store-1")
    for epoch in range(1, 5):
        acks.committed({"north-1": covered(*((n, n) for n in range(1, 2_000, 2)), epoch=epoch)})
    ((_, ack),) = acks.due(T0)
    assert sum(len(each.covered) for each in ack.covered) == RANGES_MOST
    assert acks.left_out == 4 * 1_000 - RANGES_MOST
    assert len(encode(ack)) < 32 * 1024
