"""Records for tests: each builder names only what matters to the test that calls it."""

from __future__ import annotations

from platefleet.fleet.store.port import Arrival
from platefleet.protocol.codec import encode
from platefleet.protocol.delivery.frame import Record, freeze
from platefleet.protocol.ids import uuid7
from platefleet.protocol.messages import Crops, Decision, EpochEnd, EpochOpening, Message, PlateEvent, Stamp

STAMP = Stamp(utc_ns=1_795_000_000_000_000_000, mono_ns=5_000_000_000, boot="b" * 36, clock="synced")
PASS = uuid7(1_795_000_000_000, b"0123456789")


def an_epoch(number: int = 1) -> str:
    """Return a name like those that `new_epoch` makes."""
    return f"{number:032x}"


def a_pass(plate: str = "B123ABC", revision: int = 1, *, final: bool = False, pass_id: str = PASS) -> PlateEvent:
    return PlateEvent(
        pass_id=pass_id,
        revision=revision,
        final=final,
        lane="in",
        captured=STAMP,
        first_seen=STAMP,
        text=plate,
        mean=0.9,
        minimum=0.8,
        direction="approaching",
        frames=5,
    )


def a_crop(size_bytes: int = 2_000) -> Crops:
    return Crops(pass_id=PASS, revision=1, captured=STAMP, plate=b"\xff\xd8" + bytes(size_bytes - 2))


def a_decision(verdict: str = "opened", phase: str = "result") -> Decision:
    return Decision.model_validate(
        {
            "gate": "gate-1",
            "phase": phase,
            "verdict": verdict,
            "reason": "on the list",
            "device": "north-1",
            "lane": "in",
            "pass": PASS,
            "revision": 1,
            "text": "B123ABC",
            "decided": STAMP,
        }
    )


def an_opening(*previous: tuple[str, int]) -> EpochOpening:
    ends = tuple(EpochEnd(epoch=epoch, last=last) for epoch, last in previous)
    return EpochOpening(opened=STAMP, volatile=True, previous=ends)


def a_record(seq: int = 1, *, epoch: int = 1, type: str = "plate", body: Message | bytes | None = None) -> Record:  # noqa: A002
    content = a_pass(revision=min(seq, 1000)) if body is None else body
    return freeze(an_epoch(epoch), seq, type, content if isinstance(content, bytes) else encode(content))


def an_arrival(device: str = "north-1", record: Record | None = None, *, body: Message | None = None) -> Arrival:
    frozen = a_record() if record is None else record
    return Arrival(device, frozen, received_utc_ns=STAMP.utc_ns, message=body)
