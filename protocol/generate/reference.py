"""The page `docs/protocol.md`: topics, encoding, frames, ages, signatures, and every message field by field."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from platefleet.protocol import age, codec, shape
from platefleet.protocol.delivery import frame
from platefleet.protocol.generate.schemas import messages, schema
from platefleet.protocol.ids import NAME_PATTERN, UUID_PATTERN
from platefleet.protocol.messages.base import SMALL_LIMIT_BYTES, Message
from platefleet.protocol.messages.command import OPERATION_PATTERN
from platefleet.protocol.messages.desired import CLOCK_PATTERN, DATE_PATTERN, ZONE_PATTERN
from platefleet.protocol.messages.signed import SIGNED
from platefleet.protocol.moments import DAY_NS
from platefleet.protocol.topics import TOPICS, address
from platefleet.protocol.trust.adopt import LONGEST_NS

SMALL = tuple(kind for kind in messages() if kind.LIMIT_BYTES == SMALL_LIMIT_BYTES)
TEXT = f"""\
# The wire, version {codec.VERSION}

Written by `make docs` from `protocol/`. MQTT 5, bodies in MessagePack, content type `application/msgpack`. For
programs: `protocol/generated/asyncapi.yaml`, a JSON Schema per message in `protocol/generated/schemas/`, and test
vectors in `protocol/generated/vectors/`, with which a program in another language checks itself.

## Topics

@@TOPICS@@

An id (`device`, `slot`, a lane, a store) is 1 to 64 of `A-Z a-z 0-9 . _ -` and begins with a letter or a digit.
Retained: the broker gives the newest to those who come later; an absent or empty one means nothing. Will: the broker
says it for a sender that vanished. Expiry is the broker's broom; how old something is, only its age tells.

## Encoding

A message is one MessagePack map with text keys. A sender leaves out fields that are null. A receiver

