"""A file of faults is checked as a whole, and a seed fixes its times."""

from __future__ import annotations

from pathlib import Path

import pytest

from platefleet.deploy.simulate.faults import Fault, Faults, load, schedule
from platefleet.protocol.errors import ConfigError


def written(folder: Path, text: str) -> Path:
    path = folder / "faults.toml"
    path.write_text(text)
    return path


def test_a_file_names_what_happens_and_when(tmp_path: Path) -> None:
    faults = load(written(tmp_path, 'seed = 3\n[[faults]]\nkind = "ingest kill"\nat_s = 30.0\nevery_s = 60.0\n'))
    assert faults == Faults(seed=3, faults=[Fault(kind="ingest kill", at_s=30.0, every_s=60.0)])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[[faults]]\nkind = "flood"\nat_s = 1.0\n', "kind"),
        ('[[faults]]\nkind = "link cut"\nat_s = -1.0\n', "at_s"),
        ('[[faults]]\nkind = "link cut"\nat_s = 1.0\nfor = 2\n', "for"),
        ("[[faults]\n", "TOML"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        load(written(tmp_path, text))


def test_a_seed_fixes_the_jitter_and_what_begins_ends() -> None:
    faults = Faults(seed=1, faults=[Fault(kind="link stall", at_s=5.0, every_s=10.0, jitter_s=4.0, for_s=3.0)])
    events = schedule(faults, 60.0)
    assert events == schedule(faults, 60.0)
    assert events != schedule(faults.model_copy(update={"seed": 2}), 60.0)
    assert sum(not event.ends for event in events) == sum(event.ends for event in events) == 6
    assert [event.at_s for event in events] == sorted(event.at_s for event in events)
