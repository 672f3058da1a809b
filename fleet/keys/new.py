"""`keys new`: make a key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from platefleet.fleet.keys.errors import KeyringError
from platefleet.fleet.keys.keyring import make, public_path
from platefleet.fleet.keys.options import PassphraseFile, RoleOfNew, asked, place, role_of, warn
from platefleet.fleet.keys.paths import RootsPath
from platefleet.fleet.keys.place import config_folder
from platefleet.models.commands.terminal import AsJson, say
from platefleet.protocol.trust.public_key import KeyKind, checked_name


def mount(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog="Example: platefleet keys new --operator anna --role administrator")
    def new(
        *,
        root: Annotated[str | None, typer.Option(help="Make a root key of this name; it signs the trust.")] = None,
        operator: Annotated[str | None, typer.Option(help="Make the key of this person; it signs commands.")] = None,
        role: RoleOfNew = None,
        out: Annotated[
            Path | None,
            typer.Option(help="The private half's file.", show_default="~/.config/platefleet/keys/NAME.pem"),
        ] = None,
        passphrase_file: PassphraseFile = None,
        no_passphrase: Annotated[
            bool, typer.Option("--no-passphrase", help="Whoever gets at the file has the key.")
        ] = False,
        roots: RootsPath = None,
        as_json: AsJson = False,
    ) -> None:
        """Make a key: the private half, which its holder alone keeps, and the public one beside it (`….pub`).

        A file is never written over. A root key is also added to the roots that this machine believes.
        """
        name = root or operator
        if name is None or (root is not None and operator is not None):
            raise KeyringError("name one of --root NAME and --operator NAME.")
        given = role_of(role)
        if root is not None and given is not None:
            raise KeyringError(f"{root}: a root key has no role; leave --role out.")
        if no_passphrase and passphrase_file is not None:
            raise KeyringError("--no-passphrase and --passphrase-file contradict each other; name one.")
        path = out or config_folder(os.environ) / "keys" / f"{checked_name(name)}.pem"
        here = place(None, roots)
        if out is not None and not out.absolute().parent.is_dir():  # a stick that is not in, and the key on this disk
            raise KeyringError(f"{out}: its folder is not there; make it, or put the medium in that is meant.")
        if path.exists() or public_path(path).exists():  # before anybody thinks of a passphrase
            raise KeyringError(f"{path}: is there already and is not written over; name another file with --out.")
        if root is not None:
            here.free_for_root(root)
        secret = None if no_passphrase else asked(passphrase_file, twice=True)(checked_name(name))
        kind: KeyKind = "operator" if root is None else "root"
        public = make(path, kind, name, (given or "operator") if root is None else None, secret)
        lines = [f"{name}: key {public.id}", f"private: {path}", f"public: {public_path(path)}", public.line()]
        if root is not None:
            known = here.believe([public])
            lines.append(f"believed here: {here.roots}")
            warn("" if known is None else known.warning)
        result = {"name": name, "kind": kind, "role": public.role, "key": public.id, "line": public.line()}
        say(result | {"private": str(path), "public": str(public_path(path))}, lines, as_json=as_json)