- looks at `version` first, and takes nothing but the integer {codec.VERSION};
- ignores fields that it does not know;
- refuses a key that stands twice, extension types and timestamps, text that is not UTF-8, bytes after the message,
  more than {shape.DEPTH} levels of nesting, more than {shape.ELEMENTS:,} values, and more bytes than a message may
  have: {SMALL_LIMIT_BYTES // 1024} KiB for {", ".join(f"`{kind.__name__}`" for kind in SMALL)}, \
{Message.LIMIT_BYTES // 1024} KiB for the others;
- converts nothing: no text to numbers, no floats to integers; an integer where a float belongs is taken.

Our own encoder writes fields in the order of the tables below, maps in the order of their keys, integers in their
shortest form and floats as float64, so equal messages have equal bytes; a receiver must not rely on that.

Times are UTC integer nanoseconds in 64 bits. In JavaScript decode with `decode(bytes, {{ useBigInt64: true }})`
(`@msgpack/msgpack`): what was encoded in 64 bits comes as `BigInt`, anything smaller as a number. So take `BigInt(x)`
of fields whose name ends in `_ns` and `Number(x)` of all other integers: they never exceed 2⁵³ − 1.

**JSON form**, which the schemas describe and the vectors hold: the same maps; bytes as base64 (RFC 4648, section 4,
padded); 64-bit integers as plain JSON numbers. `JSON.parse` rounds those above 2⁵³ − 1: compare `Number(x)`.

## Records

What must not be lost travels as a record: a frame, frozen for ever, whose bytes are stored and forwarded as they are.
It is a MessagePack array of five, everything in its shortest form; a frame in another form is refused.

| part | what |
|---|---|
| epoch | 16 bytes, random for each start of the writer; messages name it by 32 hexadecimal digits |
| seq | integer, from 1, without holes |
| type | text: @@TYPES@@, or one that only later versions know |
| crc32 | of the body, as zlib computes it |
| body | at most {frame.BODY_LIMIT_BYTES // 1024} KiB: a message by the type: @@BODIES@@ |

`(device, epoch, seq)` is a record's name, the SHA-256 of the frame its digest; the same name with another digest is a
clash. A body that cannot be opened is kept and counts as covered.

## Age

A live event (`up/plate`) may be acted on only while it is young, and no clock but one's own is trusted. A gate sends a
beat a second to each device it serves, `n` rising by one from a start that is random each time the gate starts, so
that nothing from before matches. The device answers in `heard` with the newest `n` of each gate and how long it has
held it. Then

    age = age_ms + max(0, (now − when beat n was sent) − held_ms)

is an upper bound of the time since the vehicle was last seen. No beat of one's own in it, one that was not sent, or one
sent more than {age.BEAT_LIMIT_MS // 1000} s ago: the age is unknown, and nothing is done.

## Signatures

An [Envelope](#envelope) is signed with Ed25519 (RFC 8032) over `platefleet/1/`, its `type`, a zero byte and exactly the
bytes of `body`. `key` is the first 16 bytes of the SHA-256 of the raw public key. What a key may do stands in the
trust, never in the envelope. The body by the type: @@SIGNED@@.

A trust is believed if a root key signed it, whose public half is in the receiver's own configuration, and its
`trust_version` is above every one that was seen; the same version with another body is an alarm. It holds for at most
{LONGEST_NS // DAY_NS} days. A key in it may sign from `not_before_ns` on and before `not_after_ns`, unless it is
among the `revoked`, which no time mends.

## Vectors

| file | what a program checks |
|---|---|
| `<Message>.json` | decoding `hex` gives `json`, and ours encodes `json` to exactly `hex` |
| `accepted.json` | other encodings that must be taken: decoding `hex` gives `json` |
| `refused.json` | what must be refused; `zeros` zero bytes follow those in `hex` |
| `records.json`, `refused-records.json` | frames with their parts and digest, and bytes that are nearly frames |
| `ages.json` | the age that a gate computes; null: unknown |
| `envelopes.json` | signatures by the key of RFC 8032's first test, and envelopes that must not open |
| `topics.json` | topics taken apart, and strings that are none |

## Messages

@@MESSAGES@@
"""
_PATTERNS = {
    NAME_PATTERN: "an id",
    UUID_PATTERN: "a UUIDv7 in lower case",
    "^[0-9a-f]{32}$": "32 hexadecimal digits",
    "^[0-9a-f]{64}$": "64 hexadecimal digits",
    OPERATION_PATTERN: "an operation's name",
    CLOCK_PATTERN: "a time of day, HH:MM",
    DATE_PATTERN: "a date, YYYY-MM-DD",
    ZONE_PATTERN: "a name of the IANA time zone database",
}


def page() -> str:
    """Return the page."""
    bodies = ", ".join(f"`{kind}` {_link(body.__name__)}" for kind, body in frame.BODIES.items())
    types = ", ".join(f"`{kind}`" for kind in frame.TYPES)
    signed = ", ".join(f"`{kind}` {_link(body.__name__)}" for kind, body in SIGNED.items())
    filled = {"TOPICS": _topics(), "TYPES": types, "BODIES": bodies, "SIGNED": signed}
    filled["MESSAGES"] = "\n".join(_messages()).rstrip()
    return re.sub("@@([A-Z]+)@@", lambda found: filled[found[1]], TEXT)


def _topics() -> str:
    rows = ["| topic | from → to | QoS | retain | expiry | body | |", "|---|---|---|---|---|---|---|"]
    for kind, channel in TOPICS.items():
        kept = "retained, will" if channel.will else "retained" if channel.retain else ""
        expiry = "" if channel.expiry_s is None else f"{channel.expiry_s} s"
        who = f"{', '.join(channel.senders)} → {', '.join(channel.receivers)}"
        body = _link(channel.message.__name__)
        rows.append(f"| `{address(kind)}` | {who} | {channel.qos} | {kept} | {expiry} | {body} | {channel.says} |")
    return "\n".join(rows)


def _messages() -> Iterator[str]:
    parts: dict[str, dict[str, Any]] = {}
    for kind in messages():
        described = schema(kind)
        parts |= described.get("$defs", {})
        yield from _table(kind.__name__, described)
    for name, described in sorted(parts.items()):
        yield from _table(name, described)


def _table(name: str, described: dict[str, Any]) -> Iterator[str]:
    yield from (f"### {name}", "", inspect.cleandoc(described.get("description", "")), "")
    yield from ("| field | | what |", "|---|---|---|")
    for field, what in described["properties"].items():
        needed = "required" if field in described.get("required", ()) else ""
        yield f"| `{field}` | {needed} | {_what(what)} |"
    yield ""


def _what(described: dict[str, Any]) -> str:  # noqa: PLR0911 - one line for each kind of schema
    if "$ref" in described:
        return _link(described["$ref"].rsplit("/", 1)[1])
    if "const" in described:
        return f"always {described['const']}"
    if "enum" in described:
        return ", ".join(f"`{word}`" for word in described["enum"])
    if "anyOf" in described:
        return ", or ".join(_what(each) for each in described["anyOf"])
    match described["type"]:
        case "array" if isinstance(described["items"], list):
            return f"{len(described['items'])} values, each {_what(described['items'][0])}"
        case "array":
            return f"at most {described['maxItems']}, each {_what(described['items'])}"
        case "object":
            inside = described.get("additionalProperties") or next(iter(described["patternProperties"].values()))
            return f"map of at most {described['maxProperties']}, each {_what(inside)}"
        case "string" if "contentEncoding" in described:
            return f"bytes, at most {described['x-max-bytes']:,}"
        case "string" if "pattern" in described:
            return _PATTERNS[described["pattern"]]
        case "string":
            most = described["maxLength"]
            return "one character" if most == 1 else f"text, at most {most} characters"
        case "integer" | "number":
            return _number(described)
    return str(described["type"])


def _number(described: dict[str, Any]) -> str:
    low, high = described.get("minimum"), described.get("maximum")
    kind = "integer" if described["type"] == "integer" else "float"
    if high is not None:
        return f"{kind}, {low:,.0f} to {high:,.0f}"
    if "exclusiveMaximum" in described:
        return f"{kind}, {low} to 2{'⁶³' if described['exclusiveMaximum'] == 2**63 else '⁵³'} − 1"
    return f"{kind}, finite"


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"
