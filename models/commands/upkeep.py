"""`models verify` and `models prune`: looking after the store."""

from __future__ import annotations

from typing import Annotated

import typer

from platefleet.models.commands.terminal import AsJson, StoreFolder, say, store_at


def mount(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command(epilog="Example: platefleet models verify")
    def verify(store: StoreFolder = None, as_json: AsJson = False) -> None:
        """Read every file of the store again and compare it with its digest; status 1 if one is damaged."""
        from platefleet.models.artifacts.upkeep import verify as look  # noqa: PLC0415 - heavy

        findings = list(look(store_at(store)))
        lines = [f"{each.what}: {each.said or 'well'}" for each in findings]
        say([{"what": each.what, "said": each.said} for each in findings], lines, as_json=as_json)
        if any(each.said for each in findings):
            raise typer.Exit(1)

    @app.command(epilog="Example: platefleet models prune --dry-run")
    def prune(
        keep: Annotated[list[str] | None, typer.Option(metavar="KEY", help="Keep this artifact too.")] = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
        store: StoreFolder = None,
        as_json: AsJson = False,
    ) -> None:
        """Remove what nothing needs: all but baselines, the active and the previous artifact, and their sources."""
        from platefleet.models.artifacts.upkeep import prune as clear  # noqa: PLC0415 - heavy
        from platefleet.models.commands.terminal import found  # noqa: PLC0415

        here = store_at(store)
        wanted = [found(here, key).key for key in keep or ()]
        removed = [str(path.relative_to(here.root)) for path in clear(here, wanted, dry_run=dry_run)]
        done = "would go" if dry_run else "removed"
        say(
            {"removed": removed, "dry_run": dry_run},
            [f"{path}: {done}" for path in removed] or ["nothing to remove"],
            as_json=as_json,
        )
