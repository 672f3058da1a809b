"""An outbox whose process is killed while it appends, and one that is copied."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from platefleet.protocol.errors import OutboxError
from platefleet.protocol.messages import EpochEnd
from tests.contracts.outbox.durable import a_durable, names, opening_of
from tests.record_builders import a_pass

ROOT = Path(__file__).resolve().parents[3]


def killed_while_appending(path: Path, seed: int, lines: int, tail_s: float) -> list[list[str]]:
    """Return what a program told that was killed `tail_s` after it told so many lines: all that was told in the end."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.contracts.outbox.appending", str(path), str(seed)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    told = [child.stdout.readline() for _ in range(lines)]
    try:
        child.wait(tail_s)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
    told += child.stdout.readlines()
    child.wait()
    return [line.split() for line in told if line.endswith("\n")]


def test_after_a_kill_at_any_moment_all_that_was_told_is_there_and_no_name_is_used_again(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    rng = random.Random(4)
    told: dict[tuple[str, int], str] = {}
    lasts: dict[str, int] = {}
    for turn in range(3):
        lines = killed_while_appending(path, turn, rng.randint(1, 300), rng.random() * 0.02)
        for epoch, seq, digest, *_ in lines:
            assert (epoch, int(seq)) not in told
            told[epoch, int(seq)] = digest
            lasts[epoch] = max(lasts.get(epoch, 0), int(seq))
        outbox = a_durable(path, quota_records=300)
        ends = {end.epoch: end.last for end in outbox.epochs()}
        previous = {end.epoch: end.last for end in opening_of(outbox, outbox.epoch).previous}
        assert previous == {epoch: last for epoch, last in ends.items() if epoch != outbox.epoch}
        for epoch, last in lasts.items():
            assert ends[epoch] in (last, last + 1), "what was synced and not told yet is the only one more"
        held = set(names(outbox))
        for key, digest in told.items():
            record = outbox.read(key)
            if record is not None and digest != "epoch":
                assert record.digest.hex() == digest
            assert record is not None or outbox.standing(key) == "covered", "nothing but committed records gave way"
            assert (key in held) is (outbox.standing(key) == "waiting")
        kept = outbox.kept("pass/")
        for _, _, _, name, number in [line for line in lines if len(line) == 5][-1:]:
            assert int(kept[name]) in (int(number), int(number) + 1)
        outbox.close()
        told[outbox.epoch, 1] = "epoch"


def test_two_processes_never_write_one_outbox(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.contracts.outbox.appending", str(path), "1"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    child.stdout.readline()
    try:
        with pytest.raises(OutboxError, match=f"process {child.pid} has this outbox"):
            a_durable(path)
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    a_durable(path).close()


def test_a_restored_copy_and_a_cloned_card_begin_epochs_of_their_own_and_the_store_sees_the_fork(
    tmp_path: Path,
) -> None:
    outbox = a_durable(tmp_path / "outbox.db")
    outbox.append("plate", a_pass())
    first = outbox.epoch
    outbox.close()
    shutil.copy(tmp_path / "outbox.db", tmp_path / "clone.db")
    original, clone = a_durable(tmp_path / "outbox.db"), a_durable(tmp_path / "clone.db")
    assert len({first, original.epoch, clone.epoch}) == 3
    before = (EpochEnd(epoch=first, last=2),)
    assert opening_of(original, original.epoch).previous == opening_of(clone, clone.epoch).previous == before
    original.close()
    clone.close()
