"""Commands, cancels and desired states that a device may not act on, kind by kind, and the device they come to."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack

from platefleet.agent.commands.desired import DesiredState
from platefleet.protocol.codec import decode, encode
from platefleet.protocol.messages import Cancel, Command, Desired, Envelope
from platefleet.protocol.messages.command import LIFETIME_NS
from tests.commanded import BOOT, DEVICE, HOUR, Commanded, new_id
from tests.forged import PEOPLE
from tests.trust_builders import DAY, T0, a_trust, adopted, id_of, ordered, trusted

STATE = adopted(a_trust(7, *PEOPLE, trusted("olga"), revoked=("revoked", "gone")))
"""What the device believes: anna is an administrator, olga an operator."""
SNAPSHOT: dict[str, Any] = {"operation": "snapshot", "arguments": {"lanes": ("in",)}}
BUILD: dict[str, Any] = {"operation": "build", "arguments": {"role": "plate", "format": "onnx"}}
RESTART: dict[str, Any] = {"operation": "restart"}
CHOICES = 5
"""The version of the device's choices."""


class Target:
    """A device that hears and does not act: one command of an administrator waits, one is over."""

    def __init__(self, folder: Path) -> None:
        self.device = Commanded(folder, trust=STATE)
        self.device.clerk.choose(CHOICES, {})
        self.desired = DesiredState(
            DEVICE,
            self.device.journal,
            self.device.clerk,
            self.device.choices,
            store=None,
            trust=lambda: self.device.trust,
            now_utc_ns=lambda: self.device.clock.now().utc_ns,
            ask=lambda order, arguments: self.device.clerk.take(order, arguments, role="device"),
            boot=BOOT,
            clock=self.device.clock,
            figures=self.device.figures,
        )
        self.open, self.genuine = self.device.command("build", by="anna", arguments=BUILD["arguments"])
        self.over, self.done = self.device.command("restart", by="anna")
        for payload in (self.genuine, self.done, self.device.cancel(self.over, by="anna")):
            self.device.hearing.heard(payload)

    def hear(self, payload: bytes) -> None:
        """Take something as the device does."""
        self.device.hearing.heard(payload)
        self.desired.heard(payload)

    def acts(self) -> tuple[object, ...]:
        """Return everything that a command could change."""
        device = self.device
        lives = {id_: entry.life for id_, entry in device.clerk.entries().items()}
        with device.journal._lock:
            cancels = device.journal._database.execute("SELECT count(*) FROM cancel").fetchone()[0]
        window = device.choices.window
        return lives, device.choices.version, window, device.choices.rules, dict(device.choices.active), cancels

    def a_command(self, by: str = "anna", **more: Any) -> bytes:
        said = {"id": new_id(), "device": DEVICE, "install": self.device.install, "issued_at": T0}
        return ordered(by, encode(Command(**{**said, "not_after": T0 + HOUR, **more})))

    def a_cancel(self, by: str, command: str, **more: Any) -> bytes:
        said = {"id": new_id(), "command": command, "device": DEVICE, "install": self.device.install}
        return ordered(by, encode(Cancel(**{**said, "issued_at": T0, "not_after": T0 + HOUR, **more})), "cancel")

    def a_desired(self, by: str = "anna", **more: Any) -> bytes:
        said: dict[str, Any] = {"device": DEVICE, "install": self.device.install, "choices": CHOICES + 1}
        return ordered(by, encode(Desired(**{**said, "issued_at": T0, **more})), "desired")


Maker = Callable[[random.Random, Target], bytes]


def _replayed(rng: random.Random, target: Target) -> bytes:
    return rng.choice([target.genuine, target.done])


def _of_another_install(rng: random.Random, target: Target) -> bytes:
    """What was genuine before the device lost its journal."""
    other = f"{rng.getrandbits(128):032x}"
    made = [
        target.a_command(install=other, **rng.choice([SNAPSHOT, BUILD, RESTART])),
        target.a_cancel("anna", target.open, install=other),
        target.a_desired(install=other),
    ]
    return rng.choice(made)


def _for_another_device(rng: random.Random, target: Target) -> bytes:
    other = rng.choice(["north-2", "south", "north-10"])
    return rng.choice(
        [
            target.a_command(device=other, **RESTART),
            target.a_cancel("anna", target.open, device=other),
            target.a_desired(device=other),
        ]
    )


def _untimely(rng: random.Random, target: Target) -> bytes:
    """Expired, from the future, over before it begins, too long, to begin after its end."""
    times = rng.choice(
        [
            {"issued_at": T0 - 2 * HOUR, "not_after": T0 - HOUR},
            {"issued_at": T0 - 20 * DAY, "not_after": T0 - 10 * DAY},
            {"issued_at": T0 + rng.randint(301, 10**7) * 10**9, "not_after": T0 + 10**9 * 10**8},
            {"issued_at": T0 + 400 * 10**9, "not_after": T0 + HOUR},
            {"not_after": T0 - rng.randint(1, T0)},
            {"not_after": T0},
            {"not_after": T0 + LIFETIME_NS + 1},
            {"not_before": T0 + HOUR},
            {"issued_at": 0, "not_after": 2**63 - 1},
        ]
    )
    return target.a_command(**{**rng.choice([SNAPSHOT, RESTART]), **times})


def _unknown(rng: random.Random, target: Target) -> bytes:
    return target.a_command(operation=rng.choice(["dance", "shell", "child", "port", "found", "a" * 32, "build-all"]))


