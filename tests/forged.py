"""Envelopes that nobody may act on, by the thousand: `python -m tests.forged 10000 [--seed 1] [--json]`.

Every one is made from genuine ones by somebody who has the broker, all messages that ever went over it, and keys of his
own, ended or taken back; no root's and no trusted one. Each is put before every judge. A judge that has more to say (a
command's admission) is one more entry in `JUDGES`.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import msgpack
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from platefleet.protocol.codec import decode, encode
from platefleet.protocol.envelope import sign
from platefleet.protocol.messages import Envelope
from platefleet.protocol.messages.envelope import SignedType
from platefleet.protocol.trust import Refused, adopt, open_signed
from tests.trust_builders import DAY, ROOTS, SAFE, STRANGER, T0, VAULT, a_key, a_trust, adopted, id_of, told, trusted

TYPES: tuple[SignedType, ...] = ("command", "cancel", "desired", "trust")
MOSTLY: tuple[SignedType, ...] = ("command", "command", "trust", "trust", "cancel", "desired")
PEOPLE = (
    trusted("anna", role="administrator"),
    trusted("ended", role="administrator", until=T0),
    trusted("early", role="administrator", since=T0 + DAY),
    trusted("revoked", role="administrator"),
)
NEWEST = a_trust(7, *PEOPLE, revoked=("revoked", "gone"))
STATE = adopted(NEWEST)
"""What the device believes: version 7, anna."""
OLDER = tuple(told(a_trust(version, trusted("gone", role="administrator")), VAULT) for version in range(1, 7))
BODIES = tuple(
    msgpack.packb({"version": 1, "id": at, "operation": name}) for at, name in enumerate(("build", "restart"))
)
GENUINE: Mapping[str, bytes] = {
    "trust": told(a_trust(8, trusted("anna")), SAFE),
    "command": encode(sign("command", BODIES[0], a_key("anna"))),
}
"""What must be taken, or refusing proves nothing."""
Judge = Callable[[bytes], Refused | None]
"""Returns why an envelope is refused, None if it is acted on."""


def _trust(data: bytes) -> Refused | None:
    judged = adopt(STATE, data, ROOTS, T0)
    return judged if isinstance(judged, Refused) else None


def _opened(type: SignedType, now: int | None = T0) -> Judge:  # noqa: A002  # the wire's word
    def judge(data: bytes) -> Refused | None:
        judged = open_signed(STATE, data, type, now)
        return judged if isinstance(judged, Refused) else None

    return judge


JUDGES: dict[str, Judge] = {
    "trust": _trust,
    "command": _opened("command"),
    "command, no clock": _opened("command", None),
}
Maker = Callable[[random.Random], bytes]


def _signed(rng: random.Random, key: Ed25519PrivateKey, kind: SignedType | None = None) -> Envelope:
    """Return an envelope by `key` of a body that would be acted on."""
    kind = kind or rng.choice(MOSTLY)
    version = rng.randint(8, 2**53 - 1)
    body = (
        encode(a_trust(version, trusted("stranger", role="administrator"))) if kind == "trust" else rng.choice(BODIES)
    )
    return sign(kind, body, key)


def _genuine(rng: random.Random) -> Envelope:
    return decode(Envelope, rng.choice([*GENUINE.values()]))


def _forged(rng: random.Random) -> bytes:
    """The right key's name, another's signature, or none."""
    made = _signed(rng, STRANGER)
    claimed = rng.choice([id_of("anna"), *ROOTS.keys])
    signature = rng.choice([made.signature, _genuine(rng).signature, bytes(64), rng.randbytes(64)])
    return encode(made.model_copy(update={"key": claimed, "signature": signature}))


def _wrongly_keyed(rng: random.Random) -> bytes:
    kind = rng.choice(MOSTLY)
    keys = [STRANGER, a_key("gone"), Ed25519PrivateKey.from_private_bytes(rng.randbytes(32))]
    keys += [a_key("anna")] if kind == "trust" else [VAULT, SAFE]
    return encode(_signed(rng, rng.choice(keys), kind))


def _flipped(rng: random.Random) -> bytes:
    data = bytearray(rng.choice([*GENUINE.values()]))
    for at in rng.sample(range(len(data) * 8), rng.choice([1, 1, 1, 2, 8])):
        data[at // 8] ^= 1 << at % 8
    return bytes(data)


def _truncated(rng: random.Random) -> bytes:
    data = rng.choice([*GENUINE.values(), *OLDER])
    return data[: rng.randint(1, len(data) - 1)]


def _lengthened(rng: random.Random) -> bytes:
    return rng.choice([*GENUINE.values()]) + rng.randbytes(rng.randint(1, 40))


def _retyped(rng: random.Random) -> bytes:
    """Signed by a trusted key, as something else than it is sent as."""
    made = rng.choice([*_others(rng)])
    other = rng.choice([kind for kind in TYPES if kind != made.type])
    return encode(made.model_copy(update={"type": other}))


def _others(rng: random.Random) -> Iterator[Envelope]:
    yield _genuine(rng)
    yield _signed(rng, a_key("anna"), rng.choice(["cancel", "desired"]))


def _replayed(rng: random.Random) -> bytes:
    """Once genuine: what older trusts said, and what keys signed that are ended or taken back since."""
    keys = [a_key(name) for name in ("ended", "revoked", "gone")]
    return rng.choice([rng.choice(OLDER), encode(_signed(rng, rng.choice(keys), "command"))])


def _untimely(rng: random.Random) -> bytes:
    """By roots and people who are trusted, at another time than now."""
    issued = rng.choice([T0 - 90 * DAY, T0 - 400 * DAY, T0 + 2 * DAY, T0 + 400 * DAY])
    version = rng.randint(8, 1000)
    trusts = [a_trust(version, *PEOPLE, issued=issued), a_trust(version, *PEOPLE, days=rng.choice([91, 3650, 0]))]
    early = encode(_signed(rng, a_key("early"), "command"))
    return rng.choice([told(rng.choice(trusts), rng.choice([VAULT, SAFE])), early])


def _clashing(rng: random.Random) -> bytes:
    """By a root, under the number of the newest."""
    return told(a_trust(7, trusted(rng.choice(["stranger", "gone"]), role="administrator")), rng.choice([VAULT, SAFE]))


def _unfit(rng: random.Random) -> bytes:
    """By a root, but nothing that can be in force."""
    weak = trusted("weak").model_copy(update={"key": bytes([rng.choice([0, 1])]) + bytes(31)})
    twice = (trusted("a", key="anna"), trusted("b", role="administrator", key="anna"))
    bodies = [encode(a_trust(9, weak)), encode(a_trust(9, *twice)), rng.choice(BODIES), rng.randbytes(30), b"\xc1"]
    return encode(sign("trust", rng.choice(bodies), rng.choice([VAULT, SAFE])))


def _reassembled(rng: random.Random) -> bytes:
    """Parts of several genuine ones."""
    parts = [_genuine(rng), decode(Envelope, rng.choice(OLDER)), _signed(rng, a_key("anna"), "cancel")]
    first, second = rng.sample(parts, 2)
    taken = rng.choice([("body",), ("signature",), ("key", "signature"), ("key", "body")])
    return encode(first.model_copy(update={name: getattr(second, name) for name in taken}))


def _rubbish(rng: random.Random) -> bytes:
    deep = b"\x81\xa7version" + b"\x91" * rng.randint(1, 5000)
    lies = [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", deep]
    return rng.choice([rng.randbytes(rng.randint(1, 400)), rng.choice(lies), b"{}", b"\x81\xa7version\x02"])


KINDS: dict[str, Maker] = {
    "forged": _forged,
    "wrongly keyed": _wrongly_keyed,
    "bits flipped": _flipped,
    "truncated": _truncated,
    "lengthened": _lengthened,
    "re-typed": _retyped,
    "replayed": _replayed,
    "untimely": _untimely,
    "clashing": _clashing,
    "unfit": _unfit,
    "reassembled": _reassembled,
    "rubbish": _rubbish,
}


def envelopes(seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield bad envelopes for ever, kind after kind; the same for the same seed."""
    rng = random.Random(seed)
    while True:
        for kind, make in KINDS.items():
            data = make(rng)
            while kind in {"forged", "reassembled"} and _is_genuine(data):
                data = make(rng)
            yield kind, data


