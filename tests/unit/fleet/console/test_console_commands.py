"""The operators' command line: what each command does, and the one sentence that a mistake gets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from platefleet.fleet.cli import app
from platefleet.fleet.console.asked import Asked
from platefleet.fleet.console.book import Book
from platefleet.fleet.console.database import ConsoleDatabase
from platefleet.fleet.console.desiring import body_of
from platefleet.fleet.console.explain import foresee
from platefleet.fleet.console.known import known_of
from platefleet.fleet.keys import keyring, pkcs8
from platefleet.fleet.questions.moments import moment_ns
from platefleet.models.operations import operations
from platefleet.models.operations.diagnose import Diagnosis
from platefleet.models.operations.reading import arguments_of, packed
from platefleet.models.operations.snapshot import Pictures
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.codec import decode
from platefleet.protocol.messages import Command, Envelope, RevokedKey, Rule, Span, Trust, TrustedKey, Window
from platefleet.protocol.messages.desired import Reported
from tests.console_builders import a_health, a_presence, a_status, an_info
from tests.trust_builders import told, trusted

HOUR = 3600 * 10**9
NIGHT = Window(zone="UTC", spans=(Span(start="23:00", end="04:30"),))
KEY, OTHER = "3fa2b1" + "0" * 26, "9c1b22" + "1" * 26


class Desk:
    """An operator's place: a console's database with devices in it, a key, and the command line."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pkcs8, "COST", 16)
        self.folder, self.url = folder, f"sqlite:///{folder}/console.db"
        self.now_ns = SystemClock().now().utc_ns
        self.database = ConsoleDatabase(self.url, now_utc_ns=self.now_ns)
        self.book, self.asked = Book(self.database), Asked(self.database)
        keyring.make(folder / "anna.pem", "operator", "anna", "operator", b"correct horse")
        self.environment = {"PLATEFLEET_CONSOLE_DATABASE": self.url, "COLUMNS": "80"}
        for name, text in (("secret", "correct horse\n"), ("wrong", "battery staple\n")):
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)

    def device(self, name: str, **more: Any) -> None:
        reported = Reported(choices=3, active={"plate": KEY}, window=NIGHT, rules=(Rule(name="engines"),))
        self.book.enrol(name, site=name.partition("-")[0], labels=("exit",), now_ns=self.now_ns)
        self.book.heard_presence(name, a_presence(), self.now_ns)
        self.book.heard_info(an_info(name, desired_version=3, **{"reported": reported, **more}), self.now_ns)
        self.book.heard_health(name, a_health(), self.now_ns)

    def run(self, *words: str, key: bool = True) -> Result:
        named = {"PLATEFLEET_KEY": f"{self.folder}/anna.pem", "PLATEFLEET_KEY_PASSPHRASE_FILE": f"{self.folder}/secret"}
        return CliRunner().invoke(app, list(words), env={**self.environment, **(named if key else {})})

    def well(self, *words: str) -> str:
        done = self.run(*words)
        assert done.exit_code == 0, (words, done.exception, done.stderr)
        return done.stdout

    def refused(self, *words: str, key: bool = True) -> str:
        done = self.run(*words, key=key)
        assert done.exit_code == 1, (words, done.stdout)
        return str(done.exception)

    def send(self, *words: str) -> str:
        return str(json.loads(self.well("send", *words, "--json"))["command"])

    def heard(self, id_: str, number: int, state: str, device: str = "north-1", **more: Any) -> None:
        self.book.heard_statuses([(device, a_status(id_, number, state, **more))], self.now_ns)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk(tmp_path, monkeypatch)
    for name in ("north-1", "north-2", "south-1"):
        desk.device(name)
    return desk


# Asking.


def test_devices_are_a_table_that_fits_a_terminal_of_80_columns(desk: Desk) -> None:
    lines = desk.well("devices", "--site", "north").splitlines()
    assert [line.split()[0] for line in lines if line.startswith("north")] == ["north-1", "north-2"]


def test_devices_are_told_to_programs_as_json_and_as_csv(desk: Desk) -> None:
    told = [json.loads(line) for line in desk.well("devices", "--json").splitlines()]
    assert (told[0]["device"], told[0]["presence"], told[0]["choices"]) == ("north-1", "online", 3)
    rows = list(csv.DictReader(io.StringIO(desk.well("devices", "--csv"))))
    assert [row["device"] for row in rows] == ["north-1", "north-2", "south-1"]


def test_a_console_that_heard_of_nobody_says_what_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "is `platefleet console run` running?" in Desk(tmp_path, monkeypatch).run("devices").stderr


