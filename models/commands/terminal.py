"""What the commands share: where the store is, how a result is printed, how progress is shown."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from platefleet.protocol.errors import ConfigError
from platefleet.protocol.printable import printable

if TYPE_CHECKING:
    from platefleet.models.artifacts.passport import Passport
    from platefleet.models.artifacts.store import ArtifactStore

RoleName = Literal["vehicle", "plate", "reader"]
StoreFolder = Annotated[
    Path | None,
    typer.Option("--store", envvar="PLATEFLEET_ARTIFACTS", help="The store's folder.", show_default="~/.local/share/…"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Role = Annotated[str, typer.Option("--role", help="vehicle, plate or reader.")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="The artifact's key, or how it begins.")]


def store_at(folder: Path | None) -> ArtifactStore:
    """Return the store at `folder`, the user's own where none is named; it may not be there yet. Raises ConfigError."""
    from platefleet.models.artifacts.store import ArtifactStore  # noqa: PLC0415 - heavy

    root = folder or default_folder(os.environ)
    if os.path.exists(root) and not os.path.isdir(root):  # these two raise nothing where a folder may not be entered
        raise ConfigError(f"--store: {root} is no folder; name the store's.")
    return ArtifactStore(root)


def default_folder(environ: Mapping[str, str]) -> Path:
    """Return the user's own store: `platefleet/artifacts` in XDG_DATA_HOME or ~/.local/share.

    >>> default_folder({"XDG_DATA_HOME": "/var/lib/me"})
    PosixPath('/var/lib/me/platefleet/artifacts')
    """
    base = environ.get("XDG_DATA_HOME", "")
    home = Path(base) if os.path.isabs(base) else Path("~/.local/share").expanduser()
    return home / "platefleet" / "artifacts"


def role_of(name: str) -> RoleName:
    """Return a role by its name. Raises ConfigError."""
    match name:
        case "vehicle" | "plate" | "reader":
            return name
    raise ConfigError(f"--role: {name!r} is no role; vehicle, plate or reader would be right.")


def found(store: ArtifactStore, key: str) -> Passport:
    """Return the artifact whose key begins with `key`, whatever its role. Raises ArtifactError."""
    from platefleet.models.artifacts.store import ROLES  # noqa: PLC0415 - heavy
    from platefleet.models.errors import ArtifactError  # noqa: PLC0415

    begin = key.lower()
    hits = [each for role in ROLES for each in store.passports(role) if begin and each.key.startswith(begin)]
    sources = {(p.stem, role) for role in ROLES for p in store.sources(role) if begin and p.name.startswith(begin)}
    if not hits and len({digest for digest, _ in sources}) == 1:
        digest, role = min(sources)
        roles = " and ".join(sorted(each for _, each in sources))
        raise ArtifactError(
            f"{printable(key[:40])}: is a source of {roles}, and what runs is built from one: "
            f"`platefleet models build --role {role} --source {digest[:8]}`"
        )
    if len(hits) != 1:
        told = "no such artifact" if not hits else f"{len(hits)} artifacts begin so"
        raise ArtifactError(f"{printable(key[:40])}: {told}; see `platefleet models list`")
    return hits[0]


def say(result: Any, lines: Sequence[str], *, as_json: bool) -> None:
    """Print a result: as JSON, or as lines for a person."""
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
        return
    for line in lines:
        typer.echo(printable(line))


def table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as a table, their keys as its head."""
    from rich.console import Console  # noqa: PLC0415 - heavy
    from rich.table import Table  # noqa: PLC0415 - heavy
    from rich.text import Text  # noqa: PLC0415 - heavy

    shown = Table()
    for name in rows[0] if rows else ():
        shown.add_column(name, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(printable("" if value is None else str(value))) for value in row.values()))
    Console().print(shown)


@contextmanager
def progress(title: str) -> Iterator[Callable[[str, float | None], None]]:
    """Give a function that shows a step and its share on standard error, where a person watches."""
    from rich.console import Console  # noqa: PLC0415 - heavy
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - heavy

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bars:
        task = bars.add_task(title, total=None)

        def tell(step: str, share: float | None) -> None:
            bars.update(
                task, description=f"{title}: {step}", total=None if share is None else 1.0, completed=share or 0
            )

        yield tell
