"""Bytes that are no messages: what a barrier and a store must survive."""

from __future__ import annotations

import msgpack

_LIVE = {"version": 1, "age_ms": 0, "heard": {}, "record": b"\x95"}

NO_MESSAGES: tuple[bytes, ...] = (
    b"",
    b"\xc1",
    b"\x00\xff\xfe garbage",
    msgpack.packb(_LIVE)[:-1],
    msgpack.packb(_LIVE) + b"\x00",
    msgpack.packb([1, 2, 3]),
    msgpack.packb(None),
    msgpack.packb("alpr"),
    msgpack.packb({}),
    msgpack.packb({**_LIVE, "version": "1"}),
    msgpack.packb({**_LIVE, "heard": 5, "record": "text", "records": 7, "ask": []}),
    msgpack.packb({**_LIVE, "heard": {"": None}, "records": [None], "gone": [{}]}),
    msgpack.packb({**_LIVE, "record": b"\x95\xc4\x10" + bytes(16), "records": [b"\x95\xc4\x10" + bytes(16)]}),
    b"\x82\xa7version\x01\xa7version\x02",
    b"\x81\xa1a\xc4",
    b"\x81\xa7version\xd6\xff\x00\x00\x00\x00",
    b"\xdd\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xffshort",
    b"\x91" * 2_000 + b"\xc0",
    b"\x81\xa6record\xc4\x02\xff\xfe\xff",
    bytes(range(256)),
)
"""Nearly MessagePack, nearly messages: empty, cut, with something behind, wrong types, keys twice, lengths that lie."""

OVERSIZED: tuple[bytes, ...] = (
    bytes(245_000),
    msgpack.packb({**_LIVE, "record": bytes(140_000), "records": [bytes(140_000)]}),
    msgpack.packb([0] * 100_000),
)
"""Above the wire's limits and below the broker's usual one of 256 KiB."""
