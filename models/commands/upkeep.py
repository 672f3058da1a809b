"""`models verify` and `models prune`: looking after the store."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from platefleet.models.commands.terminal import AsJson, StoreFolder, say, store_at


def mount(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command(epilog="Example: platefleet models verify")
    def verify(store: StoreFolder = None, as_json: AsJson = False) -> None:
        """Read every file of the store again and compare it with its digest; status 1 if one is damaged."""
        from platefleet.models.artifacts.upkeep import verify as look  # noqa: PLC0415 - heavy
        from platefleet.models.errors import ArtifactError  # noqa: PLC0415

        here = store_at(store)
        if not os.path.isdir(here.root):  # a typing error is not to say for years that all is well
            raise ArtifactError(f"{here.root}: there is no store; name its folder with --store")
        findings = list(look(here))
        lines = [f"{each.what}: {each.said or 'well'}" for each in findings]
        say([{"what": each.what, "said": each.said} for each in findings], lines, as_json=as_json)
        if any(each.said for each in findings):
            raise typer.Exit(1)

    @app.command(epilog="Example: platefleet models prune --dry-run")
    def prune(
        keep: Annotated[list[str] | None, typer.Option(metavar="KEY", help="Keep this artifact too.")] = None,
        undecided_days: Annotated[
            float,
            typer.Option(min=0, help="Keep what is not decided yet, and was made within so many days; 0: keep none."),
        ] = 60,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
        store: StoreFolder = None,
        as_json: AsJson = False,
    ) -> None:
        """Remove what nothing needs: all but baselines, the active and the previous artifact, and their sources.

        An artifact of which too little was measured may still be accepted, as the device keeps frames of its own: it
        stays for a time.
        """
        from platefleet.models.artifacts.upkeep import prune as clear  # noqa: PLC0415 - heavy
        from platefleet.models.commands.terminal import found  # noqa: PLC0415

        here = store_at(store)
        wanted = [found(here, key).key for key in keep or ()]
        pruned = clear(here, wanted, dry_run=dry_run, undecided_days=undecided_days)
        removed = [str(path.relative_to(here.root)) for path in pruned.removed]
        done = "would go" if dry_run else "removed"
        spared = [
            f"{each.title}: {each.verdict.judged}, and kept for {undecided_days:g} days after it was made "
            "(--undecided-days)"
            for each in pruned.spared
        ]
        say(
            {"removed": removed, "undecided": [each.key for each in pruned.spared], "dry_run": dry_run},
            [*([f"{path}: {done}" for path in removed] or ["nothing to remove"]), *spared],
            as_json=as_json,
        )
