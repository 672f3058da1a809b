"""Test vectors: what is meant beside the exact bytes, so that a program in another language can check itself."""

from __future__ import annotations

import zlib
from typing import Any

import msgpack

from platefleet.protocol import topics
from platefleet.protocol.age import Beats
from platefleet.protocol.codec import encode
from platefleet.protocol.delivery.frame import freeze
from platefleet.protocol.envelope import key_id, sign, signed_bytes
from platefleet.protocol.generate.json_form import json_form
from platefleet.protocol.generate.samples import DEVICE, EPOCH, GATE, PASS_ID, READ, RECORD, TEST_KEY, samples
from platefleet.protocol.messages import Beat, Heard, LivePlate, Message, Progress
from platefleet.protocol.messages.envelope import SignedType


def of_message(kind: type[Message]) -> Any:
    """Return the vectors of one kind: decoding `hex` gives `json`, encoding `json` gives exactly `hex`."""
    return {
        "message": kind.__name__,
        "limit_bytes": kind.LIMIT_BYTES,
        "vectors": [
            {"name": name, "json": json_form(message), "hex": encode(message).hex()}
            for name, message in samples()[kind].items()
        ],
    }


def accepted() -> Any:
    """Return other encodings that a receiver takes all the same: decoding `hex` gives `json`."""
    beat = Beat(gate=GATE, n=7)
    step = Progress(command=PASS_ID, step="export", fraction=0.5)
    unknown = Progress(command=PASS_ID, step="export")
    sure = Progress(command=PASS_ID, step="export", fraction=1.0)
    longer = b"\x83\xa7version\xd3" + bytes(7) + b"\x01\xa4gate\xd9\x06gate-1\xa1n\xce\0\0\0\x07"
    other: list[tuple[str, Message, bytes]] = [
        ("keys in another order", beat, msgpack.packb({"n": 7, "gate": GATE, "version": 1})),
        ("unknown fields, nested ones too", beat, msgpack.packb(beat.model_dump() | {"later": {"a": [1, None, 2.5]}})),
        ("lengths and integers in a longer form", beat, longer),
        ("an absent field as nil", unknown, msgpack.packb(unknown.model_dump())),
        ("a whole fraction as an integer, as JavaScript writes it", sure, _packed(sure, fraction=1)),
        ("float32 where it is exact", step, msgpack.packb(step.model_dump(exclude_none=True), use_single_float=True)),
    ]
    return [
        {"name": name, "message": type(message).__name__, "json": json_form(message), "hex": data.hex()}
        for name, message, data in other
    ]


def _packed(message: Message, **instead: Any) -> bytes:
    packed: bytes = msgpack.packb(message.model_dump(by_alias=True, exclude_none=True) | instead)
    return packed


def records() -> Any:
    """Return record frames with their parts and digest."""
    bodies = {
        "a plate event": (2, "plate", encode(READ)),
        "an empty body": (1, "crops", b""),
        "a type that only later versions know": (3, "later", b"\xc1"),
        "the last seq": (2**53 - 1, "status", b"\x80"),
    }
    return [
        {
            "name": name,
            "epoch": EPOCH,
            "seq": seq,
            "type": kind,
            "body": body.hex(),
            "crc32": zlib.crc32(body),
            "frame": freeze(EPOCH, seq, kind, body).frame.hex(),
            "sha256": freeze(EPOCH, seq, kind, body).digest.hex(),
        }
        for name, (seq, kind, body) in bodies.items()
    ]


