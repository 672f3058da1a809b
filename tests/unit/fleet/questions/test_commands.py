"""The commands themselves, as processes: their status, their sentences, and how they end."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from platefleet.fleet.cli import app
from platefleet.fleet.questions.errors import Unanswerable
from platefleet.fleet.questions.moments import moment_ns
from platefleet.fleet.questions.reading import Reader
from platefleet.fleet.store.errors import ForeignDatabase, StoreAway
from platefleet.fleet.store.opening import open_store
from platefleet.protocol.clock import SECOND_NS, SystemClock
from platefleet.protocol.errors import ConfigError
from tests.question_builders import NOON_S, Site, an_event, kept

PLATEFLEET = [sys.executable, "-m", "platefleet.deploy.cli", "fleet"]


def test_following_shows_what_is_committed_and_ends_at_ctrl_c_without_a_word(site: Site) -> None:
    site.commit(kept(an_event("OLD1", 1), 1))
    arguments = [*PLATEFLEET, "events", "--follow", "--json", "--database", site.url]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["plate"] == "OLD1"
        site.commit(kept(an_event("NEW1", 2), 2))
        assert json.loads(process.stdout.readline())["plate"] == "NEW1"
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=30)
    assert (process.returncode, rest, said) == (130, "", "")


def test_check_ends_with_status_1_exactly_if_something_is_missing(sqlite_site: Site) -> None:
    def status(*arguments: str) -> int:
        return CliRunner().invoke(app, ["gaps", *arguments, "--database", sqlite_site.url]).exit_code

    sqlite_site.commit(kept(an_event("AB1"), 1))
    assert status("--check") == 0
    sqlite_site.commit(kept(an_event("AB3", 3), 3))
    assert (status(), status("--check"), status("--check", "--device", "south-1")) == (0, 1, 0)


def test_a_mistake_is_one_sentence_and_status_1(sqlite_site: Site) -> None:
    arguments = [*PLATEFLEET, "audit", "\x1b[2J", "--database", sqlite_site.url]
    failed = subprocess.run(arguments, check=False, capture_output=True, text=True, timeout=60)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith("platefleet: audit: ")
    assert failed.stderr[:-1].isprintable()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["events", "--json", "--csv"], "leave one of them out"),
        (["events", "--since", "soon"], "^since: "),
        (["events", "--plate", "*"], "^plate: "),
        (["events", "--plate", "AB%"], r"^plate: 'AB%' has %, which no plate has; AB12\* means all that begin so\.$"),
        (["events", "--plate", "A?12"], r"^plate: 'A\?12' has \?"),
        (["events", "--since", "1h", "--until", "2h"], "^since: '1h' lies after --until '2h'; exchange them"),
        (["gaps", "--older-than", "soon"], "^older-than: "),
    ],
)
def test_a_question_that_cannot_be_asked_so_is_said_before_the_store_is_opened(
    arguments: list[str], sentence: str
) -> None:
    with pytest.raises(Unanswerable, match=sentence):
        CliRunner().invoke(app, [*arguments, "--database", "nowhere"], catch_exceptions=False)


def test_help_needs_no_database_library() -> None:
    seen = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "platefleet.deploy.cli", "fleet", "events", "--help"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "Example: platefleet fleet events" in seen.stdout
    for heavy in ("sqlalchemy", "psycopg", "platefleet.protocol.messages"):
        assert f" {heavy}\n" not in seen.stderr


@pytest.mark.parametrize(
    ("url", "kind", "sentence"),
    [
        ("store.db", ConfigError, "is no URL"),
        ("mysql://x/y", ConfigError, "is not supported"),
        ("sqlite://", ConfigError, "in memory"),
        ("sqlite://plates.db", ConfigError, "after three slashes; sqlite:///plates.db would be right"),
        (
            "sqlite:////nowhere/store.db",
            StoreAway,
            "store /nowhere/store.db: there is no such file; name the store with",
        ),
        ("postgresql://u:secret@127.0.0.1:1/x", StoreAway, "cannot be read"),
        ("postgres://u:secret@127.0.0.1:1/x", StoreAway, "cannot be read"),
        ("postgresql://u:secret@127.0.0.1:port/x", ConfigError, "is no URL"),
    ],
)
def test_a_store_that_cannot_be_read_is_one_sentence_without_its_password(
    url: str, kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence) as raised:
        Reader(url)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_store_is_named_here_as_it_is_for_ingest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    store = open_store("sqlite:///~/store.db", clock=SystemClock())
    store.close()
    with Reader("sqlite:///~/store.db") as reader:
        assert reader.id == store.id


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    with pytest.raises(ForeignDatabase, match="holds no store"):
        Reader(f"sqlite:///{tmp_path}/other.db")


def test_a_store_is_not_made_by_asking_it(tmp_path: Path) -> None:
    with pytest.raises(StoreAway, match=r"name the store with --database or PLATEFLEET_INGEST_DATABASE\.$"):
        Reader(f"sqlite:///{tmp_path}/none.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("written", ["", "soon", "2026-13-01", "2026-11-25T25:00", "9999999h", "12x"])
def test_what_is_no_time_is_a_sentence_that_shows_one(written: str) -> None:
    with pytest.raises(Unanswerable, match=r"^since: .* 2h would be right\.$"):
        moment_ns(written, NOON_S * SECOND_NS, "since")
