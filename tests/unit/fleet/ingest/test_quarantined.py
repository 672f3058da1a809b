"""What is in quarantine: listed, shown, and decoded again, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from platefleet.fleet.cli import app
from platefleet.fleet.store.database import database_at
from platefleet.fleet.store.opening import open_store
from platefleet.fleet.store.port import Arrival, Batch
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.errors import ConfigError
from tests.record_builders import a_crop, a_pass, a_record, an_epoch
from tests.seen import Seen


def quarantined(url: str, *arrivals: Arrival) -> None:
    store = open_store(url, clock=SystemClock())
    store.commit(Batch(arrivals))
    store.close()


def an_unread(seq: int, *, type: str = "plate", body: object = None, device: str = "north-1") -> Arrival:  # noqa: A002
    record = a_record(seq, type=type, body=body)  # type: ignore[arg-type]
    return Arrival(device, record, 1, undecodable="Message: version 2 is not spoken here")


def run(url: str, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["quarantine", *arguments, "--database", url], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_what_today_can_be_decoded_moves_into_its_table_and_the_rest_stays_with_todays_reason(url: str) -> None:
    quarantined(
        url,
        an_unread(1, body=a_pass("AB12")),
        an_unread(2, type="crops", body=a_crop()),
        an_unread(3, type="hologram", body=b"?"),
    )
    assert "2 decoded and moved into their tables, 1 left" in run(url, "replay")
    seen = Seen(url)
    assert seen.plates() == [("north-1", "in", 1, "AB12")]
    assert seen.count("crops") == 1
    assert seen.count("boots") == 1
    ((seq, reason),) = seen.rows("SELECT seq, reason FROM quarantine")
    assert seq == 3
    assert "hologram is not known here" in reason
    assert sorted(seen.names()) == sorted(seen.covered_names())
    assert "0 decoded and moved into their tables, 1 left" in run(url, "replay")


def test_more_than_a_transactions_worth_is_moved_and_one_that_the_database_refuses_stays_alone(url: str) -> None:
    bad = a_pass().model_copy(update={"lane": "in", "vehicle": "van"})
    quarantined(url, *(an_unread(n, body=a_pass()) for n in range(1, 251)), an_unread(251, body=bad))
    if url.startswith("postgresql"):
        break_ = "ALTER TABLE plates ADD CONSTRAINT picky CHECK (vehicle IS NULL)"
    else:
        break_ = (
            "CREATE TRIGGER picky BEFORE INSERT ON plates WHEN NEW.vehicle NOT NULL "
            "BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    with database_at(url).begin() as connection:
        connection.exec_driver_sql(break_)
    assert "250 decoded and moved into their tables, 1 left" in run(url, "replay")
    ((seq, reason),) = Seen(url).rows("SELECT seq, reason FROM quarantine")
    assert seq == 251
    assert reason.startswith("unstorable: ")


def test_the_list_and_one_record_are_shown_without_what_could_steer_a_terminal(url: str) -> None:
    record = a_record(7, type="hologram", body=b"\x1b[2J")
    quarantined(url, Arrival("north-1", record, 1, undecodable="a \x1b[2J reason"), an_unread(1, device="south-1"))
    listed = run(url, "list")
    assert f"north-1/{an_epoch()}/7" in listed
    assert "\x1b" not in listed
    assert len(listed.splitlines()) == 2
    assert len(run(url, "list", "--device", "south-1").splitlines()) == 1
    shown = run(url, "show", f"north-1/{an_epoch()}/7")
    assert record.frame.hex() in shown
    assert "received: 1970-01-01T00:00:00.000+00:00" in shown


@pytest.mark.parametrize(
    ("name", "sentence"), [("north-1", "is no record"), (f"a/{an_epoch()}/1", "not in quarantine")]
)
def test_a_name_that_is_not_there_is_a_sentence(tmp_path: Path, name: str, sentence: str) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    quarantined(url, an_unread(1))
    with pytest.raises(ConfigError, match=f"^name: .*{sentence}"):
        run(url, "show", name)
