"""None of many bad commands is carried out by a device, whoever signed them; the genuine ones are."""

from __future__ import annotations

from pathlib import Path

from tests.forged_commands import KINDS, judged, taken

COUNT, SEED = 500, 20261125


def test_no_forged_replayed_or_ill_told_command_is_carried_out_and_none_crashes_anything(tmp_path: Path) -> None:
    tallies = judged(COUNT, SEED, tmp_path)
    assert set(KINDS) <= set(tallies)
    assert sum(len(tally.ms) for tally in tallies.values()) == COUNT
    for kind, tally in tallies.items():
        assert not tally.crashed, (kind, tally.crashed)
        assert not tally.acted, (kind, tally.acted)
        assert set(tally.answered) <= {"rejected", "expired", "accepted"}, (kind, tally.answered)


def test_the_same_device_takes_what_is_genuine(tmp_path: Path) -> None:
    assert taken(tmp_path) == []
