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
            Path | None,
            typer.Option(metavar="DIR", help="Pictures, with labels in YOLO's or COCO's form or without."),
        ] = None,
        own: Annotated[
            bool, typer.Option("--own", help="Count the frames too that the agent kept in the store, by agreement.")
        ] = False,
        own_folder: Annotated[
            Path | None,
            typer.Option(metavar="DIR", help="The same, where own_frames.folder of the agent's settings has them."),
        ] = None,
        threshold: Annotated[
            float, typer.Option(min=0.01, max=0.99, help="The baseline's operating confidence.")
        ] = 0.25,
        lost: Annotated[
            float | None,
            typer.Option(min=0.0001, max=0.5, help="Share that may be lost, 0-1.", show_default="0.01; INT8: 0.03"),
        ] = None,
        faster: Annotated[float, typer.Option(min=0.1, help="How many times as fast it has to be.")] = 1.1,
        retune: Annotated[
            float,
            typer.Option(min=0.0, max=0.2, help="How far its threshold may move to meet the baseline's."),
        ] = 0.02,
        worst: Annotated[
            Path | None, typer.Option(metavar="DIR", help="Write the frames of the worst disagreements there.")
        ] = None,
        store: StoreFolder = None,
        as_json: AsJson = False,
    ) -> None:
        """Measure an artifact and its baseline on the same frames and judge it; its passport keeps the verdict."""
        from dataclasses import replace  # noqa: PLC0415

        from platefleet.models.acceptance.acceptance import accept  # noqa: PLC0415 - heavy
        from platefleet.models.acceptance.dataset import load_dataset, pooled  # noqa: PLC0415
        from platefleet.models.acceptance.verdict import limits_for  # noqa: PLC0415
        from platefleet.models.own_days import held  # noqa: PLC0415
        from platefleet.protocol.errors import ConfigError  # noqa: PLC0415

        here = store_at(store)
        kept = own_folder or (here.root / "frames" / "evaluation" if own else None)
        if frames is None and kept is None:
            raise ConfigError("--frames: name a folder with pictures, or count the device's own frames with --own.")
        passport = found(here, key)
        with here.staged(passport.recipe.role) as room, progress(passport.title) as tell:
            folders = (frames, None if kept is None else held(kept, room / "own"))
            sets = [load_dataset(folder) for folder in folders if folder is not None]
            dataset = pooled(*sets) if len(sets) == 2 else sets[0]
            chosen = limits_for(passport.recipe.precision)
            limits = replace(chosen, lost=lost or chosen.lost, faster=faster, threshold_most=retune)
            judged = accept(here, passport, dataset, threshold=threshold, limits=limits, worst=worst, tell=tell)
        verdict = judged.passport.verdict
        lines = [f"{passport.title}: {verdict.judged}: {verdict.reason}", *judged.lines]
        if verdict.judged == "undecided" and kept is None:
            lines.append("--own counts the frames too that the agent kept on this device")
        active = here.active(passport.recipe.role)
        if verdict.judged == "rejected" and active is not None and active.key == passport.key:
            lines.append(f"it is active: platefleet models rollback --role {passport.recipe.role}")
        say({**judged.passport.model_dump(mode="json"), "metrics": judged.metrics}, lines, as_json=as_json)
