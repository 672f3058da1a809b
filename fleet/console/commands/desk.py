"""What the operators' commands do before anything else: open the database, see who is meant, load the key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from platefleet.fleet.console.asked import Asked
from platefleet.fleet.console.book import Book
from platefleet.fleet.console.database import ConsoleDatabase
from platefleet.fleet.console.errors import ConsoleError
from platefleet.fleet.console.known import Known, Wanted, choose, known_of
from platefleet.fleet.console.rights import refusal
from platefleet.fleet.keys.keyring import Signer, load_public, load_signer
from platefleet.fleet.keys.options import asked as passphrase
from platefleet.fleet.keys.options import warn
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.messages.trust import KeyRole


@dataclass(frozen=True)
class Open:
    """An open console database and the time it was opened."""

    book: Book
    asked: Asked
    now_ns: int

    def meant(self, wanted: Wanted) -> list[Known]:
        """Return the devices that are meant. Raises ConsoleError if a name is none, or nobody is meant."""
        devices = [known_of(row) for row in self.asked.devices()]
        chosen, unknown = choose(wanted, devices)
        if unknown:
            raise ConsoleError(f"{', '.join(unknown)}: the console knows no such device; see `fleet devices`.")
        if wanted.everything and wanted.names:
            raise ConsoleError("--all and names of devices contradict each other; say one of them.")
        if wanted.nothing:
            raise ConsoleError("no device is named; name some, choose by --site or --label, or say --all.")
        if not chosen:
            raise ConsoleError("no device fits what was said; see `platefleet fleet devices`.")
        return chosen

    def commanded(self, wanted: Wanted) -> list[Known]:
        """Return the devices that an order is meant for: a gate takes none, so only its name means one.

        Raises ConsoleError as `meant` does.
        """
        meant = self.meant(wanted)
        chosen = [device for device in meant if device.kind != "gate" or device.name in wanted.names]
        if not chosen:
            raise ConsoleError("only gates fit what was said, and they take no orders; see `platefleet fleet devices`.")
        return chosen

    def command(self, text: str) -> str:
        """Return the id of a command by how it begins or ends. Raises ConsoleError if none or several do."""
        found = self.asked.by_prefix(text) if text else []
        if len(found) != 1:
            many = "no command's id begins or ends so" if not found else "several commands' ids do; give more of it"
            raise ConsoleError(f"{text[:40]!a}: {many}; see `platefleet fleet history`.")
        return found[0]


@contextmanager
def opened(url: str, *, make: bool = False) -> Iterator[Open]:
    """Open the console's database; make: begin one where there is none. Raises ConfigError, StoreError."""
    now_ns = SystemClock().now().utc_ns
    database = ConsoleDatabase(url, now_utc_ns=now_ns, make=make)
    try:
        yield Open(Book(database), Asked(database), now_ns)
    finally:
        database.close()


def entitled(open_: Open, signer: Signer, needed: KeyRole, what: str) -> Signer:
    """Return the signer if devices would take what it signs. Raises ConsoleError."""
    why = refusal(open_.book.retained()[1], signer, needed, what, open_.now_ns)
    if why:
        raise ConsoleError(why)
    return signer


def signer_of(key: Path | None, passphrase_file: Path | None) -> Signer:
    """Return the operator's key, ready to sign. Raises ConsoleError, KeyringError."""
    if key is None:
        raise ConsoleError("your key is not named; say --key FILE, or set PLATEFLEET_KEY.")
    public = load_public(key)
    if public.kind == "root":  # before anybody types its passphrase at an operator's desk
        raise ConsoleError(f"{public.name}: is a root key, which signs the trust and no order; take an operator's.")
    signer = load_signer(key, passphrase(passphrase_file))
    warn(signer.warning)
    return signer
