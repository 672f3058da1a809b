"""The journal: durable, locked, and read again after every kind of damage."""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import signal
import zlib
from pathlib import Path

import pytest

from platefleet.fleet.gate import journal as file
from platefleet.fleet.gate.decide import decide
from platefleet.fleet.gate.facts import LaneState, Result
from platefleet.fleet.gate.journal import HEADER, Held, Journal
from platefleet.fleet.gate.journal_lines import encoded
from platefleet.fleet.gate.replay import Entry, Known, Started, closed, kept, replay
from platefleet.protocol.durable import reserve
from platefleet.protocol.errors import GateError
from tests.gate_builders import BOOT, RULE, a_list, a_moment, a_pass_id, an_intent, announced

INTENT = an_intent()
ENTRIES: list[Entry] = [
    Started(7, tells=True),
    Known("0" * 31 + "1"),
    INTENT,
    Result(INTENT.token, "opened", INTENT.decision),
    an_intent(1),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gate.journal"


def write(path: Path, entries: list[Entry]) -> bytes:
    with Journal(path) as journal:
        for entry in entries:
            journal.append(entry)
    return path.read_bytes()


def test_what_was_appended_is_there_when_it_is_opened_again(path: Path) -> None:
    write(path, ENTRIES)
    with Journal(path) as journal:
        assert journal.entries == ENTRIES
        assert journal.damage == ""
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_tail_torn_anywhere_is_cut_away_and_the_file_as_it_was_is_kept(path: Path) -> None:
    whole = write(path, ENTRIES)
    last = len(encoded(ENTRIES[-1]))
    for cut in range(len(whole) - last + 1, len(whole)):
        path.write_bytes(whole[:cut])
        with Journal(path) as journal:
            assert journal.entries == ENTRIES[:-1]
            assert "torn by a crash" in journal.damage
            journal.append(ENTRIES[-1])
        assert path.with_name("gate.journal.broken").read_bytes() == whole[:cut]
        assert path.read_bytes() == whole


def test_a_damaged_entry_is_left_out_told_and_kept_in_the_copy(path: Path) -> None:
    whole = write(path, ENTRIES)
    at = whole.index(b"intent") + 3
    path.write_bytes(whole[:at] + b"X" + whole[at + 1 :])
    with Journal(path) as journal:
        assert journal.entries == [e for e in ENTRIES if e != INTENT]
        assert "1 damaged entries" in journal.damage


def test_an_empty_file_is_a_new_journal_and_a_foreign_one_is_refused(path: Path) -> None:
    path.touch()
    write(path, ENTRIES)
    path.write_bytes(b"platefleet gate journal 2\n")
    with pytest.raises(GateError, match="no journal of this version"):
        Journal(path)
    assert path.read_bytes() == b"platefleet gate journal 2\n"


def test_a_second_process_is_told_who_has_it(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=hold, args=(path, ready, done))
    other.start()
    try:
        assert ready.wait(20)
        with pytest.raises(Held, match=f"process {other.pid} has this journal"):
            Journal(path)
    finally:
        done.set()
        other.join(10)
    Journal(path).close()


def hold(path: Path, ready: multiprocessing.synchronize.Event, done: multiprocessing.synchronize.Event) -> None:
    with Journal(path):
        ready.set()
        done.wait(20)


def test_a_disk_that_fills_up_is_an_error_and_afterwards_it_goes_on(path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with Journal(path) as journal:
            journal.append(INTENT)
            size = path.stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40, before[1]))
            with pytest.raises(GateError, match="cannot be written"):
                journal.append(an_intent(1))
            assert path.stat().st_size == size
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            journal.append(an_intent(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    with Journal(path) as journal:
        assert journal.entries == [INTENT, an_intent(2)]


def test_a_long_journal_is_written_anew_with_what_is_remembered(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "COMPACT_BYTES", 20_000)
    state, listing, now = LaneState(), a_list(), a_moment(0)
    with Journal(path) as journal:
        for number in range(60):
            now = a_moment(number * 20)
            state, effects = decide(state, announced(number=number), RULE, listing, now)
            journal.append(effects[0].entry)  # type: ignore[union-attr]
            journal.append(closed(effects[0].entry, now.stamp))  # type: ignore[union-attr, arg-type]
        assert journal.long
        state = LaneState(acted={a_pass_id(n): now.mono_ns for n in (3, 30)})
        journal.compact(kept(journal.entries, {RULE.key: state}, now.mono_ns, told=journal.last))
        assert not journal.long
    with Journal(path) as journal:
        past = replay(journal.entries, BOOT, now.mono_ns)
        acted = past.lanes[RULE.key].acted
        assert set(acted) == {a_pass_id(3), a_pass_id(30), a_pass_id(59)}
        assert past.lanes[RULE.key].trouble


def test_what_is_appended_after_a_rewrite_that_the_folder_could_not_confirm_is_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(folder: Path) -> None:
        raise OSError(5, "Input/output error", str(folder))

    with Journal(path) as journal:
        journal.append(Known("a" * 32))
        monkeypatch.setattr(file, "sync_folder", refuses)  # a disk that fails at just this moment cannot be had
        with pytest.raises(GateError, match="check its disk"):
            journal.compact([Known("a" * 32)])
        journal.append(Known("b" * 32))
    monkeypatch.undo()
    with Journal(path) as journal:
        assert journal.entries == [Known("a" * 32), Known("b" * 32)]


def test_a_crash_while_it_is_written_anew_leaves_the_old_one(path: Path) -> None:
    whole = write(path, ENTRIES)
    path.with_name("gate.journal.new").write_bytes(HEADER + b"half")
    with Journal(path) as journal:
        assert journal.entries == ENTRIES
    assert path.read_bytes() == whole


def test_an_intent_without_a_result_is_dangling_and_its_pass_is_never_acted_on_again() -> None:
    past = replay(ENTRIES, BOOT, a_moment(1).mono_ns)
    assert past.dangling == (an_intent(1),)
    _, effects = decide(past.lanes[RULE.key], announced(number=1), RULE, a_list(), a_moment(100))
    assert [type(effect).__name__ for effect in effects] == ["Count"]


def test_the_time_of_another_boot_counts_as_now() -> None:
    past = replay([an_intent(seconds=5_000_000, boot="another")], BOOT, a_moment(0).mono_ns)
    state = past.lanes[RULE.key]
    assert state.openings[0].mono_ns == a_moment(0).mono_ns
    _, effects = decide(state, announced(number=1), RULE, a_list(), a_moment(14))
    assert any(getattr(effect, "what", "") == "already open" for effect in effects)


def test_its_intents_and_results_are_numbered_in_their_order_whatever_is_left_out_later(path: Path) -> None:
    write(path, ENTRIES)
    with Journal(path) as journal:
        assert [entry.number for entry in journal.after(0)] == [1, 2, 3]
        assert journal.after(2) == [an_intent(1)]
        journal.compact([])
        assert (journal.after(0), journal.last) == ([], 3)
    with Journal(path) as journal:
        journal.append(an_intent(2))
        assert [entry.number for entry in journal.after(0)] == [4]


def test_a_number_that_damage_took_away_is_given_to_nobody_else(path: Path) -> None:
    whole = write(path, ENTRIES)
    path.write_bytes(whole[:-3])
    with Journal(path) as journal:
        assert journal.last == 2
        journal.number_after(3)
        journal.append(an_intent(2))
        assert journal.last == 4


def test_what_the_outbox_was_not_told_stays_when_it_is_written_anew(path: Path) -> None:
    write(path, ENTRIES)
    with Journal(path) as journal:
        wanted = kept(journal.entries, {}, a_moment(10**6).mono_ns, told=2)
        assert an_intent(1) in wanted
        assert [entry for entry in wanted if isinstance(entry, Known)]


def test_a_journal_keeps_its_name_and_another_file_has_another(path: Path) -> None:
    write(path, ENTRIES)
    with Journal(path) as journal, Journal(path.with_name("other")) as other:
        name = journal.name
        journal.compact(journal.entries)
        assert name
        assert name != other.name
    with Journal(path) as journal:
        assert journal.name == name


def test_a_journal_of_before_it_had_a_name_gets_one_and_its_entries_are_known_to_be_told(path: Path) -> None:
    lines = [re.sub(rb'"n":\d+,', b"", encoded(entry)[9:-1]) for entry in ENTRIES]
    path.write_bytes(HEADER + b"".join(b"%08x %s\n" % (zlib.crc32(line), line) for line in lines))
    with Journal(path) as journal:
        assert (journal.entries, journal.damage) == (ENTRIES, "")
        assert journal.after(0) == []
        journal.append(an_intent(2))
        name = journal.name
    with Journal(path) as journal:
        assert journal.name == name
        assert journal.after(0) == [an_intent(2)]


def test_space_behind_its_end_is_reserved_so_that_a_full_disk_keeps_no_barrier_shut(path: Path) -> None:
    with Journal(path) as journal:
        journal.append(INTENT)
        with path.open("r+b") as other:
            if not reserve(other.fileno(), 0, 4096):
                return  # this file system reserves nothing
        assert path.stat().st_blocks * 512 >= file.RESERVED_BYTES
        assert path.stat().st_size < 4096
        journal.compact(journal.entries)
        assert path.stat().st_blocks * 512 >= file.RESERVED_BYTES


def test_the_folder_is_made_and_one_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    Journal(tmp_path / "a" / "b" / "gate.journal").close()
    (tmp_path / "file").touch()
    with pytest.raises(GateError, match="give this user the folder"):
        Journal(tmp_path / "file" / "gate.journal")
    assert os.listdir(tmp_path / "a" / "b")
