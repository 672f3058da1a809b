"""Messages for the vectors, several of each kind: usual ones, empty ones, and the edges of what is allowed."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from platefleet.protocol import messages as m
from platefleet.protocol.codec import encode
from platefleet.protocol.delivery.frame import freeze
from platefleet.protocol.envelope import sign
from platefleet.protocol.generate import sample_commands, sample_reports, sample_trust
from platefleet.protocol.ids import uuid7

STAMP = m.Stamp(
    utc_ns=1_795_000_000_123_456_789,
    mono_ns=86_400_000_000_001,
    boot="3f1c9a52-6f0b-4f4e-9a59-0d8e6f1f2b77",
    clock="synced",
)
TOLD = STAMP.model_copy(update={"utc_ns": STAMP.utc_ns + 240_000_000, "mono_ns": STAMP.mono_ns + 240_000_000})
NO_BATTERY = m.Stamp(utc_ns=12_000_000_000, mono_ns=12_000_000_000, boot="", clock="unsynced")
LAST = m.Stamp(utc_ns=2**63 - 1, mono_ns=2**63 - 1, boot="b" * 64, clock="assumed")
PASS_ID = uuid7(1_795_000_000_123, bytes(range(10)))
EPOCH = "00112233445566778899aabbccddeeff"
EARLIER = "f" * 32
NONCE = "0123456789abcdef" * 2
DEVICE, GATE = "north-1", "gate-1"
TEST_KEY = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
)
"""Public on purpose: the secret key of RFC 8032, section 7.1, test 1. Nobody trusts it."""

_LETTER = m.CharacterRead(text="B", confidence=0.97, alternatives=(m.Alternative(text="8", confidence=0.02),))
READ = m.PlateEvent(
    pass_id=PASS_ID,
    revision=1,
    final=False,
    lane="in",
    captured=STAMP,
    first_seen=STAMP,
    told=TOLD,
    text="B1",
    characters=(_LETTER, m.CharacterRead(text="1", confidence=0.5)),
    mean=0.735,
    minimum=0.5,
    direction="approaching",
    vehicle="car",
    plate_box=(100.5, 200.0, 188.25, 221.75),
    vehicle_box=(20.0, 40.0, 360.0, 280.0),
    plate_confidence=0.875,
    frames=5,
    ms={"vehicle": 41.5, "plate": 18.25, "reader": 3.0},
    artifacts={"vehicle": "yolov8n", "plate": "plate-1"},
)
UNREAD = m.PlateEvent(
    pass_id=PASS_ID,
    revision=2,
    final=True,
    interrupted=True,
    lane="out",
    captured=NO_BATTERY,
    first_seen=NO_BATTERY,
    text="",
    mean=0.0,
    minimum=0.0,
    unread="cut by the frame",
    direction="unknown",
    frames=0,
)
FULLEST = m.PlateEvent(
    pass_id=uuid7(2**48 - 1, b"\xff" * 10),
    revision=1000,
    final=False,
    lane="L" * 64,
    captured=LAST,
    first_seen=LAST,
    text="Ä京ж9" * 3,
    characters=tuple(
        m.CharacterRead(
            text=c, confidence=1.0, alternatives=tuple(m.Alternative(text=a, confidence=0.125) for a in "OQDCGU06")
        )
        for c in "Ä京ж9" * 3
    ),
    mean=1.0,
    minimum=1.0,
    direction="receding",
    vehicle="🚚" * 64,
    plate_box=(-1e6, -0.5, 1e6, 0.1),
    vehicle_box=(0.0, 0.0, 1e6, 1e6),
    plate_confidence=1.0,
    frames=2**53 - 1,
    ms={f"stage {n:02}": 1.5e300 for n in range(16)},
    artifacts={"": ""},
)
OPENING = m.EpochOpening(opened=STAMP, volatile=True)
RECORD = freeze(EPOCH, 2, "plate", encode(READ)).frame
FIRST = freeze(EPOCH, 1, "epoch", encode(OPENING)).frame
STATUS = freeze(EPOCH, 3, "status", b"\x81\xa7version\x02").frame


def samples() -> Mapping[type[m.Message], Mapping[str, m.Message]]:
    """Return messages by kind, each with a name that says what is special in it."""
    reports = sample_reports.reports(STAMP, LAST) | sample_commands.commands(STAMP, LAST)
    return _events() | _delivery() | _control() | reports | sample_trust.trusts()


def _events() -> dict[type[m.Message], dict[str, m.Message]]:
    return {
        m.PlateEvent: {"a reading": READ, "unread, no optional field": UNREAD, "the fullest, unicode": FULLEST},
        m.LivePlate: {
            "one gate's beat was heard": m.LivePlate(
                age_ms=120, heard={GATE: m.Heard(n=7_000_001, held_ms=400)}, record=RECORD
            ),
            "no beat was heard": m.LivePlate(age_ms=0, record=RECORD),
            "largest numbers, two gates in the order of their names": m.LivePlate(
                age_ms=2**53 - 1,
                heard={name: m.Heard(n=2**53 - 1, held_ms=2**53 - 1) for name in ("b", "A" * 64)},
                record=freeze("f" * 32, 2**53 - 1, "plate", encode(FULLEST)).frame,
            ),
        },
        m.Crops: {
            "both pictures": m.Crops(
                pass_id=PASS_ID,
                revision=1,
                captured=STAMP,
                plate=b"\xff\xd8\xff\xe0plate\xff\xd9",
                vehicle=b"\xff\xd8\xff\xe0vehicle\xff\xd9",
                plate_box=(1.0, 2.0, 3.0, 4.0),
                vehicle_box=(0.0, 0.0, 5.5, 6.25),
            ),
            "an empty picture is not none": m.Crops(pass_id=PASS_ID, revision=1, captured=STAMP, plate=b""),
        },
        m.Decision: {
            "opened": m.Decision(
                gate=GATE,
                phase="result",
                verdict="opened",
                reason="B1 is on the list",
                device=DEVICE,
                lane="in",
                pass_id=PASS_ID,
                revision=1,
                text="B1",
                entry="B 1",
                output="relay",
                age_ms=521,
                decided=STAMP,
                took_ms=12,
            ),
            "by hand, without a pass": m.Decision(
                gate=GATE, phase="intent", verdict="by hand", reason="ambulance – no plate", lane="in", decided=STAMP
            ),
            "control characters are carried, whoever shows them escapes them": m.Decision(
                gate=GATE,
                phase="refusal",
                verdict="not on the list",
                reason="\x1b[2J\u202e\x00" + "x" * 506,
                lane="in",
                text="=1+1",
                decided=LAST,
            ),
        },
    }


def _delivery() -> dict[type[m.Message], dict[str, m.Message]]:
    return {
        m.EpochOpening: {
            "the first": OPENING,
            "after another": m.EpochOpening(
                opened=NO_BATTERY, volatile=False, previous=(m.EpochEnd(epoch=EARLIER, last=2**53 - 1),)
            ),
        },
        m.LiveStatus: {"a status whose body only later versions know": m.LiveStatus(age_ms=3, record=STATUS)},
        m.Backfill: {
            "nothing": m.Backfill(),
            "two records": m.Backfill(records=(FIRST, RECORD)),
            "a question, and what is gone": m.Backfill(
                gone=(m.Gone(epoch=EARLIER, first=1, last=2**53 - 1, reason="quota"),),
                ask=m.Ask(nonce=NONCE, epochs=(m.EpochEnd(epoch=EPOCH, last=3), m.EpochEnd(epoch=EARLIER, last=0))),
            ),
        },
        m.Ack: {
            "nothing": m.Ack(store="central"),
            "two ranges": m.Ack(store="central", covered=(m.EpochCoverage(epoch=EPOCH, covered=((1, 2), (5, 128))),)),
            "an answer that says that nothing is there": m.Ack(
                store="central", answer=m.Answer(nonce=NONCE, epochs=(m.EpochCoverage(epoch=EPOCH),))
            ),
            "a clash": m.Ack(store="central", clash=(m.EpochCoverage(epoch=EPOCH, covered=((2**53 - 1, 2**53 - 1),)),)),
        },
        m.Beat: {"the first": m.Beat(gate=GATE, n=1), "the last": m.Beat(gate="g" * 64, n=2**53 - 1)},
        m.Presence: {state: m.Presence(incarnation=NONCE, state=state) for state in ("online", "stopped", "lost")},
        m.Host: {
            "committing": m.Host(slot="a", incarnation=NONCE, committing=True, store="central"),
            "its will": m.Host(slot="a", incarnation=NONCE, committing=False, store="central"),
        },
    }


def _control() -> dict[type[m.Message], dict[str, m.Message]]:
    return {
        m.Envelope: {
            "a signed command": sign("command", b"\x81\xa7version\x01", TEST_KEY),
            "a body of one byte": sign("trust", b"\x00", TEST_KEY),
        },
        m.Progress: {
            "half": m.Progress(command=PASS_ID, step="export", fraction=0.5, left_ms=60_000),
            "nobody knows": m.Progress(command=PASS_ID, step=""),
        },
    }