def _is_genuine(data: bytes) -> bool:
    """Whether parts put together by chance are what a trusted key would sign; signing again, for verifying is tried."""
    made = decode(Envelope, data)
    return made in [sign(made.type, made.body, key) for key in (VAULT, SAFE, a_key("anna"))]


@dataclass
class Tally:
    """What came of one kind before one judge. us: microseconds of the processor, whatever else runs."""

    refused: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    crashed: list[str] = field(default_factory=list)
    us: list[float] = field(default_factory=list)


def judged(count: int, seed: int, judges: Mapping[str, Judge] = JUDGES) -> dict[tuple[str, str], Tally]:
    """Put `count` envelopes before each judge; return the tallies by kind and judge."""
    tallies: dict[tuple[str, str], Tally] = {}
    made = envelopes(seed)
    for _ in range(count):
        kind, data = next(made)
        for name, judge in judges.items():
            tally = tallies.setdefault((kind, name), Tally())
            began_ns = time.thread_time_ns()
            try:
                refused = judge(data)
            except Exception as error:  # noqa: BLE001 - crashes are what is counted
                tally.crashed.append(f"{type(error).__name__}: {error} ({data.hex()[:200]})")
                continue
            tally.us.append((time.thread_time_ns() - began_ns) / 1e3)
            if refused is None:
                tally.accepted += 1
            else:
                tally.refused[refused.reason.value] += 1
    return tallies