def _ill_told(rng: random.Random, target: Target) -> bytes:
    """Arguments that are out of range, of another type, unknown, missing, many, long."""
    wrong = rng.choice(
        [
            ("snapshot", {"most_bytes": rng.choice([-1, 0, 2**53 - 1, 1.5, "96", True, None])}),
            ("snapshot", {"lanes": tuple("x" * 100 for _ in range(64))}),
            ("snapshot", {"lanes": tuple("x" for _ in range(256))}),
            ("snapshot", {f"name-{number}": "x" * 500 for number in range(64)}),
            ("build", {}),
            ("build", {"role": "plate", "size": rng.choice([0, 31, 33, 10**15, -32])}),
            ("build", {"role": "plate", "source": "../../etc/passwd"}),
            ("build", {"role": "door"}),
            ("build", {"role": "plate", "level": 6}),
            ("activate", {"role": "plate"}),
            ("benchmark", {"role": "plate", "rounds": rng.choice([0, 1001, -5])}),
            ("evaluate", {"role": "plate", "key": "XYZ"}),
            ("fetch", {"role": "plate", "url": "file:///etc/shadow", "sha256": "0" * 63, "bytes": 1}),
            ("fetch", {"role": "plate", "url": "https://x/y.onnx", "sha256": "0" * 64, "bytes": (2 << 30) + 1}),
            ("set-window", {"zone": "Europe/Berlin", "spans": ("25:00-99:99",)}),
            ("restart", {"anyhow": True}),
        ]
    )
    return target.a_command(operation=wrong[0], arguments=wrong[1], builds_on=CHOICES)


def _misbuilt(rng: random.Random, target: Target) -> bytes:
    """On another version of the choices than the device has, or on none."""
    builds_on = rng.choice([None, 0, CHOICES - 1, CHOICES + 1, 2**53 - 1])
    said = rng.choice([("rollback", {"role": "plate"}), ("set-window", {"zone": "UTC"})])
    return target.a_command(operation=said[0], arguments=said[1], builds_on=builds_on)


def _misshapen(rng: random.Random, target: Target) -> bytes:
    """Signed by a trusted key, and no message at all: nested, too long, of other types."""
    nested: Any = 1
    for _ in range(rng.choice([2, 40, 3000])):
        nested = (nested,) if rng.random() < 0.5 else {"x": nested}
    said = {"version": 1, "id": new_id(), "device": DEVICE, "install": target.device.install, "operation": "restart"}
    times = {"issued_at": T0, "not_after": T0 + HOUR}
    bodies = [
        {**said, **times, "arguments": {"x": {"y": 1}}},
        {**said, **times, "arguments": {str(number): number for number in range(65)}},
        {**said, **times, "arguments": {"x": float("nan")}},
        {**said, **times, "arguments": {"x": 2**60}},
        {**said, **times, "priority": rng.choice([-1, 10, "9", 5.0])},
        {**said, **times, "id": rng.choice(["", "1", "x" * 36, new_id().upper()])},
        {**said, **times, "issued_at": rng.choice([-1, 2**63, "now"])},
        {**said, **times, "operation": rng.choice(["Restart", "re start", "", "-x", "x" * 33])},
        {**said, **times, "version": rng.choice([0, 2, "1", None])},
        said,
        [1, 2, 3],
    ]
    try:
        raw = msgpack.packb(rng.choice([{**said, **times, "arguments": {"x": nested}}, *bodies]))
    except ValueError:  # deeper than this library packs
        raw = b"\x81\xa9arguments" + b"\x91" * 3000 + b"\x01"
    long = b"\x81\xa7version\xc6\x00\x01\x00\x00" + bytes(65536)
    return ordered("anna", rng.choice([raw, raw, long[: rng.choice([60_000, 65_536])]]))


def _lowly(rng: random.Random, target: Target) -> bytes:
    """By an operator, what takes an administrator."""
    return rng.choice(
        [
            target.a_command("olga", **BUILD),
            target.a_command("olga", **RESTART),
            target.a_cancel("olga", target.open),
            target.a_desired("olga"),
        ]
    )


def _out_of_trust(rng: random.Random, target: Target) -> bytes:
    """By keys that have ended, are not valid yet, were taken back, or were never trusted."""
    by = rng.choice(["ended", "early", "revoked", "gone", "stranger"])
    return rng.choice(
        [
            target.a_command(by, **rng.choice([SNAPSHOT, RESTART])),
            target.a_cancel(by, rng.choice([target.open, new_id()])),
            target.a_desired(by),
        ]
    )


def _changed(rng: random.Random, target: Target) -> bytes:
    """What would be done at once, but for another's signature or a bit that changed on its way."""
    genuine = rng.choice([target.a_command(**SNAPSHOT), target.a_command(**RESTART), target.a_cancel("anna", new_id())])
    if rng.random() < 0.5:
        made = decode(Envelope, target.a_command("stranger", **RESTART))
        signature = rng.choice([made.signature, decode(Envelope, genuine).signature])
        return encode(made.model_copy(update={"key": id_of("anna"), "signature": signature}))
    data = bytearray(genuine)
    at = rng.randrange(len(data) * 8)
    data[at // 8] ^= 1 << at % 8
    return bytes(data)


def _outdated(rng: random.Random, target: Target) -> bytes:
    """A desired state that an administrator signed, not above what was chosen since."""
    return target.a_desired(choices=rng.randint(1, CHOICES), active={"plate": "0" * 32})


KINDS: dict[str, Maker] = {
    "replayed": _replayed,
    "other install": _of_another_install,
    "other device": _for_another_device,
    "untimely": _untimely,
    "unknown": _unknown,
    "ill told": _ill_told,
    "misbuilt": _misbuilt,
    "misshapen": _misshapen,
    "lowly": _lowly,
    "out of trust": _out_of_trust,
    "changed": _changed,
    "outdated": _outdated,
}
