"""`models list` and `models show`: what is in the store."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import typer

from platefleet.models.commands.terminal import AsJson, Key, StoreFolder, found, say, store_at, table

if TYPE_CHECKING:
    from platefleet.models.artifacts.activation import Active
    from platefleet.models.artifacts.passport import Passport


def mount(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command("list", epilog="Example: platefleet models list --json")
    def list_(store: StoreFolder = None, as_json: AsJson = False) -> None:
        """List sources and artifacts, with what was measured of them and which runs."""
        from platefleet.models.artifacts.store import ROLES  # noqa: PLC0415 - heavy

        here = store_at(store)
        passports = [(each, here.active(role)) for role in ROLES for each in here.passports(role)]
        sources = [{"role": role, "source": path.name} for role in ROLES for path in here.sources(role)]
        if as_json:
            say({"sources": sources, "artifacts": [row(*each) for each in passports]}, (), as_json=True)
            return
        if not sources and not passports:
            typer.echo(f"{here.root}: empty; `platefleet models add` takes weights")
            return
        table([{**each, "source": f"{each['source'][:16]}…"} for each in sources])
        if passports:
            table([short_row(*each) for each in passports])

    @app.command(epilog="Example: platefleet models show 3f2a")
    def show(key: Key, store: StoreFolder = None, as_json: AsJson = False) -> None:
        """Show an artifact's passport."""
        passport = found(store_at(store), key)
        plain = passport.model_dump(mode="json")
        say(plain, [passport.title, *json.dumps(plain, indent=2, ensure_ascii=False).splitlines()], as_json=as_json)


def short_row(passport: Passport, active: Active | None) -> dict[str, Any]:
    """Return one artifact as a line that fits a terminal; `show` tells the rest."""
    full, verdict = row(passport, active), passport.verdict
    lost = verdict.numbers.get("lost_at_most")
    return {
        "artifact": passport.title,
        "size": full["size"],
        "batch": full["batch"],
        "verdict": full["verdict"],
        "lost": "" if lost is None else f"≤ {lost:.1%}",
        "p50 ms": "" if full["p50 ms"] is None else f"{full['p50 ms']:.1f}",
        "made": full["made"][:10],
        "state": full["state"],
    }


def row(passport: Passport, active: Active | None) -> dict[str, Any]:
    """Return one artifact as a row of the list."""
    recipe, verdict, latency = passport.recipe, passport.verdict, passport.latency
    state = ""
    if active is not None and active.key == passport.key:
        state = "active" if active.confirmed else "on trial"
    elif active is not None and active.previous == passport.key:
        state = "previous"
    made = dt.datetime.fromtimestamp(passport.made_utc_ns / 1e9, dt.timezone.utc)
    return {
        "role": recipe.role,
        "key": passport.key,
        "format": recipe.format,
        "precision": recipe.precision,
        "size": recipe.size,
        "batch": recipe.batch if recipe.batch is not None else "any",
        "verdict": verdict.judged,
        "why": verdict.reason,
        "p50 ms": latency[0].p50 if latency else None,
        "made": made.isoformat(timespec="seconds"),
        "state": state,
    }