def not_taken(judges: Mapping[str, Judge] = JUDGES) -> list[str]:
    """Return which genuine envelope its own judge refuses: none, or the figures mean nothing."""
    return [name for name, data in GENUINE.items() if judges[name](data) is not None]


def main() -> int:
    """Print the tallies; return 1 if anything was acted on or crashed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    tallies = judged(options.count, options.seed)
    accepted = sum(tally.accepted for tally in tallies.values())
    crashed = [said for tally in tallies.values() for said in tally.crashed]
    rows = [_row(kind, name, tally) for (kind, name), tally in tallies.items()]
    every = sorted(us for tally in tallies.values() for us in tally.us)
    total = {
        "envelopes": options.count,
        "judgements": sum(len(tally.us) + len(tally.crashed) for tally in tallies.values()),
        "seed": options.seed,
        "accepted": accepted,
        "crashed": len(crashed),
        "genuine refused": not_taken(),
        "us p50": round(statistics.median(every), 1),
        "us p99": round(every[int(len(every) * 0.99)], 1),
        "us max": round(every[-1], 1),
    }
    if options.json:
        print(json.dumps({"total": total, "kinds": rows}))
    else:
        for row in rows:
            print(
                "  ".join(
                    f"{value!s:<{width}}" for value, width in zip(row.values(), (14, 18, 6, 3, 3, 8, 8), strict=False)
                ),
                row["refused"],
            )
        print("\n".join([*crashed, json.dumps(total)]))
    return 1 if accepted or crashed or not_taken() else 0


def _row(kind: str, judge: str, tally: Tally) -> dict[str, object]:
    us = sorted(tally.us) or [0.0]
    return {
        "kind": kind,
        "judge": judge,
        "count": len(tally.us) + len(tally.crashed),
        "accepted": tally.accepted,
        "crashed": len(tally.crashed),
        "us p50": round(statistics.median(us), 1),
        "us p99": round(us[int(len(us) * 0.99)], 1),
        "refused": dict(tally.refused.most_common()),
    }


if __name__ == "__main__":
    sys.exit(main())
