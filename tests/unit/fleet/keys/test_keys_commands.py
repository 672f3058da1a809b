"""`platefleet keys …` as a person types it: from two roots to a revoked key, and what is said of mistakes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from platefleet.fleet.keys import pkcs8
from platefleet.fleet.keys.cli import app
from platefleet.fleet.keys.errors import KeyringError
from platefleet.fleet.keys.keyring import load_public, load_signer
from platefleet.fleet.keys.place import Place
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.codec import encode
from platefleet.protocol.errors import PlatefleetError
from platefleet.protocol.moments import DAY_NS
from platefleet.protocol.process_lock import ProcessLock
from platefleet.protocol.trust import Opened, Operator, Reason, Refused, TrustState, adopt, authorize, open_signed


class Desk:
    """An administrator's machine: its own configuration folder, and a file with the passphrase."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = Place(folder / "platefleet" / "trust.msgpack", folder / "platefleet" / "roots.pub")
        self.secret = folder / "secret"
        folder.mkdir(exist_ok=True)
        self.secret.write_text("correct horse\n")
        self.secret.chmod(0o600)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command; an error of ours is status 1 and its sentence, as the root prints it."""
        environment = {
            "XDG_CONFIG_HOME": str(self.folder),
            "PLATEFLEET_KEY_PASSPHRASE_FILE": str(self.secret),
            "COLUMNS": "200",
        }
        done = CliRunner().invoke(app, list(arguments), env=environment)
        if isinstance(done.exception, PlatefleetError):
            return 1, done.stdout, str(done.exception)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.stdout, done.stderr

    def told(self, *arguments: str) -> Any:
        status, out, said = self.run(*arguments, "--json")
        assert status == 0, said
        return json.loads(out)

    def refused(self, *arguments: str) -> str:
        status, out, said = self.run(*arguments)
        assert status == 1, out
        assert said.isprintable()
        return said

    def key(self, name: str, ending: str = "pem") -> str:
        return str(self.folder / "platefleet" / "keys" / f"{name}.{ending}")

    def state(self) -> TrustState:
        return self.place.state()


class DeskWithoutSecret(Desk):
    """The same desk, where no file holds the passphrase."""

    def __init__(self, desk: Desk) -> None:
        self.folder, self.place, self.secret = desk.folder, desk.place, Path()

    def run(self, *arguments: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(app, list(arguments), env={"XDG_CONFIG_HOME": str(self.folder)})
        said = str(done.exception) if isinstance(done.exception, PlatefleetError) else done.stderr
        return done.exit_code, done.stdout, said


@pytest.fixture(scope="module", autouse=True)
def _fast() -> Iterator[None]:
    """Stretching a passphrase for a third of a second protects nothing here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pkcs8, "COST", 16)
        yield


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory, _fast: None) -> Path:
    """Two roots, and a trust that names anna (administrator) and bert (operator)."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    for root in ("vault", "safe"):
        desk.told("new", "--root", root)
    desk.told("new", "--operator", "anna", "--role", "administrator")
    desk.told("new", "--operator", "bert")
    desk.told("trust", desk.key("anna", "pub"), desk.key("bert", "pub"), "--by", desk.key("vault"))
    return desk.folder


@pytest.fixture
def desk(furnished: Path, tmp_path: Path) -> Desk:
    """The furnished desk, for this test alone."""
    shutil.copytree(furnished, tmp_path / "desk")
    return Desk(tmp_path / "desk")


def now() -> int:
    return SystemClock().now().utc_ns


def test_every_command_is_there_with_an_example_in_its_help(tmp_path: Path) -> None:
    for command in ("new", "show", "trust", "rotate", "revoke"):
        status, out, _ = Desk(tmp_path).run(command, "--help")
        assert status == 0
        assert "Example: platefleet keys" in out


def test_what_an_administrator_signs_a_device_that_knows_the_roots_takes(desk: Desk) -> None:
    known = desk.place.known_roots()
    published = desk.place.trust.read_bytes()
    assert known is not None
    device = adopt(TrustState(), published, known, now())
    assert isinstance(device, TrustState)
    anna = load_signer(Path(desk.key("anna")), lambda _: b"correct horse")
    opened = open_signed(device, encode(anna.sign("command", b"restart")), "command", now())
    assert opened == Opened(b"restart", Operator("anna", "administrator", anna.public.id))


def test_a_private_key_is_closed_to_others_and_the_public_one_is_not(desk: Desk) -> None:
    assert Path(desk.key("anna")).stat().st_mode & 0o777 == 0o600
    assert Path(desk.key("anna", "pub")).stat().st_mode & 0o777 == 0o644
    assert "ENCRYPTED PRIVATE KEY" in Path(desk.key("anna")).read_text()


def test_a_key_without_a_passphrase_says_so_only_when_asked_to(desk: Desk) -> None:
    path = desk.folder / "robot.pem"
    status, _, said = DeskWithoutSecret(desk).run("new", "--operator", "robot", "--no-passphrase", "--out", str(path))
    assert status == 0, said
    assert "BEGIN PRIVATE KEY" in path.read_text()
    path.chmod(0o640)
    assert "others may read this key, and it has no passphrase" in desk.refused("trust", "--by", str(path))


def test_without_a_terminal_and_a_file_nobody_is_asked_for_a_passphrase(desk: Desk) -> None:
    status, _, said = DeskWithoutSecret(desk).run("new", "--operator", "carl")
    assert status == 1
    assert said == "carl: no terminal to ask for the passphrase at; name a --passphrase-file."
    assert not Path(desk.key("carl")).exists()


def test_a_key_is_never_written_over(desk: Desk) -> None:
    before = Path(desk.key("anna")).read_bytes()
    assert "is there already and is not written over" in desk.refused("new", "--operator", "anna")
    assert Path(desk.key("anna")).read_bytes() == before


def test_show_says_who_holds_a_key_and_until_when_it_is_trusted(desk: Desk) -> None:
    for ending in ("pub", "pem"):
        shown = desk.told("show", desk.key("anna", ending))
        assert (shown["name"], shown["role"], shown["trusted"], shown["trust_version"]) == (
            "anna",
            "administrator",
            True,
            1,
        )
        assert shown["trusted_until"] < shown["key_until"]  # the trust ends first
    assert desk.told("show", desk.key("vault"))["by"].startswith("believed as a root by")
    desk.told("new", "--operator", "carl")
    assert desk.told("show", desk.key("carl"))["why"].startswith("key")
    status, out, _ = desk.run("show", desk.key("carl"))
    assert status == 0
    assert "trust  not trusted: " in out


def test_show_lists_a_trust(desk: Desk) -> None:
    shown = desk.told("show")
    assert [(each["name"], each["role"], each["state"]) for each in shown["keys"]] == [
        ("anna", "administrator", "trusted"),
        ("bert", "operator", "trusted"),
    ]
    assert (shown["version"], shown["signed_by"], shown["ended"], shown["revoked"]) == (1, "vault", False, [])
    assert desk.told("show", str(desk.place.trust)) == shown
    status, out, _ = desk.run("show")
    assert status == 0
    assert "ends in 90.0 days" in out
    assert "administrator" in out


def test_a_renewal_keeps_everybody_and_rises(desk: Desk) -> None:
    before = desk.state().adopted
    assert desk.told("trust", "--by", desk.key("safe"), "--days", "30")["version"] == 2
    after = desk.state().adopted
    assert before is not None
    assert after is not None
    assert after.trust.keys == before.trust.keys
    assert after.trust.ends_at_ns - after.trust.issued_at_ns == 30 * DAY_NS


def test_a_key_that_is_trusted_already_is_renewed_and_may_change_its_role(desk: Desk) -> None:
    desk.told(
        "trust", desk.key("bert", "pub"), "--by", desk.key("vault"), "--key-days", "400", "--role", "administrator"
    )
    bert = next(each for each in desk.told("show")["keys"] if each["name"] == "bert")
    assert bert["role"] == "administrator"
    assert len(desk.told("show")["keys"]) == 2


def test_rotation_lets_the_key_before_hold_for_the_overlap(desk: Desk) -> None:
    new = desk.folder / "anna-2.pem"
    desk.told("new", "--operator", "anna", "--out", str(new))
    desk.told("rotate", str(new.with_suffix(".pub")), "--by", desk.key("vault"))
    old_id, new_id = load_public(Path(desk.key("anna"))).id, load_public(new).id
    state, in_a_week = desk.state(), now() + 7 * DAY_NS
    assert authorize(state, new_id, now()) == Operator("anna", "administrator", new_id)
    assert authorize(state, old_id, now()) == Operator("anna", "administrator", old_id)
    assert isinstance(authorize(state, new_id, in_a_week), Operator)
    ended = authorize(state, old_id, in_a_week)
    assert isinstance(ended, Refused)
    assert ended.reason is Reason.KEY_ENDED


@pytest.mark.parametrize("by", ["name", "id"])
def test_a_revoked_key_is_refused_and_cannot_come_back(desk: Desk, by: str) -> None:
    bert = load_public(Path(desk.key("bert"))).id
    desk.told("revoke", "bert" if by == "name" else bert, "--by", desk.key("safe"))
    judged = authorize(desk.state(), bert, now())
    assert isinstance(judged, Refused)
    assert judged.reason is Reason.REVOKED
    assert "was revoked and stays so" in desk.refused("trust", desk.key("bert", "pub"), "--by", desk.key("vault"))
    assert "is revoked already" in desk.refused("revoke", bert, "--by", desk.key("vault"))
    assert [each["key"] for each in desk.told("show")["revoked"]] == [bert]


def test_a_second_root_comes_from_another_machine_by_its_public_half(tmp_path: Path) -> None:
    here, there = Desk(tmp_path / "here"), Desk(tmp_path / "there")
    here.told("new", "--root", "vault")
    there.told("new", "--root", "safe")
    here.told("trust", "--root", there.key("safe", "pub"), "--by", here.key("vault"))
    known = here.place.known_roots()
    assert known is not None
    assert [each.name for each in known.named] == ["vault", "safe"]
    assert here.told("trust", "--by", there.key("safe"))["version"] == 2


def test_a_single_root_is_warned_of(tmp_path: Path) -> None:
    status, _, said = Desk(tmp_path).run("new", "--root", "vault")
    assert status == 0
    assert "only one root key is configured (vault)" in said


def test_a_private_half_that_is_handed_over_is_told(desk: Desk) -> None:
    status, _, said = desk.run("trust", desk.key("anna"), "--by", desk.key("vault"))
    assert status == 0
    assert "is the private half, which its holder alone should have; its public half was taken" in said
    assert "private half" not in desk.run("trust", desk.key("anna", "pub"), "--by", desk.key("vault"))[2]


MISTAKES = {
    "no kind of key": (["new"], "name one of --root NAME and --operator NAME"),
    "two kinds of key": (["new", "--root", "a", "--operator", "b"], "name one of"),
    "a role for a root": (["new", "--root", "a", "--role", "operator"], "a root key has no role"),
    "a role that is none": (["new", "--operator", "a", "--role", "king"], "'king' is no role"),
    "a name that is none": (["new", "--operator", "an na"], "cannot name a key"),
    "a name that is a path": (["new", "--operator", "../anna"], "cannot name a key"),
    "a private key that is public": (["trust", "--by", "{vault.pub}"], "this is the public half"),
    "a key that is no root": (["trust", "--by", "{anna.pem}"], "only a root key signs a trust"),
    "a root that is to command": (["trust", "{safe.pub}", "--by", "{vault.pem}"], "signs the trust and nothing else"),
    "an operator that is to be a root": (["trust", "--root", "{anna.pub}", "--by", "{vault.pem}"], "not a root's"),
    "a file that is not there": (["trust", "/nowhere/x.pub", "--by", "{vault.pem}"], "No such file"),
    "a file that is no key": (["trust", "{secret}", "--by", "{vault.pem}"], "this is no public key"),
    "too many days": (["trust", "--by", "{vault.pem}", "--days", "91"], "--days: 91 days cannot be used; 1 to 90"),
    "no days": (["trust", "{anna.pub}", "--by", "{vault.pem}", "--key-days", "0"], "--key-days: 0 days"),
    "a long overlap": (["rotate", "{anna.pub}", "--by", "{vault.pem}", "--overlap-days", "91"], "--overlap-days: 91"),
    "rotation to the same key": (["rotate", "{anna.pub}", "--by", "{vault.pem}"], "trusted already"),
    "revoking a stranger": (["revoke", "carl", "--by", "{vault.pem}"], "trusted are anna, bert"),
    "showing nothing": (["show", "/nowhere"], "cannot be read"),
    "showing what is no trust": (["show", "{secret}"], "damaged"),
}


@pytest.mark.parametrize(("arguments", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gets_one_sentence_and_changes_nothing(desk: Desk, arguments: list[str], says: str) -> None:
    names = {
        f"{name}.{ending}": desk.key(name, ending) for name in ("vault", "safe", "anna") for ending in ("pem", "pub")
    }
    before = desk.place.trust.read_bytes()
    filled = [names.get(each[1:-1], each) if each.startswith("{") else each for each in arguments]
    assert says in desk.refused(*(str(desk.secret) if each == "{secret}" else each for each in filled))
    assert desk.place.trust.read_bytes() == before


def test_a_name_that_is_taken_is_rotated_and_not_added(desk: Desk) -> None:
    other = desk.folder / "other.pem"
    desk.told("new", "--operator", "anna", "--out", str(other))
    said = desk.refused("trust", str(other.with_suffix(".pub")), "--by", desk.key("vault"))
    assert "has another key already" in said


def test_a_root_whose_name_is_taken_is_not_even_made(desk: Desk) -> None:
    other = desk.folder / "other.pem"
    assert "a root of this name is in" in desk.refused("new", "--root", "vault", "--out", str(other))
    assert not other.exists()


def test_a_wrong_passphrase_is_told_and_a_short_one_not_taken(desk: Desk) -> None:
    desk.secret.write_text("wrong horse\n")
    assert "the passphrase is wrong" in desk.refused("trust", "--by", desk.key("vault"))
    desk.secret.write_text("short\n")
    assert "8 characters at least" in desk.refused("new", "--operator", "carl")
    desk.secret.write_text("two\nlines\n")
    assert "on one line" in desk.refused("trust", "--by", desk.key("vault"))


def test_a_key_under_somebody_elses_line_is_no_key(desk: Desk) -> None:
    anna, bert = Path(desk.key("anna")), Path(desk.key("bert"))
    mixed = anna.read_text().splitlines()[:1] + bert.read_text().splitlines()[1:]
    bert.write_text("\n".join(mixed) + "\n")
    with pytest.raises(KeyringError, match="holds another key than its first line says"):
        load_signer(bert, lambda _: b"correct horse")


def test_an_encrypted_key_that_others_may_read_is_used_with_a_warning(desk: Desk) -> None:
    Path(desk.key("vault")).chmod(0o644)
    status, _, said = desk.run("trust", "--by", desk.key("vault"))
    assert status == 0
    assert "others may read this file" in said


def test_an_older_trust_file_that_was_put_back_is_refused(desk: Desk) -> None:
    old = desk.place.trust.read_bytes()
    desk.told("revoke", "bert", "--by", desk.key("vault"))
    desk.place.trust.write_bytes(old)
    assert "trust 1 is not the newest, 2" in desk.refused("trust", "--by", desk.key("vault"))
    assert desk.place.trust.read_bytes() == old


def test_two_cannot_change_the_trust_at_once(desk: Desk) -> None:
    lock = ProcessLock(desk.place.trust.with_name(".trust.msgpack.lock"))
    try:
        assert "is changing it" in desk.refused("trust", "--by", desk.key("vault"))
    finally:
        lock.release()


def test_without_roots_no_trust_is_believed(desk: Desk) -> None:
    desk.place.roots.unlink()
    assert "so no root key is known" in desk.refused("show")
    assert "so no root key is known" in desk.refused("trust", "--by", desk.key("vault"))