def test_a_choice_that_fits_no_device_is_told(desk: Desk) -> None:
    done = desk.run("devices", "--site", "west", "--json")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no device fits what was said; the console knows 3 in all" in done.stderr


def test_show_tells_what_a_device_says_of_itself(desk: Desk) -> None:
    desk.send("diagnose", "north-1")
    shown = desk.well("show", "north-1")
    assert f"plate {KEY} is active" in shown
    assert "window 23:00-04:30 UTC" in shown
    assert "diagnose" in shown
    assert json.loads(desk.well("show", "north-1", "--json"))["info"]["install"] == "a" * 32


def test_status_shows_every_status_and_the_result(desk: Desk) -> None:
    id_ = desk.send("diagnose", "north-1")
    desk.heard(id_, 1, "accepted")
    desk.heard(id_, 2, "succeeded", result=packed(Diagnosis(found={"temperature": "cool"})))
    shown = desk.well("status", id_[-8:])
    assert [word in shown for word in ("accepted", "succeeded", "cool")] == [True] * 3
    told = json.loads(desk.well("status", id_, "--json"))
    assert [each["state"] for each in told["statuses"]] == ["accepted", "succeeded"]
    assert told["result"]["found"] == {"temperature": "cool"}


def test_status_writes_pictures_into_a_folder_and_nowhere_else(desk: Desk) -> None:
    id_ = desk.send("snapshot", "north-1")
    pictures = {"entry": b"\xff\xd8one", "../../up": b"\xff\xd8two"}
    desk.heard(id_, 1, "succeeded", operation="snapshot", result=packed(Pictures(pictures=pictures)))
    desk.well("status", id_, "--pictures", str(desk.folder / "pictures"))
    assert sorted(path.read_bytes() for path in (desk.folder / "pictures").iterdir()) == sorted(pictures.values())


def test_why_says_where_a_command_is(desk: Desk) -> None:
    id_ = desk.send("diagnose", "north-1")
    assert "no trust was published" in desk.well("why", id_)
    told = json.loads(desk.well("why", id_, "--json"))
    assert (told["state"], told["moves"], told["until"]) == ("pending", False, None)


def test_history_is_newest_first_as_table_json_and_csv(desk: Desk) -> None:
    first, second = desk.send("diagnose", "north-1"), desk.send("diagnose", "south-1")
    desk.heard(second, 2, "failed", "south-1", reason="no\nway")
    lines = [line for line in desk.well("history").splitlines() if "diagnose" in line]
    assert [line.split()[0] for line in lines] == [second[-12:], first[-12:]]
    assert [json.loads(each)["command"] for each in desk.well("history", "--open", "--json").splitlines()] == [first]
    rows = list(csv.DictReader(io.StringIO(desk.well("history", "south-1", "--csv"))))
    assert [(row["command"], row["state"]) for row in rows] == [(second, "failed")]
    assert desk.well("history", "--limit", "1", "--json").count("\n") == 1


def test_operations_are_listed_with_what_each_takes(desk: Desk) -> None:
    named = {line.split()[0] for line in desk.well("operations").splitlines() if line[:1].isalpha()}
    assert named >= set(operations())
    assert "precision" in desk.well("operations", "build")


# Ordering.


def test_send_signs_a_command_for_each_device_that_is_meant(desk: Desk) -> None:
    lines = desk.well("send", "build", "--site", "north", "role=plate", "precision=fp16", "--within", "2d").splitlines()
    assert [line.split()[1] for line in lines] == ["north-1", "north-2"]
    due = desk.book.due(desk.now_ns, 9)
    command = decode(Command, decode(Envelope, due[0].envelope).body)
    assert (command.operation, command.arguments["role"], command.install) == ("build", "plate", "a" * 32)
    assert command.not_after - command.issued_at == 48 * HOUR
    assert command.builds_on is None


def test_a_versioned_order_names_the_choices_that_it_builds_on(desk: Desk) -> None:
    desk.send("set-window", "north-1", "zone=Europe/Berlin", "spans=mon,tue 23:00-04:30;sat 01:00-05:00")
    command = decode(Command, decode(Envelope, desk.book.due(desk.now_ns, 9)[0].envelope).body)
    assert command.builds_on == 3
    assert command.arguments["spans"] == ("mon,tue 23:00-04:30", "sat 01:00-05:00")


