"""Bytes that must be refused, each with the error and why."""

from __future__ import annotations

from typing import Any, Literal

import msgpack

from platefleet.protocol.codec import encode
from platefleet.protocol.delivery.frame import BODY_LIMIT_BYTES, freeze
from platefleet.protocol.generate.samples import EPOCH, GATE, NONCE, PASS_ID, READ
from platefleet.protocol.messages import Ack, Backfill, Beat, Health, LivePlate, Message, PlateEvent, Presence, Progress
from platefleet.protocol.shape import DEPTH, ELEMENTS

Error = Literal["ProtocolError", "Oversized", "UnknownVersion"]
Refusal = tuple[str, type[Message], bytes, int, Error]
"""Name, what it is taken for, the bytes, how many zero bytes follow them, the error."""
BEAT = {"version": 1, "gate": GATE, "n": 7}
_ACK = b"\x82\xa7version\x01\xa5store\xa1s"
_OPEN = b"\x82\xa7version\x01\xa5later"


def messages() -> Any:
    """Return bytes that are no message; `zeros` zero bytes follow those in `hex`."""
    return [
        {"name": name, "message": kind.__name__, "hex": data.hex(), "zeros": zeros, "error": error}
        for name, kind, data, zeros, error in (*_broken(), *_lying(), *_unfit())
    ]


def _broken() -> list[Refusal]:
    good = encode(Beat(gate=GATE, n=7))
    return [
        ("nothing", Beat, b"", 0, "ProtocolError"),
        ("cut off", Beat, good[:-1], 0, "ProtocolError"),
        ("a byte too many", Beat, good, 1, "ProtocolError"),
        ("no map", Beat, b"\x93\x01\x02\x03", 0, "ProtocolError"),
        ("nil", Beat, b"\xc0", 0, "ProtocolError"),
        ("a byte that MessagePack never uses", Beat, b"\xc1", 0, "ProtocolError"),
        ("an extension type", Beat, _OPEN + b"\xd4\x05\x00", 0, "ProtocolError"),
        ("a timestamp", Beat, _OPEN + b"\xd6\xff\x00\x00\x00\x00", 0, "ProtocolError"),
        ("a key twice", Beat, b"\x83\xa7version\x01\xa1n\x07\xa1n\x08", 0, "ProtocolError"),
        ("a key twice in an unknown field", Beat, _OPEN + b"\x82\xa1a\x01\xa1a\x01", 0, "ProtocolError"),
        ("a number as key", Beat, b"\x82\xa7version\x01\x01\x02", 0, "ProtocolError"),
        ("bytes as key", Beat, b"\x82\xa7version\x01\xc4\x01n\x07", 0, "ProtocolError"),
        ("an array as key", Beat, b"\x82\xa7version\x01\x91\x01\x07", 0, "ProtocolError"),
        ("text that is not UTF-8", Beat, b"\x83\xa7version\x01\xa4gate\xa1\xff\xa1n\x07", 0, "ProtocolError"),
        ("a lone surrogate", Beat, b"\x83\xa7version\x01\xa4gate\xa3\xed\xa0\x80\xa1n\x07", 0, "ProtocolError"),
    ]


def _lying() -> list[Refusal]:
    deep = _OPEN + b"\x91" * (DEPTH - 1)
    return [
        ("an array of 4,294,967,295 values", Beat, b"\xdd\xff\xff\xff\xff", 0, "ProtocolError"),
        ("a map of 4,294,967,295 entries", Beat, b"\xdf\xff\xff\xff\xff", 0, "ProtocolError"),
        ("a text of 4 GiB", Beat, b"\xdb\xff\xff\xff\xff", 0, "ProtocolError"),
        ("bytes of 4 GiB", Beat, b"\xc6\xff\xff\xff\xff", 0, "ProtocolError"),
        ("one level too deep", Beat, deep + b"\x91\xc0", 0, "Oversized"),
        ("10,000 levels deep", Ack, b"\x91" * 10_000 + b"\xc0", 0, "Oversized"),
        (
            "too many values",
            Ack,
            _ACK.replace(b"\x82", b"\x83") + b"\xa1x\xdd" + ELEMENTS.to_bytes(4, "big"),
            ELEMENTS,
            "Oversized",
        ),
        ("longer than its kind may be", Beat, b"", Beat.LIMIT_BYTES + 1, "Oversized"),
        ("longer than any message may be", Backfill, b"", Backfill.LIMIT_BYTES + 1, "Oversized"),
    ]


