"""Devices that load an ingest: `ingest_load.py PORT live|backfill SECONDS RATE`. Real outboxes, real uplinks, acks on.

Prints one line of JSON when it is done: what was appended, sent live, filled back and covered.
"""

from __future__ import annotations

import json
import sys
import time

from platefleet.deploy.bench import ingest_reference as reference
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.delivery.effects import Key
from platefleet.protocol.delivery.memory import MemoryOutbox
from platefleet.protocol.delivery.uplink import Uplink
from platefleet.protocol.ids import uuid7
from platefleet.protocol.messages import PlateEvent, Stamp
from platefleet.protocol.session import Broker, Session

DEVICES = {"live": 5, "backfill": reference.DEVICES}
AHEAD = 4_000
"""Records that wait in each outbox while it is filled back: more than may be under way."""
TICK_S = 0.01
CLOCK = SystemClock()


def main(port: int, kind: str, seconds: float, rate: float) -> None:
    """Load for `seconds`, then wait until all is covered."""
    devices = []
    for number in range(DEVICES[kind]):
        outbox = MemoryOutbox(clock=CLOCK)
        uplink = Uplink(Session(f"bench-{kind}-{number}", Broker("127.0.0.1", port), clock=CLOCK), outbox, clock=CLOCK)
        uplink.start()
        devices.append((outbox, uplink))
    connected = all(uplink.wait_covered(30) for _, uplink in devices)
    begin_s = time.monotonic()
    took_ms: list[float] = []
    if connected and kind == "live":
        took_ms = sorted(_live(devices, begin_s, seconds, rate))
    elif connected:
        _backfill(devices, begin_s, seconds)
    spent_s = time.monotonic() - begin_s
    covered = all(uplink.wait_covered(60) for _, uplink in devices)
    stats = [uplink.stats for _, uplink in devices]
    for _, uplink in devices:
        uplink.stop()
    told = {name: sum(getattr(each, name) for each in stats) for name in ("appended", "live", "filled_back", "resent")}
    if took_ms:
        told |= {
            "ack_ms_p50": round(took_ms[len(took_ms) // 2], 1),
            "ack_ms_p99": round(took_ms[len(took_ms) * 99 // 100], 1),
        }
    print(json.dumps({**told, "seconds": spent_s, "caught_up_s": time.monotonic() - begin_s, "covered": covered}))


def _live(devices: list[tuple[MemoryOutbox, Uplink]], begin_s: float, seconds: float, rate: float) -> list[float]:
    """Append and tell `rate` events a second, evenly, whatever becomes of them.

    Return the milliseconds from append to ack of every record that was looked at: one of each device at a time, every
    10 ms.
    """
    sent = 0
    took_ms: list[float] = []
    watched: dict[int, tuple[Key, float]] = {}
    while (now_s := time.monotonic() - begin_s) < seconds:
        for _ in range(int(now_s * rate) - sent):
            outbox, uplink = devices[sent % len(devices)]
            record = outbox.append("plate", _plate(sent))
            uplink.tell(record, CLOCK.now().mono_ns)
            watched.setdefault(sent % len(devices), (record.key, time.monotonic()))
            sent += 1
        for number, (key, at_s) in list(watched.items()):
            if devices[number][0].standing(key) == "covered":
                took_ms.append((time.monotonic() - at_s) * 1000)
                del watched[number]
        time.sleep(TICK_S)
    return took_ms


def _backfill(devices: list[tuple[MemoryOutbox, Uplink]], begin_s: float, seconds: float) -> None:
    """Keep every outbox full of crops."""
    crops = reference.a_crop()
    while time.monotonic() - begin_s < seconds:
        for outbox, _ in devices:
            for _ in range(AHEAD - outbox.depth().waiting):
                outbox.append("crops", crops)
        time.sleep(TICK_S)


def _plate(number: int) -> PlateEvent:
    text = f"B{number % 1_000_000:06}"
    characters = [
        {"text": each, "confidence": 0.9, "alternatives": ({"text": "8", "confidence": 0.05},)} for each in text
    ]
    return PlateEvent.model_validate(
        {
            "pass": _pass(number),
            "revision": 1,
            "final": False,
            "lane": "in",
            "captured": _stamp(),
            "first_seen": _stamp(),
            "text": text,
            "characters": tuple(characters),
            "mean": 0.9,
            "minimum": 0.9,
            "direction": "approaching",
            "vehicle": "car",
            "plate_box": (300.0, 400.0, 420.0, 440.0),
            "vehicle_box": (100.0, 100.0, 600.0, 500.0),
            "frames": 5,
            "ms": {"vehicle": 12.5, "plate": 4.5, "read": 3.5},
            "artifacts": {"vehicle": "3f2a9c", "plate": "77b0de", "reader": "a1b2c3"},
        }
    )


def _pass(number: int) -> str:
    now = CLOCK.now()
    return uuid7(now.utc_ns // 1_000_000, number.to_bytes(10, "big"))


def _stamp() -> Stamp:
    now = CLOCK.now()
    return Stamp(utc_ns=now.utc_ns, mono_ns=now.mono_ns, boot="bench", clock="synced")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))