def test_a_time_before_which_it_may_not_begin_is_a_moment_or_a_while_from_now(desk: Desk) -> None:
    desk.send("diagnose", "north-1", "--not-before", "2h")
    command = decode(Command, decode(Envelope, desk.book.due(desk.now_ns, 9)[0].envelope).body)
    assert command.not_before is not None
    assert command.not_before - command.issued_at == 2 * HOUR
    assert "no time" in desk.refused("send", "diagnose", "north-1", "--not-before", "soon")
    assert "13 days" in desk.refused("send", "diagnose", "north-1", "--not-before", "14d")


def test_dry_run_says_what_each_device_would_do_and_sends_nothing(desk: Desk) -> None:
    desk.book.heard_presence("north-2", a_presence("lost"), desk.now_ns)
    told = desk.run("send", "diagnose", "--site", "north", "--dry-run", key=False)
    assert told.stdout.splitlines() == [
        "north-1: would begin at once",
        "north-2: is lost; it would be sent when it is back",
    ]
    assert desk.asked.history() == []
    row = json.loads(desk.well("send", "build", "north-1", "role=plate", "--dry-run", "--json").splitlines()[0])
    assert row["device"] == "north-1"
    later = desk.well("send", "diagnose", "north-1", "--not-before", "2h", "--dry-run")
    assert later.startswith("north-1: would wait for the moment that it is ordered for (20")


@pytest.mark.parametrize(
    ("begins", "ends", "says", "until"),
    [
        ("12:00", "23:30", "the window opens at Wed 25 Nov 23:00 UTC", "23:00"),
        ("12:00", "22:00", "the window opens at Wed 25 Nov 23:00 UTC, and the command ends before that", None),
        ("23:30", "23:59", "would wait for the moment that it is ordered for", "23:30"),
        ("10:00", "23:30", "the window opens at Wed 25 Nov 23:00 UTC", "23:00"),
    ],
)
def test_what_a_device_would_do_with_a_build_that_may_begin_later(
    desk: Desk, begins: str, ends: str, says: str, until: str | None
) -> None:
    def at(clock: str) -> int:
        return moment_ns(f"2026-11-25T{clock}Z", 0, "at")

    device = next(known for row in desk.asked.devices() if (known := known_of(row)).name == "north-1")
    build = operations()["build"]
    arguments = arguments_of(build, {"role": "plate"})
    found = foresee(build, arguments, device, at("11:00"), (at(begins), at(ends)))
    assert says in found.says
    assert (found.until_ns, found.moves) == ((None, False) if until is None else (at(until), True))


def test_a_device_that_takes_no_commands_is_named_and_the_others_are_ordered(desk: Desk) -> None:
    desk.book.heard_info(an_info("north-2", kind="gate"), desk.now_ns)
    assert desk.run("send", "diagnose", "--site", "north", "--dry-run").exit_code == 0  # many: gates are passed over
    done = desk.run("send", "diagnose", "north-1", "north-2")
    assert done.exit_code == 1
    assert "north-2: is a gate, which takes no commands" in done.stderr
    assert len(desk.asked.history()) == 1


def test_cancel_is_signed_and_kept_to_be_sent(desk: Desk) -> None:
    id_ = desk.send("diagnose", "north-1")
    assert f"{id_}: its cancel is handed to the console, for north-1" in desk.well("cancel", id_[-8:])
    assert desk.book.due(desk.now_ns, 9)[0].cancel is not None


def test_a_desired_state_is_signed_and_what_it_changes_is_said(desk: Desk) -> None:
    words = ("desire", "north-1", f"active.plate={OTHER}", "window.quiet_s=60", "rules=prune:3")
    plate, window = f"plate: {KEY[:8]} → {OTHER[:8]}", "window: 23:00-04:30 UTC → 23:00-04:30 UTC, quiet 60 s"
    expected = f"{plate}; {window}; rules: engines → prune:3\n"
    assert desk.run(*words, "--dry-run", key=False).stdout == f"north-1: would be asked for: {expected}"
    assert desk.asked.desired("north-1") is None
    assert desk.well(*words) == f"north-1: is asked for: {expected}"
    row = desk.asked.desired("north-1")
    assert row is not None
    desired = body_of(row.envelope)
    assert desired is not None
    assert (desired.choices, desired.active, row.operator) == (4, {"plate": OTHER}, "anna")
    assert desired.window == NIGHT.model_copy(update={"quiet_s": 60})
    assert "and has not taken 4 yet" in desk.well("show", "north-1")


