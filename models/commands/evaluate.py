"""`models evaluate`: an artifact measured and judged against its baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platefleet.models.commands.terminal import AsJson, Key, StoreFolder, found, progress, say, store_at


def mount(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog="Example: platefleet models evaluate 3f2a --frames photos/ --worst out/")
    def evaluate(  # noqa: PLR0917 - typer's signature is the command line's
        key: Key,
        frames: Annotated[
            Path, typer.Option(metavar="DIR", help="Pictures, with labels in YOLO's or COCO's form or without.")
        ],
        threshold: Annotated[
            float, typer.Option(min=0.01, max=0.99, help="The baseline's operating confidence.")
        ] = 0.25,
        worst: Annotated[
            Path | None, typer.Option(metavar="DIR", help="Write the frames of the worst disagreements there.")
        ] = None,
        store: StoreFolder = None,
        as_json: AsJson = False,
    ) -> None:
        """Measure an artifact and its baseline on the same frames and judge it; its passport keeps the verdict."""
        from platefleet.models.acceptance.acceptance import accept  # noqa: PLC0415 - heavy
        from platefleet.models.acceptance.dataset import load_dataset  # noqa: PLC0415

        here = store_at(store)
        dataset = load_dataset(frames)
        passport = found(here, key)
        with progress(passport.title) as tell:
            judged = accept(here, passport, dataset, threshold=threshold, worst=worst, tell=tell)
        verdict = judged.passport.verdict
        lines = [f"{passport.title}: {verdict.judged}: {verdict.reason}", *judged.lines]
        active = here.active(passport.recipe.role)
        if verdict.judged == "rejected" and active is not None and active.key == passport.key:
            lines.append(f"it is active: platefleet models rollback --role {passport.recipe.role}")
        say({**judged.passport.model_dump(mode="json"), "metrics": judged.metrics}, lines, as_json=as_json)