def signatures() -> Any:
    """Return envelopes by a key that everybody knows (RFC 8032, section 7.1, test 1), and what must not open."""
    public = TEST_KEY.public_key()
    body = b"\x81\xa7version\x01"
    made: list[tuple[SignedType, bytes]] = [("command", body), ("cancel", body), ("trust", b"\0")]
    signed = [(kind, body, sign(kind, body, TEST_KEY)) for kind, body in made]
    first = signed[0][2]
    wrong = {
        "the type was changed": first.model_copy(update={"type": "cancel"}),
        "a bit of the body was changed": first.model_copy(update={"body": b"\x81\xa7version\x00"}),
        "a bit of the signature was changed": first.model_copy(
            update={"signature": bytes([first.signature[0] ^ 1]) + first.signature[1:]}
        ),
        "a key that is not trusted": first.model_copy(update={"key": "0" * 32}),
    }
    return {
        "secret_key": TEST_KEY.private_bytes_raw().hex(),
        "public_key": public.public_bytes_raw().hex(),
        "key": key_id(public),
        "vectors": [
            {
                "type": kind,
                "body": body.hex(),
                "signed": signed_bytes(kind, body).hex(),
                "signature": envelope.signature.hex(),
                "envelope": encode(envelope).hex(),
            }
            for kind, body, envelope in signed
        ],
        "refused": [{"name": name, "envelope": encode(envelope).hex()} for name, envelope in wrong.items()],
    }


def ages() -> Any:
    """Return how a gate tells the age of a live event; null: unknown, so not acted on."""
    second = 1_000_000_000
    sent = [(41, 100 * second), (42, 101 * second)]
    cases: list[tuple[str, int, dict[str, tuple[int, int]], int]] = [
        ("fresh: 30 ms on both ways", 120, {GATE: (42, 400)}, 101 * second + 430_000_000),
        ("a part of a millisecond counts as one", 0, {GATE: (42, 0)}, 101 * second + 1),
        ("an older beat only makes it older", 120, {GATE: (41, 400)}, 101 * second + 430_000_000),
        ("stalled for 25 s", 0, {GATE: (42, 10)}, 126 * second),
        ("held longer than can be: never below the device's own age", 120, {GATE: (42, 5000)}, 102 * second),
        ("no beat of this gate", 120, {"gate-2": (42, 400)}, 102 * second),
        ("no beat at all", 120, {}, 102 * second),
        ("a beat that this gate never sent", 120, {GATE: (43, 400)}, 102 * second),
        ("a beat just at the limit", 0, {GATE: (41, 0)}, 160 * second),
        ("a beat older than the limit", 0, {GATE: (41, 59_000)}, 160 * second + 1_000_001),
    ]
    beats = Beats()
    for n, at_ns in sent:
        beats.sent(n, at_ns)
    made = []
    for name, age_ms, heard, now_ns in cases:
        told = {gate: Heard(n=n, held_ms=held_ms) for gate, (n, held_ms) in heard.items()}
        live = LivePlate(age_ms=age_ms, heard=told, record=RECORD)
        made.append(
            {
                "name": name,
                "live": {"age_ms": age_ms, "heard": {gate: each.model_dump() for gate, each in told.items()}},
                "now_ns": now_ns,
                "age_ms": beats.age_ms(live, GATE, now_ns),
            }
        )
    return {"gate": GATE, "limit_ms": 60_000, "sent": [{"n": n, "at_ns": at_ns} for n, at_ns in sent], "vectors": made}


def names() -> Any:
    """Return topics taken apart, and strings that are none."""
    good = [topics.address(kind).format(device=DEVICE, slot="a") for kind in topics.TOPICS]
    bad = ["", "alpr/1", "alpr/2/north-1/up/plate", "alpr/1/north-1/up/ack", "alpr/1/+/up/plate", "alpr/1/#", "$SYS/x"]
    bad += ["alpr/1//up/plate", "alpr/1/north-1/up/plate/", "/alpr/1/north-1/up/plate", "alpr/1/nörth/up/plate"]
    bad += [
        f"alpr/1/{'n' * 65}/up/plate",
        "alpr/1/north-1\n/up/plate",
        "alpr/1/north\u20111/up/plate",
        "alpr/1/host/a/b",
    ]
    bad += ["alpr/1/north\x001/up/plate", "alpr/1/.north/up/plate", "alpr/1/north-1/up/plate\n"]
    parsed = [topics.parse(topic) for topic in good]
    return {
        "topics": [
            {"topic": topic, "kind": each.kind, "client": each.client, "slot": each.slot}
            for topic, each in zip(good, parsed, strict=True)
        ],
        "refused": bad,
    }
