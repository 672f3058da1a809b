"""The gate's settings: which key, what is wrong, what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from platefleet.fleet.gate.match import Matching
from platefleet.fleet.gate.settings import GateSettings, load
from platefleet.protocol.errors import ConfigError

GOOD = """
name = "gate-1"
journal = "state/gate.journal"
zone = "Europe/Berlin"

[broker]
host = "192.0.2.10"

[allow_list]
file = "allow.csv"

[matching]
look_alikes = [{ length = 6, budget = 1 }, { length = 8, budget = 2 }]

[outputs.barrier]
kind = "http"
url = "http://192.0.2.20/open"
headers = { Authorization = "Bearer secret" }

[outputs.lamp]
kind = "command"
argv = ["/usr/local/bin/lamp", "{lane}"]

[[lanes]]
device = "north-1"
lane = "entry"
output = "barrier"
"""


def settings(tmp_path: Path, text: str) -> GateSettings:
    path = tmp_path / "gate.toml"
    path.write_text(text)
    return load(path)


def test_a_whole_file_is_read_and_paths_lie_beside_it(tmp_path: Path) -> None:
    read = settings(tmp_path, GOOD)
    assert read.journal == tmp_path / "state" / "gate.journal"
    assert read.allow_list is not None
    assert read.allow_list.file == tmp_path / "allow.csv"
    assert read.matching.matching() == Matching(((6, 1), (8, 2)), 0.05)
    assert read.broker.broker().host == "192.0.2.10"
    assert "secret" not in repr(read)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('zone = "Europe/Berlin"', 'zone = "Mars/Olympus"', "zone: "),
        ('name = "gate-1"', 'name = "gate/1"', "name: "),
        ('name = "gate-1"', "", "name: missing"),
        (
            'output = "barrier"',
            'output = "barier"',
            r"lanes\[0\].output: there is no \[outputs.barier\]; known here: barrier, lamp",
        ),
        ('lane = "entry"', 'lane = "entry"\ndirections = ["receding"]', r"lanes\[0\].directions"),
        ('lane = "entry"', 'lane = "entry"\nage_limit_ms = 60000', r"lanes\[0\].age_limit_ms"),
        ('lane = "entry"', 'lane = "entry"\nage_limit = 5', "did you mean `age_limit_ms`"),
        ('url = "http://192.0.2.20/open"', 'url = "file:///etc/passwd"', "outputs.barrier"),
        ('kind = "http"', 'kind = "relay"', "outputs.barrier"),
        ('argv = ["/usr/local/bin/lamp", "{lane}"]', 'argv = "lamp"', "outputs.lamp"),
        ('lane = "entry"', 'lane = "entry"\nhold_output = "holder"', r"there is no \[outputs.holder\]"),
        ('lane = "entry"', 'lane = "entry"\nway = "in"', "area and way belong together"),
        ('lane = "entry"', 'lane = "entry"\narea = "yard"\nway = "in"', r"there is no \[passback\]"),
        ('lane = "entry"', 'lane = "entry"\nheld = [{ begin = "7", end = "25:00" }]', "07:00 would be right"),
        ("[[lanes]]", "[alarm]\n[[lanes]]", "command or url has to be given"),
        ("[[lanes]]", "[outbox]\nquota_bytes = 5\n[[lanes]]", "outbox.quota_bytes"),
        ('[allow_list]\nfile = "allow.csv"', "", "allow_list: missing"),
        ("budget = 2", "budget = 9", r"matching.look_alikes\[1\].budget"),
        ('host = "192.0.2.10"', "port = 0", "broker.port"),
        ("[[lanes]]", '[[lanes]]\ndevice = "north-1"\nlane = "entry"\noutput = "lamp"\n[[lanes]]', "stands twice"),
        ("[[lanes]]", "[[lanes]", "no TOML"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError, match=said) as caught:
        settings(tmp_path, GOOD.replace(old, new, 1))
    assert str(caught.value).isprintable()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.toml"):
        load(tmp_path / "nowhere.toml")


def test_a_password_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    text = GOOD.replace("[broker]", '[broker]\nusername = "gate-1"\npassword_file = "password"')
    assert settings(tmp_path, text).broker.broker().password == "s3cret"
    (tmp_path / "password").unlink()
    with pytest.raises(ConfigError, match=r"broker.password_file"):
        settings(tmp_path, text).broker.broker()
