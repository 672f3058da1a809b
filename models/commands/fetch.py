"""`models fetch`: an ONNX source over HTTPS, from hosts that were allowed, by its digest and size."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platefleet.models.commands.terminal import AsJson, Role, StoreFolder, progress, role_of, say, store_at


def mount(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        epilog="Example: platefleet models fetch https://models.example/plates.onnx --role plate "
        "--host models.example --sha256 2cf3… --size 12180113"
    )
    def fetch(  # noqa: PLR0917 - typer's signature is the command line's
        url: Annotated[str, typer.Argument(metavar="URL", help="https://HOST/FILE.onnx; redirects are not followed.")],
        role: Role,
        sha256: Annotated[str, typer.Option(help="The digest it must have.")],
        size: Annotated[int, typer.Option(min=1, help="Its size in bytes.")],
        host: Annotated[
            list[str],
            typer.Option(envvar="PLATEFLEET_MODEL_HOSTS", help="A host that models may come from; may be repeated."),
        ],
        ca: Annotated[Path | None, typer.Option(metavar="PEM", help="Believe these certificate authorities.")] = None,
        token_file: Annotated[
            Path | None, typer.Option(metavar="FILE", help="Send the token in this file as a bearer's.")
        ] = None,
        store: StoreFolder = None,
        as_json: AsJson = False,
    ) -> None:
        """Fetch an ONNX source into the store; what broke off before goes on where it stopped.

        No proxy is taken from the environment.
        """
        from platefleet.models.artifacts.arriving import fetch_source  # noqa: PLC0415 - heavy
        from platefleet.models.artifacts.https import Wanted  # noqa: PLC0415 - heavy

        named = role_of(role)
        wanted = Wanted(url, sha256.lower(), size, tuple(host), ca, _token(token_file))
        with progress(f"{role} source") as tell:
            new = fetch_source(
                store_at(store), named, wanted, progress=lambda done, of: tell(f"{done >> 20} MiB", done / of)
            )
        told = "fetched" if new else "was there already"
        say(
            {"role": role, "source": wanted.sha256, "fetched": new},
            [f"{role}: source {wanted.sha256} {told}"],
            as_json=as_json,
        )


def _token(path: Path | None) -> str:
    """Return the token in a file. Raises ConfigError."""
    from platefleet.protocol.errors import ConfigError  # noqa: PLC0415

    if path is None:
        return ""
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--token-file: {path} cannot be read ({error}); check it.") from error
    if not token or not token.isprintable() or " " in token:
        raise ConfigError(f"--token-file: {path} holds no token; it is one word on one line.")
    return token
