"""`models activate` and `models rollback`: what runs."""

from __future__ import annotations

from typing import Annotated

import typer

from platefleet.models.commands.terminal import AsJson, Key, Role, StoreFolder, found, progress, role_of, say, store_at


def mount(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command(epilog="Example: platefleet models activate 3f2a")
    def activate(
        key: Key,
        undecided: Annotated[
            bool, typer.Option("--undecided", help="Also if too little was measured; it is watched longer.")
        ] = False,
        store: StoreFolder = None,
        as_json: AsJson = False,
    ) -> None:
        """Let an accepted artifact run. It is on trial until it is confirmed; a restart before that rolls it back.

        What memory is free is looked at first. Where what runs has to be closed before it is opened, the pause is told;
        a running agent makes it when no car is there.
        """
        from dataclasses import asdict  # noqa: PLC0415

        from platefleet.models.artifacts.activation import Active, activated  # noqa: PLC0415 - heavy
        from platefleet.models.artifacts.opening import checked  # noqa: PLC0415 - heavy
        from platefleet.models.artifacts.room import Beside, free_memory, need_of, way  # noqa: PLC0415 - heavy

        here = store_at(store)
        passport = found(here, key)

        def decide(now: Active | None) -> Active:
            return activated(now, passport, undecided_named=undecided)

        decide(here.active(passport.recipe.role))  # what may not run is not tried first
        chosen = way(need_of(passport, here.model(passport).stat().st_size), free_memory())
        if isinstance(chosen, Beside):
            with progress(passport.title) as tell:
                tell("running it once in a child", None)
                checked(here, passport)
        active = here.choose(passport.recipe.role, decide)
        state = "active" if active.confirmed else "on trial"
        beside = isinstance(chosen, Beside)
        told = chosen.said if beside else f"{chosen.said}, which a running agent makes as soon as no car is there"
        say(
            {"role": passport.recipe.role, **asdict(active), "loading": {"beside": beside, **asdict(chosen)}},
            [f"{passport.title}: {state}", told],
            as_json=as_json,
        )

    @app.command(epilog="Example: platefleet models rollback --role plate")
    def rollback(role: Role, store: StoreFolder = None, as_json: AsJson = False) -> None:
        """Return to what ran before."""
        from dataclasses import asdict  # noqa: PLC0415

        from platefleet.models.artifacts.activation import Active, rolled_back  # noqa: PLC0415 - heavy
        from platefleet.models.errors import ArtifactError  # noqa: PLC0415

        here, named = store_at(store), role_of(role)

        def back(now: Active | None) -> Active:
            if now is None:
                raise ArtifactError(f"{role}: nothing is active; activate an artifact")
            return rolled_back(now)

        active = here.choose(named, back)
        say({"role": role, **asdict(active)}, [f"{role}: {active.key[:8]} is active again"], as_json=as_json)
