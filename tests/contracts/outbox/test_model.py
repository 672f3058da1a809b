"""Whatever is done to it, an outbox on a disk says the same as one in memory; opened again, it holds what it held."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platefleet.protocol.delivery.durable import DurableOutbox
from platefleet.protocol.delivery.outbox import MemoryOutbox, Outbox
from platefleet.protocol.errors import OutboxError
from platefleet.protocol.messages import EpochCoverage, EpochEnd, Message
from tests.contracts.outbox.durable import a_durable
from tests.record_builders import a_crop, a_pass
from tests.turned_clock import TurnedClock

STEPS = ("append", "append", "append", "crops", "cover", "answer", "set aside", "epoch", "rename", "note", "read")


class Pair:
    """One outbox on a disk and one in memory, to which the same is done. Epochs are known by their place."""

    def __init__(self, path: Path, quota_records: int, quota_bytes: int) -> None:
        self.path = path
        self.quota = {"quota_records": quota_records, "quota_bytes": quota_bytes}
        self.disk: DurableOutbox = a_durable(path, **self.quota)
        self.memory = MemoryOutbox(clock=TurnedClock(), clock_state=lambda _: "synced", **self.quota)

    def both(self, do: Callable[[Outbox], object]) -> None:
        on_disk, in_memory = outcome(do, self.disk), outcome(do, self.memory)
        assert on_disk == in_memory

    def do(self, step: str, rng: random.Random) -> None:
        seed = rng.random()

        def act(outbox: Outbox) -> object:
            draw = random.Random(seed)
            ends = outbox.epochs()
            chosen = draw.sample(range(len(ends)), k=draw.randint(1, len(ends)))
            told = [EpochCoverage(epoch=ends[at].epoch, covered=ranges(draw, ends[at].last)) for at in chosen]
            at = draw.choice(chosen)
            key = ends[at].epoch, draw.randint(1, ends[at].last + 1)
            match step:
                case "append" | "crops":
                    body: Message = a_pass() if step == "append" else a_crop(draw.choice((20, 500, 3000)))
                    outbox.append("plate" if step == "append" else "crops", body, keep=notes(draw))
                case "cover":
                    return outbox.cover(told)
                case "answer":
                    asked = [EpochEnd(epoch=e.epoch, last=max(0, e.last - draw.randint(0, 2))) for e in ends]
                    outbox.answer(asked, told)
                case "set aside":
                    outbox.set_aside(key, "unsendable")
                case "epoch":
                    outbox.begin_epoch()
                case "rename":
                    record = outbox.rename(key)
                    return None if record is None else (place(outbox, record.key), record.type, len(record.body))
                case "note":
                    outbox.keep(notes(draw))
                case "read":
                    record = outbox.read(key)
                    return None if record is None else (place(outbox, record.key), record.type)
            return None

        self.both(act)

    def agree(self) -> None:
        self.both(seen)

    def reopen(self) -> None:
        """Open the disk's again: the same is held, waits and is gone, and an epoch has begun."""
        depth, kept, ends = self.disk.depth(), self.disk.kept(), self.disk.epochs()
        waiting, gone = self.disk.waiting(None, 1000), self.disk.gone(1000)
        self.disk.close()
        self.disk = a_durable(self.path)
        assert self.disk.kept() == kept
        assert self.disk.epochs()[: len(ends)] == ends
        # Their moments may be those of another boot, and nobody waits for them any more.
        assert list(self.disk.waiting(None, 1000))[:-1] == [replace(entry, appended_mono_ns=0) for entry in waiting]
        assert self.disk.gone(1000) == gone
        assert (self.disk.depth().held, self.disk.depth().waiting) == (depth.held + 1, depth.waiting + 1)
        self.disk.close()


def outcome(do: Callable[[Outbox], object], outbox: Outbox) -> object:
    try:
        return do(outbox)
    except OutboxError:
        return OutboxError


def ranges(draw: random.Random, last: int) -> tuple[tuple[int, int], ...]:
    first = draw.randint(1, last + 1)
    far = first + draw.randint(0, 4)
    return ((first, far), (far + 2, far + 3)) if draw.random() < 0.3 else ((first, far),)


def notes(draw: random.Random) -> dict[str, bytes | None]:
    return {f"n/{draw.randint(0, 3)}": draw.choice((None, b"", b"x", bytes(300))) for _ in range(draw.randint(0, 2))}


def place(outbox: Outbox, key: tuple[str, int]) -> tuple[int, int]:
    return [end.epoch for end in outbox.epochs()].index(key[0]), key[1]


def seen(outbox: Outbox) -> object:
    order = {end.epoch: at for at, end in enumerate(outbox.epochs())}
    page = outbox.waiting(None, 1000)
    later = outbox.waiting(page[len(page) // 2].key, 3) if page else ()
    standing = [outbox.standing((end.epoch, seq)) for end in outbox.epochs() for seq in range(1, end.last + 1)]
    held = [outbox.read((end.epoch, seq)) is not None for end in outbox.epochs() for seq in range(1, end.last + 1)]
    return (
        [(order[e.epoch], e.seq, e.size_bytes) for e in page],
        [(order[e.epoch], e.seq) for e in later],
        [(order[g.epoch], g.first, g.last, g.reason) for g in outbox.gone(1000)],
        standing,
        held,
        (outbox.depth().waiting, outbox.depth().held, outbox.depth().appended, outbox.depth().committed),
        (outbox.depth().gone, outbox.depth().renamed, outbox.kept()),
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 20), quota=st.sampled_from([4, 12, 1000]))
def test_an_outbox_on_a_disk_is_the_one_in_memory(
    tmp_path_factory: pytest.TempPathFactory, seed: int, steps: int, quota: int
) -> None:
    rng = random.Random(seed)
    pair = Pair(tmp_path_factory.mktemp("model") / "outbox.db", quota, rng.choice((20_000, 10_000_000)))
    for _ in range(steps):
        for _ in range(rng.randint(1, 3)):
            pair.do(rng.choice(STEPS), rng)
        pair.agree()
    pair.reopen()