def test_what_was_desired_and_not_chosen_otherwise_since_is_desired_on(desk: Desk) -> None:
    desk.well("desire", "north-1", f"active.plate={OTHER}")
    desk.well("desire", "north-1", "window.spans=")
    first = body_of(desk.asked.desired("north-1").envelope)  # type: ignore[union-attr]
    assert first is not None
    assert (first.choices, first.active) == (5, {"plate": OTHER})
    assert first.window is not None
    assert first.window.spans == ()
    desk.heard(desk.send("diagnose", "north-1"), 1, "succeeded", choices=9)  # somebody commanded something since
    desk.well("desire", "north-1", "rules=none")
    second = body_of(desk.asked.desired("north-1").envelope)  # type: ignore[union-attr]
    assert second is not None
    assert (second.choices, second.active, second.window, second.rules) == (10, {}, None, ())


def test_a_key_is_meant_by_how_it_begins(desk: Desk) -> None:
    desk.well("desire", "north-1", "active.plate=3fa2b1")
    assert body_of(desk.asked.desired("north-1").envelope).active == {"plate": KEY}  # type: ignore[union-attr]


# What gets one sentence.

MISTAKES: list[tuple[tuple[str, ...], str]] = [
    (("send", "diagnose", "nowhere"), "nowhere: the console knows no such device"),
    (("send", "diagnose"), "no device is named"),
    (("send", "diagnose", "--site", "west"), "no device fits"),
    (("send", "diagnose", "north-1", "--all"), "--all and names of devices contradict each other"),
    (("send", "build", "north-1", "size=abc"), "size=abc: 'abc' cannot be used; a whole number would be right."),
    (("send", "set-window", "north-1", "zone=UTC", "spans=23:00-25:00"), "set-window: spans[0]: '23:00-25:00' cannot"),
    (("send", "diagnose", "north-1", "--not-before", "20d"), "13 days at most; let it begin earlier."),
    (("send", "dance", "north-1"), "'dance' is no operation; there are"),
    (("send", "build", "north-1", "colour=red"), "'colour=red': build takes"),
    (("send", "build", "north-1", "role=plate", "role=plate"), "role: is given twice"),
    (("send", "build", "north-1", "role=roof"), "role=roof: "),
    (("send", "build", "north-1"), "platefleet fleet operations"),
    (("send", "benchmark", "north-1", "rounds=many"), "rounds=many: "),
    (("send", "diagnose", "north-1", "--within", "for ever"), "is no length of time"),
    (("send", "diagnose", "north-1", "--within", "14d"), "13 days"),
    (("send", "diagnose", "north-1", "--within", "14d", "--dry-run"), "13 days"),
    (("send", "diagnose", "north-1", "--not-before", "soon", "--dry-run"), "no time"),
    (("show", "nowhere"), "the console knows no such device"),
    (("status", "zz"), "no command's id begins or ends so"),
    (("why", ""), "no command's id begins or ends so"),
    (("watch", "zz"), "no command's id begins or ends so"),
    (("cancel", "zz"), "no command's id begins or ends so"),
    (("devices", "--json", "--csv"), "exclude each other"),
    (("history", "--json", "--csv"), "exclude each other"),
    (("operations", "dance"), "is no operation"),
    (("desire", "north-1"), "nothing is desired"),
    (("desire", "rules=none"), "no device is named"),
    (("desire", "north-1", "active.roof=3fa2b1"), "say active.plate=KEY"),
    (("desire", "north-1", "active.plate=ffffff"), "no artifact that was heard of begins so"),
    (("desire", "north-1", "active.plate=3fa"), "no artifact that was heard of begins so"),
    (("desire", "north-1", "rules=dance"), "is no rule"),
    (("desire", "north-1", "window.zone=Mars/Crater"), "Mars/Crater"),
    (("desire", "north-1", "window.colour=red"), "set-window takes"),
    (("retire", "nowhere", "--passwords", "none", "--acl", "none"), "neither the console nor the broker knows"),
]


