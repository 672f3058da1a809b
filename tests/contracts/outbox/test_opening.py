"""What an outbox holds after it is opened again, and what it does with a database that is broken."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from platefleet.protocol.delivery.durable.database import LOOK_EVERY_S
from platefleet.protocol.messages import EpochCoverage, EpochEnd
from tests.contracts.outbox.durable import a_durable, names, opening_of, rows_of
from tests.record_builders import a_crop, a_pass
from tests.turned_clock import TurnedClock
from tests.until import until

DAY_S = 86_400


def filled(path: Path, records: int = 60) -> list[tuple[str, int]]:
    """Make an outbox that holds so many records, half of them crops; return their names."""
    outbox = a_durable(path)
    for number in range(records - 1):
        outbox.append("crops" if number % 2 else "plate", a_crop(2000) if number % 2 else a_pass())
    keys = names(outbox)
    outbox.close()
    return keys


def test_a_start_begins_an_epoch_that_names_those_before_and_keeps_what_waits(tmp_path: Path) -> None:
    first = filled(tmp_path / "outbox.db")
    outbox = a_durable(tmp_path / "outbox.db")
    assert names(outbox) == [*first, (outbox.epoch, 1)]
    assert opening_of(outbox, outbox.epoch).previous == (EpochEnd(epoch=first[0][0], last=60),)
    assert list(outbox.problems()) == []
    outbox.close()


def test_what_was_covered_stays_so_after_an_orderly_end(tmp_path: Path) -> None:
    outbox = a_durable(tmp_path / "outbox.db")
    outbox.append("plate", a_pass())
    outbox.append("plate", a_pass())
    epoch = outbox.epoch
    outbox.cover([EpochCoverage(epoch=epoch, covered=((1, 2),))])
    outbox.close()
    again = a_durable(tmp_path / "outbox.db")
    assert names(again) == [(epoch, 3), (again.epoch, 1)]
    again.close()


def test_what_an_earlier_boot_left_has_no_moment_by_this_ones_clock_and_what_is_appended_has(tmp_path: Path) -> None:
    clock = TurnedClock()
    clock.turn(30 * DAY_S)
    outbox = a_durable(tmp_path / "outbox.db", clock=clock)
    outbox.append("plate", a_pass())
    outbox.close()
    rebooted = TurnedClock()
    again = a_durable(tmp_path / "outbox.db", clock=rebooted)
    assert [entry.appended_mono_ns for entry in again.waiting(None, 10)] == [0, 0, rebooted.now().mono_ns]
    again.close()


def test_committed_records_go_after_keep_days_and_others_stay(tmp_path: Path) -> None:
    clock = TurnedClock()
    outbox = a_durable(tmp_path / "outbox.db", clock=clock, keep_days=7)
    for _ in range(4):
        outbox.append("plate", a_pass())
    outbox.cover([EpochCoverage(epoch=outbox.epoch, covered=((1, 3),))])
    clock.turn(6 * DAY_S)
    outbox.append("plate", a_pass())
    assert outbox.depth().held == 6
    clock.turn(2 * DAY_S)
    outbox.append("plate", a_pass())
    assert [seq for _, seq in names(outbox)] == [4, 5, 6, 7]
    assert outbox.depth().held == 4
    assert outbox.gone(10) == ()
    outbox.close()


def test_epochs_that_hold_nothing_are_forgotten_beyond_those_that_are_told(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = a_durable(path)
    for _ in range(265):
        outbox.begin_epoch()
        outbox.set_aside((outbox.epoch, 1), "unsendable")
        outbox.cover([EpochCoverage(epoch=outbox.epoch, covered=((1, 1),))])
    outbox.append("plate", a_pass())
    outbox.close()
    assert rows_of(path, "SELECT count(*) FROM epochs") <= [(258,)]
    assert rows_of(path, "SELECT count(*) FROM lost") <= [(258,)]


@pytest.mark.parametrize("some", range(4))
def test_a_database_damaged_anywhere_opens_and_what_is_sent_of_it_is_right(tmp_path: Path, some: int) -> None:
    keys = filled(tmp_path / "sound.db")
    sound = (tmp_path / "sound.db").read_bytes()
    for seed in range(some * 8, some * 8 + 8):
        rng = random.Random(seed)
        damaged = bytearray(sound)
        for _ in range(rng.choice((1, 1, 40, 3000))):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        if rng.random() < 0.3:
            del damaged[rng.randrange(len(damaged)) :]
        path = tmp_path / f"{seed}" / "outbox.db"
        path.parent.mkdir()
        path.write_bytes(damaged)
        outbox = a_durable(path)
        assert not outbox.volatile, f"seed {seed}: {outbox.problems()}"
        beside = list(path.parent.glob("outbox.db.broken-*"))
        if beside:
            assert beside[0].read_bytes()[: len(damaged)] == bytes(damaged)
            assert beside[0].name in outbox.problems()[0]
        held = [(key, outbox.read(key)) for key in names(outbox)]
        assert all(record is None or record.key == key for key, record in held), f"seed {seed}"
        ends = {end.epoch: end.last for end in outbox.epochs()}
        for key, record in held:
            assert record is not None or outbox.standing(key) == "gone", f"seed {seed}"
        if not beside and keys[0][0] in ends:
            told = {outbox.standing(key) for key in keys}
            assert told <= {"waiting", "gone"}, f"seed {seed}"
        outbox.append("plate", a_pass())
        assert outbox.read((outbox.epoch, 2)) is not None
        outbox.close()


def test_no_more_than_three_broken_databases_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    for number in range(5):
        path.write_bytes(b"no database %d" % number + bytes(5000))
        a_durable(path).close()
    kept = sorted(each.read_bytes()[:13] for each in tmp_path.glob("outbox.db.broken-*"))
    assert kept == [b"no database 2", b"no database 3", b"no database 4"]


def test_a_database_deleted_under_the_program_is_begun_anew_and_nothing_more_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = a_durable(path)
    for part in ("", "-wal", "-shm"):
        path.with_name(path.name + part).unlink()
    time.sleep(LOOK_EVERY_S)
    record = outbox.append("plate", a_pass())
    assert outbox.counters()["fallbacks"] == 1
    until(lambda: not outbox.volatile, 60)
    assert outbox.read(record.key) == record
    outbox.close()
    again = a_durable(path)
    assert again.read(record.key) == record
    again.close()
