"""What the commands share: where keys and trust lie, how a passphrase is asked for, how a warning is given."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Annotated

import typer

from platefleet.fleet.keys.errors import KeyringError
from platefleet.fleet.keys.keyring import Passphrase, offered
from platefleet.fleet.keys.place import ROOTS_NAME, TRUST_NAME, Place, config_folder
from platefleet.protocol.messages.trust import KeyRole
from platefleet.protocol.printable import printable
from platefleet.protocol.trust import PublicKey

By = Annotated[Path, typer.Option("--by", envvar="PLATEFLEET_ROOT_KEY", help="The root key to sign with.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(envvar="PLATEFLEET_KEY_PASSPHRASE_FILE", help="A file that holds the passphrase; else it is asked."),
]
Days = Annotated[int, typer.Option("--days", help="How long the trust holds, at most 90; renew it before.")]
KeyDays = Annotated[int, typer.Option(help="How long the key is trusted, at most 1096.")]
Role = Annotated[str | None, typer.Option(help="operator or administrator; else what the key's own line asks.")]
RoleOfNew = Annotated[
    str | None,
    typer.Option("--role", help="What the key is to be trusted as: operator (unless given) or administrator."),
]


def place(trust: Path | None, roots: Path | None) -> Place:
    """Return where the trust and its roots lie, in the user's own folder where nothing else is named."""
    folder = config_folder(os.environ)
    return Place(trust or folder / TRUST_NAME, roots or folder / ROOTS_NAME)


def role_of(text: str | None) -> KeyRole | None:
    """Return a role by its name. Raises KeyringError."""
    match text:
        case None | "operator" | "administrator":
            return text
    raise KeyringError(f"--role: {text[:40]!a} is no role; operator or administrator would be right.")


def asked(file: Path | None, *, twice: bool = False) -> Passphrase:
    """Return how a passphrase is got: from a file, or from whoever sits at the terminal (without an echo)."""

    def ask(name: str) -> bytes:
        if file is not None:
            return _read(file)
        if not sys.stdin.isatty():
            raise KeyringError(f"{name}: no terminal to ask for the passphrase at; name a --passphrase-file.")
        said: str = typer.prompt(f"Passphrase of {name}", hide_input=True, confirmation_prompt=twice, err=True)
        return said.encode("utf-8")

    return ask


def public_of(path: Path) -> PublicKey:
    """Return the public key that a person handed over; one who gave its private half is told. Raises KeyringError."""
    public, warning = offered(path)
    warn(warning)
    return public


def warn(sentence: str) -> None:
    """Tell a person on standard error; an empty sentence is none."""
    if sentence:
        typer.echo(printable(f"platefleet: {sentence}"), err=True)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            data = opened.read(4097)
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
    except OSError as error:
        raise KeyringError(f"{file}: the passphrase cannot be read ({error.strerror}).") from error
    secret = data.removesuffix(b"\n").removesuffix(b"\r")
    if not 1 <= len(secret) <= 4096 or b"\n" in secret:
        raise KeyringError(f"{file}: a passphrase on one line, at most 4096 bytes, is wanted.")
    if mode & 0o077:
        warn(f"{file}: others may read this passphrase; `chmod 600 {file}`.")
    return secret