@pytest.mark.parametrize(("words", "sentence"), MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_a_mistake_is_answered_in_one_sentence_and_changes_nothing(
    desk: Desk, words: tuple[str, ...], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk.folder)
    assert sentence in desk.refused(*words)
    assert desk.asked.history() == []
    assert desk.asked.desired("north-1") is None


def test_a_command_that_is_over_cannot_be_cancelled(desk: Desk) -> None:
    id_ = desk.send("diagnose", "north-1")
    desk.heard(id_, 2, "succeeded")
    assert f"{id_} is succeeded; there is nothing to cancel" in desk.refused("cancel", id_)


def test_an_id_that_several_commands_begin_with_is_refused(desk: Desk) -> None:
    ids = [desk.send("diagnose", "north-1") for _ in range(2)]
    assert "several commands' ids do; give more of it" in desk.refused("status", ids[0][:6])


KEYS: list[tuple[Callable[[Desk], tuple[str, ...]], str]] = [
    (lambda _: (), "your key is not named"),
    (lambda desk: ("--key", f"{desk.folder}/none.pem"), "none.pem"),
    (lambda desk: ("--key", f"{desk.folder}/anna.pub"), "this is the public half"),
    (
        lambda desk: ("--key", f"{desk.folder}/anna.pem", "--passphrase-file", f"{desk.folder}/wrong"),
        "the passphrase is wrong, or the file is damaged",
    ),
    (lambda desk: ("--key", f"{desk.folder}/anna.pem"), "no terminal to ask for the passphrase at"),
]


@pytest.mark.parametrize(("named", "sentence"), KEYS, ids=[sentence for _, sentence in KEYS])
def test_without_a_key_that_signs_nothing_is_ordered(
    desk: Desk, named: Callable[[Desk], tuple[str, ...]], sentence: str
) -> None:
    assert sentence in desk.refused("send", "diagnose", "north-1", *named(desk), key=False)
    assert sentence in desk.refused("desire", "north-1", "rules=none", *named(desk), key=False)
    assert desk.asked.history() == []


def test_a_root_key_orders_nothing_whether_a_trust_is_published_or_not(desk: Desk) -> None:
    keyring.make(desk.folder / "vault.pem", "root", "vault", None, b"correct horse")
    named = ("--key", f"{desk.folder}/vault.pem", "--passphrase-file", f"{desk.folder}/nowhere")  # it is not asked for
    assert "vault: is a root key, which signs the trust and no order" in desk.refused(
        "send", "diagnose", "north-1", *named
    )
    assert desk.asked.history() == []


def test_what_devices_would_refuse_by_the_published_trust_is_refused_at_once(desk: Desk) -> None:
    def publish(version: int, *keys: TrustedKey, revoked: tuple[RevokedKey, ...] = ()) -> None:
        ends_ns = desk.now_ns + 50 * HOUR
        trust = Trust(trust_version=version, issued_at_ns=desk.now_ns, ends_at_ns=ends_ns, keys=keys, revoked=revoked)
        desk.book.take_trust(version, ends_ns, told(trust))

    anna = keyring.load_public(desk.folder / "anna.pub")
    publish(1, trusted("bert", since=0, until=desk.now_ns + HOUR))
    assert "the published trust does not know this key" in desk.refused("send", "diagnose", "north-1")
    known = TrustedKey(key=anna.raw, name="anna", role="operator", not_before_ns=0, not_after_ns=desk.now_ns + HOUR)
    publish(2, known)
    assert "anna: is an operator, and restart takes an administrator" in desk.refused("send", "restart", "north-1")
    assert "a desired state takes an administrator" in desk.refused("desire", "north-1", "rules=none")
    assert desk.asked.history() == []
    desk.send("diagnose", "north-1")
    publish(3, known.model_copy(update={"not_after_ns": desk.now_ns}))
    assert "is not trusted now" in desk.refused("send", "diagnose", "north-1")
    publish(4, revoked=(RevokedKey(key=anna.id, revoked_at_ns=desk.now_ns),))
    assert "was revoked" in desk.refused("send", "diagnose", "north-1")


def test_a_database_that_is_away_is_one_sentence(desk: Desk) -> None:
    desk.environment["PLATEFLEET_CONSOLE_DATABASE"] = "postgresql://nobody@127.0.0.1:1/none"
    assert "127.0.0.1" in desk.refused("devices")
    desk.environment["PLATEFLEET_CONSOLE_DATABASE"] = f"sqlite:///{desk.folder}/no/such/console.db"
    assert "console.db" in desk.refused("devices")
    desk.environment["PLATEFLEET_CONSOLE_DATABASE"] = f"sqlite:///{desk.folder}/secret"
    assert "secret" in desk.refused("devices")


# Watching.


def test_watch_without_a_terminal_is_a_line_for_each_change_and_fails_if_one_did(desk: Desk) -> None:
    well, ill = desk.send("diagnose", "north-1"), desk.send("diagnose", "south-1")
    desk.heard(well, 2, "succeeded")
    desk.heard(ill, 2, "failed", "south-1", reason="no disk")
    assert desk.well("watch", well) == "north-1: diagnose succeeded\n"
    done = desk.run("watch", well, ill)
    assert done.exit_code == 1
    assert "south-1: diagnose failed: no disk" in done.stdout
    assert desk.well("watch") == "no command is open\n"