def _unfit() -> list[Refusal]:
    live = {"version": 1, "age_ms": 0, "heard": {}, "record": b"x"}
    event = READ.model_dump(by_alias=True, exclude_none=True)
    nan, infinity = float("nan"), float("inf")
    cases: list[tuple[str, type[Message], dict[str, Any], Error]] = [
        ("no version", Beat, {"gate": GATE, "n": 7}, "ProtocolError"),
        ("version 0", Beat, BEAT | {"version": 0}, "UnknownVersion"),
        ("version 2, whatever else is in it", Beat, {"version": 2, "gate": 5}, "UnknownVersion"),
        ("version true", Beat, BEAT | {"version": True}, "ProtocolError"),
        ("version 1.0", Beat, BEAT | {"version": 1.0}, "ProtocolError"),
        ("a field is missing", Beat, {"version": 1, "gate": GATE}, "ProtocolError"),
        ("text where a number belongs", Beat, BEAT | {"n": "7"}, "ProtocolError"),
        ("a float where an integer belongs", Beat, BEAT | {"n": 7.0}, "ProtocolError"),
        ("true where an integer belongs", Beat, BEAT | {"n": True}, "ProtocolError"),
        ("zero where counting begins at one", Beat, BEAT | {"n": 0}, "ProtocolError"),
        ("an integer that JavaScript would round", Beat, BEAT | {"n": 2**53}, "ProtocolError"),
        ("a negative number", LivePlate, live | {"age_ms": -1}, "ProtocolError"),
        ("an id with a slash", Beat, BEAT | {"gate": "a/b"}, "ProtocolError"),
        ("an id with a wildcard", Beat, BEAT | {"gate": "+"}, "ProtocolError"),
        ("an id with a line end", Beat, BEAT | {"gate": "gate-1\n"}, "ProtocolError"),
        ("an id with a Cyrillic letter", Beat, BEAT | {"gate": "g\u0430te-1"}, "ProtocolError"),
        ("an id of 65 characters", Beat, BEAT | {"gate": "g" * 65}, "ProtocolError"),
        ("an id as bytes", Beat, BEAT | {"gate": b"gate-1"}, "ProtocolError"),
        ("an empty frame", LivePlate, live | {"record": b""}, "ProtocolError"),
        ("text where bytes belong", LivePlate, live | {"record": "x"}, "ProtocolError"),
        ("NaN", Progress, {"version": 1, "command": PASS_ID, "step": "", "fraction": nan}, "ProtocolError"),
        ("infinity", Progress, {"version": 1, "command": PASS_ID, "step": "", "fraction": infinity}, "ProtocolError"),
        ("a confidence above 1", PlateEvent, event | {"mean": 1.01}, "ProtocolError"),
        ("a box of three numbers", PlateEvent, event | {"plate_box": [1.0, 2.0, 3.0]}, "ProtocolError"),
        ("a text of 13 characters", PlateEvent, event | {"text": "A" * 13}, "ProtocolError"),
        (
            "a word that is not one of the words",
            Presence,
            {"version": 1, "incarnation": NONCE, "state": "gone"},
            "ProtocolError",
        ),
        (
            "a moment before 1970",
            Health,
            {"version": 1, "uptime_ms": 0, "at": {**event["captured"], "utc_ns": -1}},
            "ProtocolError",
        ),
        ("a UUID that is no UUIDv7", PlateEvent, event | {"pass": PASS_ID[:14] + "4" + PASS_ID[15:]}, "ProtocolError"),
    ]
    return [(name, kind, msgpack.packb(body), 0, error) for name, kind, body, error in cases]


def frames() -> Any:
    """Return bytes that are no record frame, though nearly."""
    epoch, body = bytes.fromhex(EPOCH), b"x"
    good = freeze(EPOCH, 1, "plate", body).frame
    crc = good[-7:-2]
    cases: list[tuple[str, bytes, int, Error]] = [
        ("nothing", b"", 0, "ProtocolError"),
        ("a bit of the body was changed", good[:-1] + b"y", 0, "ProtocolError"),
        ("cut off", good[:-1], 0, "ProtocolError"),
        ("a byte too many", good, 1, "ProtocolError"),
        ("the seq in a longer form", good.replace(b"\x01\xa5plate", b"\xcc\x01\xa5plate"), 0, "ProtocolError"),
        ("the body's length in a longer form", good[:-3] + b"\xc5\x00\x01x", 0, "ProtocolError"),
        ("true as seq", good.replace(b"\x01\xa5plate", b"\xc3\xa5plate"), 0, "ProtocolError"),
        ("seq 0", good.replace(b"\x01\xa5plate", b"\x00\xa5plate"), 0, "ProtocolError"),
        ("an epoch of 15 bytes", b"\x95\xc4\x0f" + epoch[1:] + b"\x01\xa5plate" + crc + good[-2:], 0, "ProtocolError"),
        ("the epoch as text", b"\x95\xd9\x20" + EPOCH.encode() + good[19:], 0, "ProtocolError"),
        ("a type that is no word", good.replace(b"plate", b"pl/te"), 0, "ProtocolError"),
        ("six parts", b"\x96" + good[1:] + b"\xc0", 0, "ProtocolError"),
        (
            "a body above 128 KiB",
            good[:-3] + b"\xc6" + (BODY_LIMIT_BYTES + 1).to_bytes(4, "big"),
            BODY_LIMIT_BYTES + 1,
            "Oversized",
        ),
    ]
    return [{"name": n, "hex": data.hex(), "zeros": zeros, "error": error} for n, data, zeros, error in cases]
